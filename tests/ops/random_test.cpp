#include <lathe/ops/random.h>

#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include <lathe/ops/gradients.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/source.h>

#include "../support/run_graph.h"

using namespace lathe;
using lathe::test::evaluate;

namespace {

/// Block `index` of Philox4x32-10, written from the paper with its own loop: what the op's numbers come from.
std::array<std::uint32_t, 4> philox_block(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  std::array<std::uint32_t, 4> counter = {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                                          static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
  auto key0 = static_cast<std::uint32_t>(seed);
  auto key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t first = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t second = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(second >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(second),
               static_cast<std::uint32_t>(first >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(first)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

struct Moments {
  double mean = 0;
  double variance = 0;
  double low = INFINITY;
  double high = -INFINITY;
};

Moments moments(const Tensor& tensor) {
  Moments m;
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    m.mean += tensor.at(i);
    m.low = std::min(m.low, tensor.at(i));
    m.high = std::max(m.high, tensor.at(i));
  }
  m.mean /= static_cast<double>(tensor.size());
  for (std::int64_t i = 0; i < tensor.size(); ++i) m.variance += std::pow(tensor.at(i) - m.mean, 2);
  m.variance /= static_cast<double>(tensor.size());
  return m;
}

constexpr std::int64_t many = 40000;

}  // namespace

TEST_CASE("uniform numbers are the top bits of Philox's words") {
  Graph g;
  const std::int64_t seed_number = 0x123456789abcdef;
  const Value seed = constant(g, seed_number);
  const Value first = random_uniform(g, {3}, 0, 1, {.seed = seed});
  const Value second = random_uniform(g, {2, 2}, 0, 1, {.dtype = f64, .seed = seed});
  const auto stream = [](const Value& x) {
    return static_cast<std::uint64_t>(x.node().attributes.get<std::int64_t>("stream"));
  };
  CHECK(stream(first) != stream(second));
  const Tensor singles = evaluate(first);
  const Tensor doubles = evaluate(second);
  for (std::uint64_t i = 0; i < 3; ++i) {
    const auto words = philox_block(seed_number, stream(first), i);
    CHECK(singles.at(static_cast<std::int64_t>(i)) == static_cast<double>(words[0] >> 8) * 0x1p-24);
  }
  for (std::uint64_t i = 0; i < 4; ++i) {
    const auto words = philox_block(seed_number, stream(second), i);
    const std::uint64_t bits = (std::uint64_t{words[0]} << 21) | (words[1] >> 11);
    CHECK(doubles.at(static_cast<std::int64_t>(i)) == static_cast<double>(bits) * 0x1p-53);
  }
}

TEST_CASE("distributions have their moments and bounds, in both dtypes") {
  for (const DType dtype : {f32, f64}) {
    Graph g;
    const RandomOptions options{.dtype = dtype};
    test::set_outputs(g, {random_uniform(g, {many}, -1, 3, options), random_normal(g, {many}, 2, 3, options),
                          random_truncated_normal(g, {many}, 1, 0.5, options), bernoulli(g, {many}, 0.3, options)});
    const auto results = test::interpret(g, {{"run_seed", Tensor::scalar<std::int64_t>(5)}});
    const Moments uniform = moments(results[0]);
    CHECK(uniform.mean == doctest::Approx(1).epsilon(0.03));
    CHECK(uniform.variance == doctest::Approx(16.0 / 12).epsilon(0.03));
    CHECK(uniform.low >= -1);
    CHECK(uniform.high < 3);
    const Moments normal = moments(results[1]);
    CHECK(normal.mean == doctest::Approx(2).epsilon(0.03));
    CHECK(normal.variance == doctest::Approx(9).epsilon(0.03));
    CHECK(normal.high > 2 + 3 * 3.5);
    const Moments truncated = moments(results[2]);
    CHECK(truncated.mean == doctest::Approx(1).epsilon(0.03));
    CHECK(std::sqrt(truncated.variance) == doctest::Approx(0.5 * 0.87962566).epsilon(0.03));
    CHECK(truncated.low >= 0);
    CHECK(truncated.low < 0.01);
    CHECK(truncated.high <= 2);
    CHECK(truncated.high > 1.99);
    const Moments coin = moments(results[3]);
    CHECK(coin.mean == doctest::Approx(0.3).epsilon(0.03));
    CHECK(coin.low == 0);
    CHECK(coin.high == 1);
  }
}

TEST_CASE("truncated normal numbers follow the distribution function") {
  Graph g;
  const Tensor sample = evaluate(random_truncated_normal(g, {many}, 0, 1, {.dtype = f64}));
  const auto cdf = [](double z) { return std::erf(z / std::sqrt(2.0)); };
  for (const double z : {0.25, 0.5, 1.0, 1.5, 1.9}) {
    std::int64_t inside = 0;
    for (std::int64_t i = 0; i < many; ++i) inside += std::abs(sample.at(i)) < z ? 1 : 0;
    CHECK(static_cast<double>(inside) / many == doctest::Approx(cdf(z) / cdf(2)).epsilon(0.03));
  }
}

TEST_CASE("another seed gives other numbers, the same seed the same") {
  Graph g;
  test::set_outputs(g, {random_normal(g, {8})});
  const auto run = [&](std::int64_t seed) {
    return test::interpret(g, {{"run_seed", Tensor::scalar<std::int64_t>(seed)}})[0];
  };
  CHECK(run(1) == run(1));
  CHECK(run(1) != run(2));
}

TEST_CASE("dropout keeps the mean, and its gradient has the same mask") {
  Graph g;
  const Value x = fill(g, {many}, 2);
  const Value y = dropout(x, 0.25);
  test::set_outputs(g, {y, gradients({y}, {x})[0]});
  const auto results = test::interpret(g, {});
  CHECK(moments(results[0]).mean == doctest::Approx(2).epsilon(0.03));
  for (std::int64_t i = 0; i < many; ++i) {
    REQUIRE((results[0].at(i) == 0) == (results[1].at(i) == 0));
  }
  CHECK(moments(results[1]).high == doctest::Approx(1 / 0.75));
}

TEST_CASE("dropout without training or with rate 0 is nothing, and the rate must make sense") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2});
  CHECK(dropout(x, 0.5, false) == x);
  CHECK(dropout(x, 0) == x);
  CHECK_THROWS_WITH_AS(dropout(x, 1), doctest::Contains("the rate 1 is outside [0, 1)"), GraphError);
}
