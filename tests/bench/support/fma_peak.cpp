#include "fma_peak.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lathe::bench {

#if defined(__x86_64__)
namespace {

constexpr int chains = 16;  // more than latency times throughput of any x86 core so far
constexpr long rounds = 200'000;

__attribute__((target("avx512f"))) float run_avx512(float factor, float summand) {
  __m512 sums[chains];
  for (auto& sum : sums) sum = _mm512_set1_ps(1.0F);
  const __m512 a = _mm512_set1_ps(factor);
  const __m512 b = _mm512_set1_ps(summand);
  for (long round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (auto& sum : sums) sum = _mm512_fmadd_ps(sum, a, b);
  }
  __m512 total = sums[0];
  for (const auto& sum : sums) total = _mm512_add_ps(total, sum);
  return _mm512_cvtss_f32(total);
}

__attribute__((target("avx2,fma"))) float run_avx2(float factor, float summand) {
  constexpr int used = 12;  // all 16 would leave no register for the operands
  __m256 sums[used];
  for (auto& sum : sums) sum = _mm256_set1_ps(1.0F);
  const __m256 a = _mm256_set1_ps(factor);
  const __m256 b = _mm256_set1_ps(summand);
  for (long round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm256_fmadd_ps(sum, a, b);
  }
  __m256 total = sums[0];
  for (const auto& sum : sums) total = _mm256_add_ps(total, sum);
  return _mm256_cvtss_f32(total);
}

constexpr int vectors_updated = 4;
constexpr int steps_an_update = 4;  // of all chains

/// The same with what Adam multiplies, divides and takes a root of, for a vector of numbers every few steps: the units
/// that multiply do that, too. Around 1, whatever the factors are, there are no special cases.
__attribute__((target("avx512f"))) float run_updates_avx512(float factor, float summand) {
  __m512 sums[chains];
  __m512 updated[vectors_updated];
  for (auto& sum : sums) sum = _mm512_set1_ps(1.0F);
  for (auto& vector : updated) vector = _mm512_set1_ps(1.0F);
  const __m512 a = _mm512_set1_ps(factor);
  const __m512 b = _mm512_set1_ps(summand);
  for (long round = 0; round < rounds / (vectors_updated * steps_an_update); ++round) {
#pragma GCC unroll 4
    for (auto& vector : updated) {
#pragma GCC unroll 4
      for (int step = 0; step < steps_an_update; ++step) {
#pragma GCC unroll 16
        for (auto& sum : sums) sum = _mm512_fmadd_ps(sum, a, b);
      }
      __m512 product = vector;
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) product = _mm512_mul_ps(product, a);
      vector = _mm512_div_ps(a, _mm512_maskz_sqrt_ps(0xFFFF, product));
    }
  }
  __m512 total = updated[0];
  for (const auto& vector : updated) total = _mm512_add_ps(total, vector);
  for (const auto& sum : sums) total = _mm512_add_ps(total, sum);
  return _mm512_cvtss_f32(total);
}

/// The best of many timings of `run`, which does `operations` and returns something to keep: for long enough that the
/// system gives threads that began on one CPU a CPU each.
double measure(float (*run)(float, float), double operations) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  // Volatile, so that the compiler can neither know the result nor reuse it.
  volatile float factor = 0.999F;
  volatile float summand = 0.001F;
  volatile float kept = 0;
  constexpr auto long_enough = std::chrono::milliseconds(50);
  for (const auto begin = Clock::now(); Clock::now() - begin < long_enough;) {
    const auto start = Clock::now();
    kept = run(factor, summand);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, operations / seconds);
  }
  (void)kept;
  return best * 1e-9;
}

}  // namespace

double update_nanoseconds() {
  if (!__builtin_cpu_supports("avx512f")) return 0;
  constexpr double flops = 2.0 * 16 * chains * rounds;
  constexpr double numbers = 16.0 * rounds / steps_an_update;
  constexpr int turns = 5;  // a clock that slows down slows both down
  double extra = 0;
  for (int turn = 0; turn < turns; ++turn) {
    const double with_updates = flops / measure(run_updates_avx512, flops);
    extra += (with_updates - flops / measure(run_avx512, flops)) / turns;
  }
  return extra / numbers;
}

double fma_peak_gflops() {
  if (__builtin_cpu_supports("avx512f")) return measure(run_avx512, 2.0 * 16 * chains * rounds);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return measure(run_avx2, 2.0 * 8 * 12 * rounds);
  return 0;
}
#else
double fma_peak_gflops() {
  return 0;
}
double update_nanoseconds() {
  return 0;
}
#endif

double fma_peak_gflops(int threads) {
  std::vector<double> rates(static_cast<std::size_t>(threads));
  {
    std::barrier start(threads);
    std::vector<std::jthread> workers;  // joined before the barrier goes
    for (double& rate : rates) {
      workers.emplace_back([&] {
        start.arrive_and_wait();
        rate = fma_peak_gflops();
      });
    }
  }
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

}  // namespace lathe::bench
