#include <lathe/runtime/data/shuffle.h>

#include <bit>
#include <numeric>
#include <utility>

namespace lathe::data {
namespace {

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014; the finaliser is
/// Stafford's mix 13).
class SplitMix {
 public:
  explicit SplitMix(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

  /// Uniform in [0, bound): draws just enough bits and rejects what lies beyond, so that no number is favoured.
  std::uint64_t below(std::uint64_t bound) {
    const int unused_bits = std::countl_zero(bound - 1);
    if (unused_bits == 64) return 0;
    std::uint64_t draw = bound;
    while (draw >= bound) draw = next() >> unused_bits;
    return draw;
  }

 private:
  std::uint64_t state_;
};

}  // namespace

void shuffle(std::span<std::int64_t> items, std::uint64_t seed) {
  SplitMix random(seed);
  for (std::size_t left = items.size(); left > 1; --left) std::swap(items[left - 1], items[random.below(left)]);
}

std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t index) {
  const std::uint64_t mixed_seed = SplitMix(seed).next();
  return SplitMix(mixed_seed ^ index).next();
}

void epoch_order(std::span<std::int64_t> order, std::uint64_t seed, std::int64_t epoch) {
  // From the identity each time: an epoch's order must not depend on which epochs ran before.
  std::iota(order.begin(), order.end(), std::int64_t{0});
  shuffle(order, derive_seed(seed, static_cast<std::uint64_t>(epoch)));
}

}  // namespace lathe::data
