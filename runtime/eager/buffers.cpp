#include <lathe/runtime/eager/buffers.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace lathe::eager {
namespace {

constexpr std::size_t least_bytes = 64;
constexpr std::size_t steps = 4;  // classes from one power of two to the next: at most a fifth of a buffer is waste

struct SizeClass {
  std::uint32_t number;
  std::size_t bytes;
};

SizeClass size_class(std::size_t bytes) {
  if (bytes <= least_bytes) return {0, least_bytes};
  const auto octave = static_cast<std::size_t>(std::bit_width((bytes - 1) / least_bytes)) - 1;
  const std::size_t start = least_bytes << octave;
  const std::size_t step = start / steps;
  const std::size_t index = (bytes - start + step - 1) / step;
  return {static_cast<std::uint32_t>(octave * steps + index), start + index * step};
}

}  // namespace

Buffer& Buffers::take(std::size_t bytes) {
  const SizeClass size = size_class(bytes);
  if (size.number >= unused_.size()) unused_.resize(size.number + 1);
  std::vector<Buffer*>& unused = unused_[size.number];
  Buffer* buffer = nullptr;
  if (!unused.empty()) {
    buffer = unused.back();
    unused.pop_back();
  } else {
    Tensor memory(DType::u8, {static_cast<std::int64_t>(size.bytes)});
    if (empty_.empty()) empty_.push_back(&buffers_.emplace_back());
    buffer = empty_.back();
    empty_.pop_back();
    buffer->memory = std::move(memory);
    buffer->address = buffer->memory.bytes().data();
    buffer->bytes = size.bytes;
    held_bytes_ += size.bytes;
  }
  buffer->users = 1;
  buffer->size_class = size.number;
  buffer->panel = 0;
  live_bytes_ += size.bytes;
  peak_bytes_ = std::max(peak_bytes_, live_bytes_);
  return *buffer;
}

void Buffers::drop_user(Buffer& buffer) {
  if (--buffer.users > 0) return;
  live_bytes_ -= buffer.bytes;
  unused_[buffer.size_class].push_back(&buffer);
}

void Buffers::trim() {
  for (std::vector<Buffer*>& unused : unused_) {
    for (Buffer* buffer : unused) {
      held_bytes_ -= buffer->bytes;
      *buffer = Buffer();
      empty_.push_back(buffer);
    }
    unused.clear();
  }
}

}  // namespace lathe::eager
