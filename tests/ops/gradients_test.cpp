#include <lathe/ops/gradients.h>

#include <cmath>
#include <random>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/ops/argmax.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/gather.h>
#include <lathe/ops/losses.h>
#include <lathe/ops/math.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/random.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/session.h>

using namespace lathe;

namespace {

Value vector(Graph& g, std::string_view name) {
  return placeholder(g, name, f32, {dim("n")});
}

constexpr std::int64_t rows = 5;
constexpr std::int64_t inputs = 4;
constexpr std::int64_t hidden = 6;
constexpr std::int64_t classes = 3;

/// A small network with its loss as a function of its parameters, all fed.
struct Network {
  Graph g;
  Values parameters = {placeholder(g, "w1", f64, {inputs, hidden}), placeholder(g, "b1", f64, {hidden}),
                       placeholder(g, "w2", f64, {hidden, classes}), placeholder(g, "b2", f64, {classes})};
  Value x = placeholder(g, "x", f64, {dim("batch"), inputs});
  Value labels = placeholder(g, "labels", i32, {dim("batch")});
  Value loss;
  std::mt19937 random{7};

  Network() {
    const Value h = tanh(matmul(x, parameters[0]) + parameters[1]);
    loss = mean(sparse_softmax_cross_entropy(labels, matmul(h, parameters[2]) + parameters[3]));
  }

  Tensor random_tensor(const Shape& shape) {
    Tensor tensor(f64, evaluate(shape, {}));
    std::uniform_real_distribution<double> uniform(-1, 1);
    for (double& element : tensor.data<double>()) element = uniform(random);
    return tensor;
  }
  std::vector<Tensor> random_parameters() {
    std::vector<Tensor> tensors;
    for (const Value& parameter : parameters) tensors.push_back(random_tensor(parameter.shape()));
    return tensors;
  }
};

std::vector<Feed> feeds(const Values& values, const std::vector<Tensor>& tensors) {
  std::vector<Feed> result;
  for (std::size_t i = 0; i < values.size(); ++i) result.push_back({values[i], tensors[i]});
  return result;
}

/// a + scale * b
std::vector<Tensor> moved(std::vector<Tensor> a, const std::vector<Tensor>& b, double scale) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a[i].data<double>().size(); ++j)
      a[i].data<double>()[j] += scale * b[i].data<double>()[j];
  }
  return a;
}

/// The value of `y` where x, a vector of f64, holds `numbers`.
std::vector<double> at(const Value& y, const Value& x, const std::vector<double>& numbers) {
  const Tensor fed = Tensor::from<double>({static_cast<std::int64_t>(numbers.size())}, numbers);
  Session session(y.graph(), {.threads = 1, .interpret = true});
  const Tensor result = session.run(y, {{x, fed}});
  return {result.data<double>().begin(), result.data<double>().end()};
}

}  // namespace

TEST_CASE("gradients have the types of their xs, which may be any values") {
  Graph g;
  const Value x = placeholder(g, "x", f64, {dim("n"), 1});
  const Value h = tanh(x) * placeholder(g, "s", f64, {3});
  const Value y = sum(h * h);
  const Values grads = gradients({y}, {x, h, y});
  CHECK(to_string(grads[0].type()) == "f64 [n, 1]");
  CHECK(to_string(grads[1].type()) == "f64 [n, 3]");
  CHECK(to_string(grads[2].type()) == "f64 []");
}

TEST_CASE("a given grad_y is what flows back, and an empty one means ones") {
  Graph g;
  const Value x = vector(g, "x");
  const Value dy = vector(g, "dy");
  CHECK(gradients({identity(x)}, {x}, {dy})[0] == dy);
  CHECK(gradients({identity(x)}, {x}, {Value()})[0].type() == x.type());
}

TEST_CASE("a gradient node names the node it differentiates and carries the user's line") {
  Graph g;
  const Value x = vector(g, "x");
  const Value y = exp(x);
  const int line = __LINE__ - 1;
  const Value dx = gradients({y}, {x})[0];
  REQUIRE(dx.node().forward.has_value());
  CHECK(*dx.node().forward == "exp");
  CHECK(dx.name().starts_with("gradients/"));
  CHECK(describe(dx.node()).find(fmt::format("gradients_test.cpp:{}", line)) != std::string::npos);
}

