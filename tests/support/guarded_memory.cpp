#include "tests/support/guarded_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <new>
#include <utility>

namespace attune::test {
namespace {

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

std::size_t whole_pages(std::size_t bytes) noexcept { return (bytes + page_bytes() - 1) / page_bytes() * page_bytes(); }

}  // namespace

GuardedBuffer* GuardedBuffer::first_ = nullptr;

void GuardedBuffer::map(std::size_t before_border, std::size_t after_border) {
  readable_bytes_ = std::max(whole_pages(before_border), page_bytes());
  mapping_bytes_ = page_bytes() + readable_bytes_ + page_bytes() + whole_pages(after_border);
  void* memory = mmap(nullptr, mapping_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mapping_ = static_cast<std::byte*>(memory);
  readable_ = mapping_ + page_bytes();
  if (mprotect(readable_, readable_bytes_, PROT_READ | PROT_WRITE) != 0) {
    munmap(mapping_, mapping_bytes_);
    throw std::bad_alloc();
  }
  std::fill_n(readable_, readable_bytes_, CanaryBuffer::canary);
  next_ = std::exchange(first_, this);
}

GuardedBuffer::GuardedBuffer(std::size_t bytes, Edge edge, std::size_t alignment) : bytes_(bytes) {
  map(bytes, 0);
  const std::size_t before = edge == Edge::begin ? 0 : (readable_bytes_ - bytes) / alignment * alignment;
  data_ = readable_ + before;
}

GuardedBuffer::GuardedBuffer(std::size_t bytes, std::size_t border) : bytes_(bytes) {
  map(border, bytes - border);
  data_ = readable_ + readable_bytes_ - border;
}

GuardedBuffer::~GuardedBuffer() {
  GuardedBuffer** link = &first_;
  while (*link != this) link = &(*link)->next_;
  *link = next_;
  munmap(mapping_, mapping_bytes_);
}

bool describe_forbidden(const void* address, std::span<char> text) noexcept {
  const auto* const hit = static_cast<const std::byte*>(address);
  for (const GuardedBuffer* buffer = GuardedBuffer::first_; buffer != nullptr; buffer = buffer->next_) {
    if (hit < buffer->mapping_ || hit >= buffer->mapping_ + buffer->mapping_bytes_ || buffer->name_ == nullptr)
      continue;
    const std::ptrdiff_t place = hit - buffer->data_;
    if (place < 0 || place >= static_cast<std::ptrdiff_t>(buffer->bytes_)) {
      std::snprintf(text.data(), text.size(), "byte %td of %s, which has %zu", place, buffer->name_, buffer->bytes_);
    } else {
      std::snprintf(text.data(), text.size(), "byte %td of %s, which is not to be touched so", place, buffer->name_);
    }
    return true;
  }
  return false;
}

std::size_t GuardedBuffer::used_end(std::span<const std::uint8_t> used) {
  std::size_t end = used.size();
  while (end > 0 && used[end - 1] == 0) --end;
  return end;
}

void GuardedBuffer::seal(std::span<const std::uint8_t> used) {
  for (std::size_t page = 0; page < readable_bytes_; page += page_bytes()) {
    const std::byte* const begin = std::max<const std::byte*>(readable_ + page, data_);
    const std::byte* const end = std::min<const std::byte*>(readable_ + page + page_bytes(), data_ + used.size());
    const bool is_used = begin < end && std::any_of(
                                            used.begin() + (begin - data_), used.begin() + (end - data_),
                                            [](std::uint8_t flag) { return flag != 0; });
    if (mprotect(readable_ + page, page_bytes(), is_used ? PROT_READ : PROT_NONE) != 0) throw std::bad_alloc();
  }
}

bool GuardedBuffer::intact() const noexcept {
  const auto is_canary = [](std::byte byte) { return byte == CanaryBuffer::canary; };
  const std::byte* const end = std::min(data_ + bytes_, readable_ + readable_bytes_);
  return std::all_of(readable_, data_, is_canary) &&
         std::all_of(end, static_cast<const std::byte*>(readable_ + readable_bytes_), is_canary);
}

CanaryBuffer::CanaryBuffer(std::size_t bytes) : buffer_(bytes + 2 * margin), bytes_(bytes) { remember(); }

void CanaryBuffer::set_name(const std::string& name) {
  name_ = name + " with " + std::to_string(margin) + " bytes on either side";
  buffer_.set_name(name_.c_str());
}

void CanaryBuffer::remember() { remembered_.assign(buffer_.bytes().begin(), buffer_.bytes().end()); }

std::optional<std::ptrdiff_t> CanaryBuffer::first_damage(std::span<const std::uint8_t> written) const {
  for (std::size_t i = 0; i < remembered_.size(); ++i) {
    const bool may_change = i >= margin && i - margin < written.size() && written[i - margin] != 0;
    if (!may_change && buffer_.bytes()[i] != remembered_[i])
      return static_cast<std::ptrdiff_t>(i) - static_cast<std::ptrdiff_t>(margin);
  }
  return std::nullopt;
}

}  // namespace attune::test
