#include "tools/attune/io/byte_source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <attune/error.hpp>

namespace attune::io {
namespace {

[[noreturn]] void refuse(const std::string& fault) { throw Error(ErrorCode::io, fault); }

[[noreturn]] void refuse_errno(int error) { refuse("cannot be read: " + std::generic_category().message(error)); }

void check_range(std::uint64_t size, std::uint64_t offset, std::uint64_t count) {
  if (offset <= size && count <= size - offset) return;
  refuse("ends too early: has " + std::to_string(size) + " bytes, " + std::to_string(count) + " were to follow byte " +
         std::to_string(offset));
}

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "is a directory";
  if (S_ISFIFO(mode)) return "is a pipe";
  return "is not a regular file";
}

}  // namespace

void MemorySource::read(std::uint64_t offset, std::span<std::byte> into) const {
  check_range(bytes_.size(), offset, into.size());
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
}

FileSource::FileSource(const std::string& path) {
  // O_NONBLOCK: opening a pipe would otherwise wait for somebody to write to it.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) refuse_errno(errno);
  struct stat facts{};
  const int error = ::fstat(descriptor_, &facts) == 0 ? 0 : errno;
  if (error == 0 && S_ISREG(facts.st_mode)) {
    size_ = static_cast<std::uint64_t>(facts.st_size);
    return;
  }
  ::close(descriptor_);
  if (error != 0) refuse_errno(error);
  refuse(std::string(kind_of(facts.st_mode)) + ", a regular file is needed");
}

FileSource::~FileSource() { ::close(descriptor_); }

void FileSource::read(std::uint64_t offset, std::span<std::byte> into) const {
  check_range(size_, offset, into.size());
  while (!into.empty()) {
    const ssize_t count = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) refuse_errno(errno);
    if (count == 0) refuse("became shorter while it was read");
    offset += static_cast<std::uint64_t>(count);
    into = into.subspan(static_cast<std::size_t>(count));
  }
}

}  // namespace attune::io
