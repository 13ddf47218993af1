#include <lathe/ops/optim/schedule.h>

#include <cmath>
#include <numbers>

#include <doctest/doctest.h>

#include <lathe/ops/source.h>
#include <lathe/runtime/session.h>

using namespace lathe;

namespace {

/// The rate at each of these steps.
std::vector<double> rates(const optim::LearningRate& learning_rate, std::initializer_list<std::int64_t> steps) {
  Graph g;
  const Value step = placeholder(g, "step", i64, {});
  const Value rate = learning_rate.at(step);
  CHECK(to_string(rate.type()) == "f64 []");
  Session session(g, {.threads = 1, .interpret = true});
  std::vector<double> result;
  for (const std::int64_t number : steps) {
    const Tensor fed = Tensor::scalar(number);
    result.push_back(session.run(rate, {{step, fed}}).item<double>());
  }
  return result;
}

void check_close(const std::vector<double>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-12));
}

}  // namespace

TEST_CASE("a number is the same rate always") {
  check_close(rates(0.25, {0, 1000}), {0.25, 0.25});
}

TEST_CASE("exponential decay is smooth, or in stairs") {
  check_close(rates(optim::exponential_decay({.initial_rate = 0.5, .decay_steps = 10, .decay_rate = 0.9}), {0, 5, 25}),
              {0.5, 0.5 * std::pow(0.9, 0.5), 0.5 * std::pow(0.9, 2.5)});
  check_close(
      rates(optim::exponential_decay({.initial_rate = 0.5, .decay_steps = 10, .decay_rate = 0.9, .staircase = true}),
            {0, 9, 10, 25}),
      {0.5, 0.5, 0.45, 0.405});
}

TEST_CASE("cosine decay ends at alpha times the initial rate and stays there") {
  check_close(rates(optim::cosine_decay({.initial_rate = 2, .decay_steps = 8, .alpha = 0.25}), {0, 2, 4, 8, 100}),
              {2, 0.5 + 1.5 * (1 + std::cos(std::numbers::pi / 4)) / 2, 1.25, 0.5, 0.5});
}

TEST_CASE("piecewise rates change after their boundaries") {
  check_close(rates(optim::piecewise_constant({3, 5}, {1, 0.5, 0.25}), {0, 3, 4, 5, 6}), {1, 1, 0.5, 0.5, 0.25});
}

TEST_CASE("schedules that cannot be are refused when they are made") {
  CHECK_THROWS_WITH_AS(optim::piecewise_constant({3, 5}, {1, 2}),
                       "piecewise_constant: 2 boundaries need 3 rates, 2 given", GraphError);
  CHECK_THROWS_WITH_AS(optim::piecewise_constant({3, 3}, {1, 2, 3}), "piecewise_constant: the boundaries must ascend",
                       GraphError);
  CHECK_THROWS_WITH_AS(optim::cosine_decay({.decay_steps = 0}), "cosine_decay: decay_steps must be at least 1, not 0",
                       GraphError);
}

TEST_CASE("a learning rate may be a scalar of the graph, and nothing else of it") {
  Graph g;
  const Value step = placeholder(g, "step", i64, {});
  CHECK(optim::LearningRate(placeholder(g, "rate", f32, {})).at(step).dtype() == f64);
  CHECK_THROWS_WITH_AS(optim::LearningRate(placeholder(g, "rates", f32, {2})).at(step),
                       doctest::Contains("must be a float scalar of the same graph, and is f32 [2]"), GraphError);
}
