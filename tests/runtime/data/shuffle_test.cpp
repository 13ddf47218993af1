#include <lathe/runtime/data/shuffle.h>

#include <array>
#include <map>
#include <vector>

#include <doctest/doctest.h>

using namespace lathe;

TEST_CASE("a shuffle is the same on every platform") {
  std::vector<std::int64_t> items = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  data::shuffle(items, 42);
  CHECK(items == std::vector<std::int64_t>{5, 3, 6, 8, 7, 1, 0, 9, 4, 2});
}

TEST_CASE("every order of four items is about equally likely") {
  std::map<std::array<std::int64_t, 4>, int> counts;
  constexpr int rounds = 24000;
  for (int round = 0; round < rounds; ++round) {
    std::array<std::int64_t, 4> items = {0, 1, 2, 3};
    data::shuffle(items, data::derive_seed(7, static_cast<std::uint64_t>(round)));
    ++counts[items];
  }
  CHECK(counts.size() == 24);
  double chi_squared = 0;
  for (const auto& [order, count] : counts) chi_squared += (count - 1000.0) * (count - 1000.0) / 1000.0;
  CHECK(chi_squared < 49.7);  // 23 degrees of freedom: exceeded by chance once in a thousand seeds
}

TEST_CASE("derived seeds differ by seed and by index") {
  CHECK(data::derive_seed(1, 0) != data::derive_seed(1, 1));
  CHECK(data::derive_seed(1, 0) != data::derive_seed(2, 0));
  CHECK(data::derive_seed(1, 2) != data::derive_seed(2, 1));
}
