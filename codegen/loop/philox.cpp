#include <array>

#include <lathe/codegen/loop/math.h>
#include <lathe/graph/error.h>

namespace lathe::loop {

Expr philox(Expr seed, Expr stream, Expr index, int word) {
  ensure(word >= 0 && word < 4, "a Philox block has four words");
  constexpr std::uint64_t low_half = 0xffffffff;
  constexpr std::array<std::uint64_t, 2> multipliers{0xd2511f53, 0xcd9e8d57};
  constexpr std::array<std::uint64_t, 2> increments{0x9e3779b9, 0xbb67ae85};
  const auto number = [&](std::uint64_t value) { return seed.pool->constant_bits(i64, value); };
  const auto low = [&](Expr x) { return x & number(low_half); };
  const auto high = [&](Expr x) { return x >> 32; };

  // Words of 32 bits in i64, so that a product of two fits.
  std::array<Expr, 4> block{low(index), high(index), low(stream), high(stream)};
  const std::array<Expr, 2> key{low(seed), high(seed)};
  for (std::uint64_t round = 0; round < 10; ++round) {
    const auto round_key = [&](std::size_t i) {
      const std::uint64_t bump = round * increments[i] & low_half;
      return low(key[i] + number(bump));
    };
    const Expr first = block[0] * number(multipliers[0]);
    const Expr second = block[2] * number(multipliers[1]);
    block = {high(second) ^ block[1] ^ round_key(0), low(second), high(first) ^ block[3] ^ round_key(1), low(first)};
  }
  return seed.pool->call(block[static_cast<std::size_t>(word)], "philox",
                         {seed.id, stream.id, index.id, seed.pool->extent(word).id});
}

}  // namespace lathe::loop
