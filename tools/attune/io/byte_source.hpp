// Where the bytes of a file come from: the readers of the formats see nothing else, and so run on memory in
// tests and fuzz targets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace attune::io {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  virtual std::uint64_t size() const noexcept = 0;

  /// Fills `into` with the bytes from `offset` on. Throws Error(io) where there are not that many.
  virtual void read(std::uint64_t offset, std::span<std::byte> into) const = 0;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint64_t size() const noexcept override { return bytes_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> into) const override;

 private:
  std::span<const std::byte> bytes_;
};

/// A regular file. Anything else (a directory, a pipe, a device) is refused without waiting for it.
class FileSource final : public ByteSource {
 public:
  /// Throws Error(io).
  explicit FileSource(const std::string& path);
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  std::uint64_t size() const noexcept override { return size_; }
  void read(std::uint64_t offset, std::span<std::byte> into) const override;

 private:
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace attune::io
