#pragma once

#include <cstddef>
#include <vector>

#include <lathe/runtime/thread_pool.h>

namespace lathe::bench {

/// Copies memory as fast as we know how: what an operation that reads and writes as many bytes each would take, if it
/// only moved them. One that reads more than it writes, or updates in place, can be faster.
class Copy {
 public:
  /// `bytes_moved` counts those read and those written.
  Copy(std::size_t bytes_moved, int threads);
  void run();

 private:
  std::vector<std::byte> from_;  // from malloc, so aligned to 16 bytes
  std::vector<std::byte> to_;
  ThreadPool pool_;
};

/// Billions of bytes a second, read and written, that Copy moves at best.
double copy_gbytes_per_second(std::size_t bytes_moved, int threads);

/// For Copy's figures: fits any second-level cache, and does not fit any cache.
constexpr std::size_t bytes_in_cache = std::size_t{256} << 10;
constexpr std::size_t bytes_out_of_cache = std::size_t{256} << 20;

}  // namespace lathe::bench
