#include "tools/attune/io/pending_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "tools/attune/io/tensor.hpp"

namespace attune::io {
namespace {

namespace fs = std::filesystem;

constexpr int most_attempts = 1000;

[[noreturn]] void refuse(const std::string& path, const std::string& fault) {
  throw WriteError(in_quotes(path) + " cannot be written: " + fault);
}

std::string message(int error) { return std::generic_category().message(error); }

/// Behind symbolic links, so that what they point to is replaced and not they.
fs::path resolve(const std::string& path) {
  std::error_code error;
  const fs::path resolved = fs::weakly_canonical(path, error);
  return error ? fs::path(path) : resolved;
}

fs::path directory_of(const fs::path& file) {
  const fs::path parent = file.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

}  // namespace

PendingFile::PendingFile(const std::string& path) : path_(path), destination_(resolve(path)) {
  check_destination(path);
  // open() itself, and not mkstemp(): the file gets the permissions that the user's umask asks for.
  const std::string stem = directory_of(destination_) / (".attune-" + std::to_string(::getpid()) + "-");
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    const std::string candidate = stem + std::to_string(attempt) + ".tmp";
    descriptor_ = ::open(candidate.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ >= 0) {
      temporary_ = candidate;
      return;
    }
    if (errno != EEXIST) break;
  }
  fail(errno);
}

PendingFile::~PendingFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

PendingFile::PendingFile(PendingFile&& other) noexcept
    : path_(std::move(other.path_)),
      destination_(std::move(other.destination_)),
      temporary_(std::exchange(other.temporary_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

void PendingFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void PendingFile::finish() {
  if (::fsync(descriptor_) != 0) fail(errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) fail(errno);
}

void PendingFile::commit() {
  if (std::rename(temporary_.c_str(), destination_.c_str()) != 0) fail(errno);
  temporary_.clear();
}

void PendingFile::fail(int error) const { refuse(path_, message(error)); }

void check_destination(const std::string& path) {
  const fs::path destination = resolve(path);
  std::error_code error;
  const fs::file_status status = fs::status(destination, error);
  if (fs::is_directory(status)) refuse(path, "it is a directory");
  if (fs::exists(status) && !fs::is_regular_file(status)) refuse(path, "it is not a regular file");
  const fs::path directory = directory_of(destination);
  if (!fs::is_directory(directory, error)) refuse(path, "there is no directory " + in_quotes(directory.string()));
  if (::access(directory.c_str(), W_OK | X_OK) != 0) refuse(path, message(errno));
}

}  // namespace attune::io
