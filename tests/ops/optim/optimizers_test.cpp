#include <lathe/ops/optim/optimizers.h>

#include <array>
#include <cmath>
#include <functional>

#include <doctest/doctest.h>

#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>
#include <lathe/runtime/session.h>

using namespace lathe;

namespace {

constexpr int steps = 7;
const std::vector<double> start = {1.5, -0.25, 3.0};
const std::vector<double> steepness = {0.5, 2.0, -0.1};

/// w after `steps` updates that minimise sum(steepness * w^2).
std::vector<double> trained(const optim::Optimizer& optimizer) {
  Graph g;
  const Variable w = variable(g, "w", Tensor::from<double>({3}, start));
  const Value train = optimizer.minimize(sum(constant(g, Tensor::from<double>({3}, steepness)) * square(w)));
  Session session(g, {.threads = 1, .interpret = true});
  session.initialize(1);
  for (int step = 0; step < steps; ++step) session.run(train);
  const Tensor result = session.variable(w);
  return {result.data<double>().begin(), result.data<double>().end()};
}

/// One element's update: the new w from w, its gradient, the update's number from 1, and state that starts at 0.
using Rule = std::function<double(double w, double g, int t, std::array<double, 3>& state)>;

void check_against(const optim::Optimizer& optimizer, const Rule& rule) {
  const std::vector<double> found = trained(optimizer);
  for (std::size_t i = 0; i < start.size(); ++i) {
    double w = start[i];
    std::array<double, 3> state{};
    for (int t = 1; t <= steps; ++t) w = rule(w, 2 * steepness[i] * w, t, state);
    CHECK(found[i] == doctest::Approx(w).epsilon(1e-12));
  }
}

double corrected(double rate, double beta_1, double beta_2, int t) {
  return rate * std::sqrt(1 - std::pow(beta_2, t)) / (1 - std::pow(beta_1, t));
}

}  // namespace

TEST_CASE("sgd without momentum steps down the gradient") {
  check_against(optim::sgd({.learning_rate = 0.1}), [](double w, double g, int, auto&) { return w - 0.1 * g; });
}

TEST_CASE("sgd with momentum follows its velocity, and Nesterov's looks ahead along it") {
  check_against(optim::sgd({.learning_rate = 0.1, .momentum = 0.9}), [](double w, double g, int, auto& s) {
    s[0] = 0.9 * s[0] - 0.1 * g;
    return w + s[0];
  });
  check_against(optim::sgd({.learning_rate = 0.1, .momentum = 0.9, .nesterov = true}),
                [](double w, double g, int, auto& s) {
                  s[0] = 0.9 * s[0] - 0.1 * g;
                  return w + 0.9 * s[0] - 0.1 * g;
                });
}

TEST_CASE("adam is Keras's") {
  check_against(optim::adam({.learning_rate = 0.01, .epsilon = 1e-3}), [](double w, double g, int t, auto& s) {
    s[0] = 0.9 * s[0] + 0.1 * g;
    s[1] = 0.999 * s[1] + 0.001 * g * g;
    return w - corrected(0.01, 0.9, 0.999, t) * s[0] / (std::sqrt(s[1]) + 1e-3);
  });
}

TEST_CASE("adamw decays weights apart from the gradient, but not those it is told to leave") {
  const Rule decaying = [](double w, double g, int t, auto& s) {
    s[0] = 0.9 * s[0] + 0.1 * g;
    s[1] = 0.999 * s[1] + 0.001 * g * g;
    return w - 0.01 * 0.1 * w - corrected(0.01, 0.9, 0.999, t) * s[0] / (std::sqrt(s[1]) + 1e-7);
  };
  check_against(optim::adamw({.learning_rate = 0.01, .weight_decay = 0.1}), decaying);
  check_against(optim::adamw({.learning_rate = 0.01, .weight_decay = 0.1, .exclude = {"w"}}),
                [](double w, double g, int t, auto& s) {
                  s[0] = 0.9 * s[0] + 0.1 * g;
                  s[1] = 0.999 * s[1] + 0.001 * g * g;
                  return w - corrected(0.01, 0.9, 0.999, t) * s[0] / (std::sqrt(s[1]) + 1e-7);
                });
}