TEST_CASE("gradients only visit nodes on a path from xs to ys") {
  Graph g;
  const Value x = vector(g, "x");
  const Value aside = exp(vector(g, "z"));
  const Value y = x * aside;
  const std::size_t before = g.size();
  gradients({y}, {x});
  for (std::size_t i = before; i < g.size(); ++i) {
    const auto& forward = g.node(static_cast<NodeId>(i)).forward;
    if (forward) CHECK(*forward != aside.name());
  }
}

TEST_CASE("a value that the ys do not depend on has zeros, an empty handle, or an error for a gradient") {
  Graph g;
  const Value x = vector(g, "x");
  const Value other = placeholder(g, "other", f32, {dim("m"), 2});
  const Value y = exp(x);
  const Value zero = gradients({y}, {other})[0];
  CHECK(zero.type() == other.type());
  CHECK(zero.node().op == &op::fill);
  CHECK(gradients({y}, {other}, {}, {.unconnected = Unconnected::empty})[0].empty());
  CHECK_THROWS_WITH_AS(gradients({y}, {x, other}, {}, {.unconnected = Unconnected::error}),
                       doctest::Contains("the ys do not depend on x 'other' in a differentiable way"), GraphError);
}

TEST_CASE("stop_gradient, comparisons and integer casts pass nothing back") {
  Graph g;
  const Value x = vector(g, "x");
  const Values ys = {stop_gradient(x), cast(x > 0, f32), cast(cast(x, i32), f32)};
  for (const Value& y : ys) {
    CHECK(gradients({y}, {x}, {}, {.unconnected = Unconnected::empty})[0].empty());
  }
}

TEST_CASE("only floats can be differentiated, and the error says which value is not one") {
  Graph g;
  const Value x = vector(g, "x");
  const Value i = placeholder(g, "i", i64, {2});
  CHECK_THROWS_WITH_AS(gradients({argmax(x)}, {x}),
                       doctest::Contains("y 'argmax' is i64, and only floats have gradients"), GraphError);
  CHECK_THROWS_WITH_AS(gradients({gather(x, i)}, {i}),
                       doctest::Contains("x 'i' is i64, and only floats have gradients"), GraphError);
}

TEST_CASE("a grad_y must be of its y's type") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2});
  const Value y = exp(x);
  CHECK_THROWS_WITH_AS(gradients({y}, {x}, {placeholder(g, "a", f32, {3})}),
                       doctest::Contains("grad_y 'a' is f32 [3], and y 'exp' is f32 [2]"), GraphError);
  CHECK_THROWS_WITH_AS(gradients({y}, {x}, {placeholder(g, "b", f64, {2})}),
                       doctest::Contains("grad_y 'b' is f64 [2], and y 'exp' is f32 [2]"), GraphError);
  CHECK_THROWS_WITH_AS(gradients({y}, {x}, {y, y}), doctest::Contains("1 ys need as many grad_ys, 2 given"),
                       GraphError);
}

TEST_CASE("differentiating through an op without a gradient names the node and the reason") {
  static const Op opaque{{
      .name = "opaque_for_this_test",
      .doc = "An op without a gradient.",
      .min_inputs = 1,
      .max_inputs = 1,
      .infer = [](const InferContext& context) -> std::vector<TensorType> { return {context.in(0)}; },
      .not_differentiable = "nobody has worked it out",
  }};
  Graph g;
  const Value x = vector(g, "x");
  const Value y = g.apply({.op = opaque, .inputs = {x}, .name = "black_box"});
  CHECK_THROWS_WITH_AS(gradients({exp(y)}, {x}), doctest::Contains("is not differentiable: nobody has worked it out"),
                       GraphError);
  CHECK_THROWS_WITH_AS(gradients({exp(y)}, {x}), doctest::Contains("'black_box'"), GraphError);
  CHECK(gradients({exp(y)}, {y})[0].type() == y.type());
}

