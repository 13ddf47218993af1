#include "copy.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>

namespace lathe::bench {
namespace {

struct Frame {
  const std::byte* from;
  std::byte* to;
};

extern "C" void copy_chunk(const void* frame, std::int64_t begin, std::int64_t end) {
  const auto& [from, to] = *static_cast<const Frame*>(frame);
  std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin));
}

}  // namespace

Copy::Copy(std::size_t bytes_moved, int threads)
    : from_(bytes_moved / 2, std::byte{1}), to_(bytes_moved / 2), pool_(threads) {}

void Copy::run() {
  const Frame frame{from_.data(), to_.data()};
  const auto bytes = static_cast<std::int64_t>(from_.size());
  // Less than this a piece, and waking a thread takes longer than copying.
  constexpr std::int64_t worth_a_thread = 1 << 20;
  pool_.run(copy_chunk, &frame, bytes, std::max(worth_a_thread, (bytes + pool_.threads() - 1) / pool_.threads()));
}

double copy_gbytes_per_second(std::size_t bytes_moved, int threads) {
  using Clock = std::chrono::steady_clock;
  Copy copy(bytes_moved, threads);
  constexpr double at_least_seconds = 0.1;
  double best = 0;
  const auto begin = Clock::now();
  // One run at least comes after the first, which may have to wait for pages.
  for (int run = 0; run < 5 || std::chrono::duration<double>(Clock::now() - begin).count() < at_least_seconds; ++run) {
    const auto start = Clock::now();
    copy.run();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, static_cast<double>(bytes_moved) / seconds);
  }
  return best * 1e-9;
}

}  // namespace lathe::bench
