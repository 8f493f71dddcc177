// Memory that shows reads and writes where there should be none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace attune::test {

/// Which end of a buffer touches the unreadable page.
enum class Edge { end, begin };

/// Bytes between two unreadable pages; one end of the data lies exactly on the border (`alignment` may leave up to
/// alignment − 1 bytes before it, which hold canaries). A read or a write beyond kills the process.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(std::size_t bytes, Edge edge = Edge::end, std::size_t alignment = 1);
  ~GuardedBuffer();
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  /// For inputs of which some bytes are not to be read (`used[i] == 0`): the end of the last used byte lies on the
  /// page border, so that everything after it is out of reach, used or not.
  static std::size_t used_end(std::span<const std::uint8_t> used);

  std::byte* data() const noexcept { return data_; }
  std::span<std::byte> bytes() const noexcept { return {data_, bytes_}; }

  /// What it is called when describe_forbidden() speaks of it; must outlive it. Without a name it does not.
  void set_name(const char* name) noexcept { name_ = name; }

  /// From here on the data can be read only, and pages that hold no used byte not even that.
  void seal(std::span<const std::uint8_t> used);

  /// Are the canaries between the data and the border as they were?
  bool intact() const noexcept;

  /// As the first constructor with Edge::end, but `border` bytes after the beginning lies the page border; what
  /// comes after exists in shape only.
  GuardedBuffer(std::size_t bytes, std::size_t border);

 private:
  void map(std::size_t before_border, std::size_t after_border);

  std::byte* mapping_ = nullptr;
  std::size_t mapping_bytes_ = 0;
  std::byte* readable_ = nullptr;
  std::size_t readable_bytes_ = 0;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;

  friend bool describe_forbidden(const void* address, std::span<char> text) noexcept;
  const char* name_ = nullptr;
  static GuardedBuffer* first_;  // of all that exist
  GuardedBuffer* next_ = nullptr;
};

/// For a signal handler: whose guard is it that this address hit? Writes for example "byte 116 of key, which has 100";
/// no if it hit none. Buffers are made and destroyed by one thread.
bool describe_forbidden(const void* address, std::span<char> text) noexcept;

/// Bytes between canaries, all of them set to the canary at first, so that a tensor's gaps are guarded as well.
class CanaryBuffer {
 public:
  /// Repeated, a large number in every float format: an element that nobody writes does not pass for a result.
  static constexpr std::byte canary{0x5a};

  explicit CanaryBuffer(std::size_t bytes);

  void set_name(const std::string& name);
  std::byte* data() const noexcept { return buffer_.data() + margin; }
  std::span<std::byte> bytes() const noexcept { return {data(), bytes_}; }

  /// Takes what is in the buffer now for what is to stay.
  void remember();

  /// Where, relative to data(), a byte changed that is not one of `written` (one flag a byte)?
  std::optional<std::ptrdiff_t> first_damage(std::span<const std::uint8_t> written) const;

 private:
  static constexpr std::size_t margin = 4096;
  GuardedBuffer buffer_;
  std::size_t bytes_;
  std::vector<std::byte> remembered_;
  std::string name_;
};

}  // namespace attune::test