TEST_CASE("graphs a hundred thousand nodes deep are differentiated without recursion") {
  Graph g;
  const Value x = vector(g, "x");
  Value y = x;
  for (int i = 0; i < 100'000; ++i) y = -y;
  CHECK(gradients({y}, {x})[0].type() == x.type());
}

TEST_CASE("nothing flows to a random op's seed, and its result counts as a constant") {
  Graph g;
  const Value x = vector(g, "x");
  const Value y = dropout(x, 0.5);
  CHECK(gradients({y}, {x})[0].type() == x.type());
}

TEST_CASE("a network's gradients and its Hessian times a vector agree with central differences") {
  Network n;
  const Values grads = gradients({n.loss}, n.parameters);
  Values direction;
  Value along;
  for (std::size_t i = 0; i < grads.size(); ++i) {
    direction.push_back(placeholder(n.g, fmt::format("v{}", i), f64, grads[i].shape()));
    const Value part = sum(grads[i] * direction[i]);
    along = along.empty() ? part : along + part;
  }
  const Values hessian_times_v = gradients({along}, n.parameters);

  const std::vector<Tensor> at = n.random_parameters();
  const std::vector<Tensor> v = n.random_parameters();
  const Tensor images = n.random_tensor({rows, inputs});
  const Tensor labels = Tensor::from<std::int32_t>({rows}, {0, 2, 1, 1, 0});
  Session session(n.g, {.threads = 1, .interpret = true});
  const auto run = [&](const Values& fetches, const std::vector<Tensor>& parameters) {
    std::vector<Feed> fed = feeds(n.parameters, parameters);
    fed.push_back({n.x, images});
    fed.push_back({n.labels, labels});
    for (Feed& feed : feeds(direction, v)) fed.push_back(std::move(feed));
    return session.run(fetches, fed);
  };

  constexpr double h = 1e-5;
  const std::vector<Tensor> ahead = moved(at, v, h);
  const std::vector<Tensor> behind = moved(at, v, -h);
  const double slope = (run({n.loss}, ahead)[0].item<double>() - run({n.loss}, behind)[0].item<double>()) / (2 * h);
  CHECK(run({along}, at)[0].item<double>() == doctest::Approx(slope).epsilon(1e-8));

  const std::vector<Tensor> exact = run(hessian_times_v, at);
  const std::vector<Tensor> after = run(grads, ahead);
  const std::vector<Tensor> before = run(grads, behind);
  for (std::size_t i = 0; i < exact.size(); ++i) {
    for (std::int64_t j = 0; j < exact[i].size(); ++j) {
      CHECK(exact[i].at(j) == doctest::Approx((after[i].at(j) - before[i].at(j)) / (2 * h)).epsilon(1e-7));
    }
  }
}

TEST_CASE("the gradient of a product is right where factors are zero, to second order") {
  Graph g;
  const Value x = placeholder(g, "x", f64, {3});
  const Value dx = gradients({prod(x)}, {x})[0];
  CHECK(at(dx, x, {2, 3, 4}) == std::vector<double>{12, 8, 6});
  CHECK(at(dx, x, {0, 3, 4}) == std::vector<double>{12, 0, 0});
  CHECK(at(dx, x, {0, 0, 4}) == std::vector<double>{0, 0, 0});
  // d/dx of sum(dx) = sum over pairs without i of nothing but the third factor: x[j] + x[k].
  const Value second = gradients({sum(dx)}, {x})[0];
  CHECK(at(second, x, {0, 0, 4}) == std::vector<double>{4, 4, 0});
}

TEST_CASE("elements that tie for the maximum share its gradient") {
  Graph g;
  const Value x = placeholder(g, "x", f64, {4});
  CHECK(at(gradients({reduce_max(x)}, {x})[0], x, {1, 3, 3, 2}) == std::vector<double>{0, 0.5, 0.5, 0});
  CHECK(at(gradients({reduce_min(x)}, {x})[0], x, {1, 3, 1, 1}) == std::vector<double>{1.0 / 3, 0, 1.0 / 3, 1.0 / 3});
}

TEST_CASE("gradients of several ys and uses add up") {
  Graph g;
  const Value x = placeholder(g, "x", f64, {2});
  const Value y = x * x;
  CHECK(at(gradients({y, y * x}, {x})[0], x, {2, 3}) == std::vector<double>{4 + 12, 6 + 27});
}

TEST_CASE("sigmoid_cross_entropy has the right gradient at 0, where relu and abs have kinks") {
  Graph g;
  const Value z = placeholder(g, "z", f64, {3});
  const Value label = constant(g, {0.0, 1.0, 0.25});
  CHECK(at(gradients({sigmoid_cross_entropy(label, z)}, {z})[0], z, {0, 0, 0}) == std::vector<double>{0.5, -0.5, 0.25});
}
