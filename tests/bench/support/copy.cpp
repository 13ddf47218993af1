#include "copy.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace lathe::bench {
namespace {

struct Frame {
  const std::byte* from;
  std::byte* to;
};

constexpr std::int64_t line_bytes = 64;

#if defined(__x86_64__)
/// Whole lines, past the caches. `to` must be aligned to 16 bytes.
void stream_lines(const std::byte* from, std::byte* to, std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i += static_cast<std::int64_t>(sizeof(__m128i))) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + i), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
  }
  _mm_sfence();
}
#endif

extern "C" void copy_chunk(const void* frame, std::int64_t begin, std::int64_t end) {
  const auto& [from, to] = *static_cast<const Frame*>(frame);
#if defined(__x86_64__)
  // The C library's copy is a third slower than this on some machines.
  constexpr std::int64_t beyond_caches = 16 << 20;
  if (end - begin >= beyond_caches) {
    const std::int64_t streamed = (end - begin) / line_bytes * line_bytes;
    stream_lines(from + begin, to + begin, streamed);
    begin += streamed;
  }
#endif
  std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin));
}

}  // namespace

Copy::Copy(std::size_t bytes_moved, int threads)
    : from_(bytes_moved / 2, std::byte{1}), to_(bytes_moved / 2), pool_(threads) {}

void Copy::run() {
  const Frame frame{from_.data(), to_.data()};
  const auto bytes = static_cast<std::int64_t>(from_.size());
  const std::int64_t share = (bytes / pool_.threads() / line_bytes + 1) * line_bytes;
  // Less than this a piece, and waking a thread takes longer than copying.
  constexpr std::int64_t worth_a_thread = 1 << 20;
  pool_.run(copy_chunk, &frame, bytes, std::max(worth_a_thread, share));
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
