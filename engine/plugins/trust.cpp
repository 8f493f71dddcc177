#include "engine/plugins/trust.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>

namespace attune::detail {
namespace {

std::string why_not() { return std::generic_category().message(errno); }

/// Empty where the path does not exist.
std::string without_links(const std::string& path) {
  struct Free {
    void operator()(char* text) const noexcept { std::free(text); }
  };
  const std::unique_ptr<char, Free> real(realpath(path.c_str(), nullptr));
  return real ? real.get() : "";
}

/// Whoever may write the folder can put another file in this one's place; not in a sticky one (/tmp), where only an
/// entry's owner can.
std::string distrust_folder_of(const std::string& path) {
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  struct stat facts{};
  if (stat(folder.c_str(), &facts) != 0) return "its folder cannot be looked at: " + why_not();
  if ((facts.st_mode & S_ISVTX) != 0) return {};
  return distrust(facts, "the folder it lies in");
}

}  // namespace

std::string distrust(const struct stat& facts, const char* what) {
  if (facts.st_uid != 0 && facts.st_uid != geteuid()) {
    return std::string(what) + " belongs to user " + std::to_string(facts.st_uid) + ", neither you nor root";
  }
  if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return std::string(what) + " can be written by others; chmod go-w would do";
  }
  return {};
}

OpenFile::OpenFile(const std::string& path) : path_(without_links(path)), complaint_(open(path)) {}

OpenFile::~OpenFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::string OpenFile::open(const std::string& path) {
  if (path_.empty()) {
    path_ = path;
    return "it cannot be found: " + why_not();
  }
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor_ < 0 || fstat(descriptor_, &facts_) != 0) return "it cannot be opened: " + why_not();
  if (!S_ISREG(facts_.st_mode)) return "it is not a regular file";
  if (std::string complaint = distrust(facts_, "the file"); !complaint.empty()) return complaint;
  return distrust_folder_of(path_);
}

}  // namespace attune::detail