TEST_CASE("rmsprop divides by a running root mean square, centered and with momentum on demand") {
  check_against(optim::rmsprop({.learning_rate = 0.01}), [](double w, double g, int, auto& s) {
    s[0] = 0.9 * s[0] + 0.1 * g * g;
    return w - 0.01 * g / std::sqrt(s[0] + 1e-7);
  });
  check_against(optim::rmsprop({.learning_rate = 0.01, .momentum = 0.5, .centered = true}),
                [](double w, double g, int, auto& s) {
                  s[0] = 0.9 * s[0] + 0.1 * g * g;
                  s[1] = 0.9 * s[1] + 0.1 * g;
                  s[2] = 0.5 * s[2] + 0.01 * g / std::sqrt(s[0] - s[1] * s[1] + 1e-7);
                  return w - s[2];
                });
}

TEST_CASE("adagrad divides by the root of all squares so far") {
  check_against(optim::adagrad({.learning_rate = 0.1}), [](double w, double g, int t, auto& s) {
    if (t == 1) s[0] = 0.1;
    s[0] += g * g;
    return w - 0.1 * g / std::sqrt(s[0] + 1e-7);
  });
}

TEST_CASE("a schedule sees the number of updates done before") {
  check_against(optim::sgd({.learning_rate = optim::piecewise_constant({2, 4}, {0.1, 0.01, 0.001})}),
                [](double w, double g, int t, auto&) {
                  return w - (t <= 3 ? 0.1 : t <= 5 ? 0.01 : 0.001) * g;
                });
}

TEST_CASE("an optimizer's state is named after its variable and is not trainable itself") {
  Graph g;
  Value w;
  {
    const Graph::Scope scope(g, "dense");
    w = variable(g, "kernel", Tensor(f32, {2, 3}));
  }
  optim::adam().minimize(sum(square(w)));
  REQUIRE(g.find("adam/iteration"));
  CHECK(to_string(g.node(*g.find("adam/iteration")).outputs[0]) == "i64 []");
  for (const char* name : {"adam/m/dense/kernel", "adam/v/dense/kernel"}) {
    REQUIRE(g.find(name));
    CHECK(g.node(*g.find(name)).outputs[0] == w.type());
  }
  CHECK(trainable_variables(g) == Values{w});
}

TEST_CASE("every node of an update carries the line that asked for it") {
  Graph g;
  const Value w = variable(g, "w", Tensor(f32, {2}));
  const Value dw = placeholder(g, "dw", f32, {2});
  const std::size_t before = g.size();
  optim::adam().apply_gradients({{dw, w}});
  const std::uint32_t line = __LINE__ - 1;
  for (std::size_t i = before; i < g.size(); ++i) CHECK(g.node(static_cast<NodeId>(i)).where.line == line);
}

TEST_CASE("optimizers say what they cannot train") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2});
  const optim::Optimizer sgd = optim::sgd();
  CHECK_THROWS_WITH_AS(sgd.minimize(sum(x)), doctest::Contains("the graph has no trainable variable"), GraphError);
  const Value w = variable(g, "w", Tensor(f32, {2}));
  const Value other = variable(g, "other", Tensor(f32, {3}));
  CHECK_THROWS_WITH_AS(sgd.minimize(w * x), doctest::Contains("the loss must be a float scalar, and is f32 [2]"),
                       GraphError);
  CHECK_THROWS_WITH_AS(sgd.minimize(sum(w * x), {other}), doctest::Contains("do not depend on x 'other'"), GraphError);
  CHECK_THROWS_WITH_AS(sgd.minimize(sum(w * x), {x}), doctest::Contains("'x' is not a variable"), GraphError);
  CHECK_THROWS_WITH_AS(sgd.apply_gradients({{x, w}, {x, w}}), doctest::Contains("variable 'w' is given twice"),
                       GraphError);
  CHECK_THROWS_WITH_AS(sgd.apply_gradients({{x, other}}),
                       doctest::Contains("variable 'other' is f32 [3], and its gradient f32 [2]"), GraphError);
  CHECK_THROWS_WITH_AS(sgd.apply_gradients({}), doctest::Contains("there is no variable to update"), GraphError);
  CHECK_THROWS_WITH_AS(optim::adam({.beta_1 = 1}), "adam: beta_1 1 is outside [0, 1)", GraphError);
}

TEST_CASE("trainable variables that the loss does not depend on are left alone") {
  Graph g;
  const Value w = variable(g, "w", Tensor(f32, {2}));
  variable(g, "idle", Tensor(f32, {2}));
  optim::adam().minimize(sum(square(w)));
  CHECK(g.find("adam/m/w"));
  CHECK_FALSE(g.find("adam/m/idle"));
}
