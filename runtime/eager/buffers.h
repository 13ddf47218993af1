#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <lathe/graph/tensor.h>

namespace lathe::eager {

/// Memory that arrays share. Arrays never change, so any number of them may lie in one buffer.
struct Buffer {
  Tensor memory;  // u8
  std::byte* address = nullptr;
  std::size_t bytes = 0;
  std::uint32_t users = 0;  // arrays and variables
  std::uint32_t size_class = 0;
  std::int64_t panel = 0;  // columns a panel if this is a variable as compiled programs store it: see codegen/layout.h
};

/// Hands out buffers and takes them back for the next array of about the same size: in a loop that repeats itself
/// nothing is allocated after the first turn.
class Buffers {
 public:
  /// A buffer of at least so many bytes with one user. What it holds is undefined.
  Buffer& take(std::size_t bytes);
  void add_user(Buffer& buffer) { ++buffer.users; }
  void drop_user(Buffer& buffer);

  /// Of buffers with users: now, and at most so far.
  std::size_t live_bytes() const { return live_bytes_; }
  std::size_t peak_bytes() const { return peak_bytes_; }
  /// Of all buffers, those that wait for users included.
  std::size_t held_bytes() const { return held_bytes_; }
  void reset_peak() { peak_bytes_ = live_bytes_; }
  /// Gives the memory of buffers without users back to the system.
  void trim();

 private:
  std::deque<Buffer> buffers_;
  std::vector<Buffer*> empty_;                // without memory
  std::vector<std::vector<Buffer*>> unused_;  // by size class
  std::size_t live_bytes_ = 0;
  std::size_t peak_bytes_ = 0;
  std::size_t held_bytes_ = 0;
};

}  // namespace lathe::eager
