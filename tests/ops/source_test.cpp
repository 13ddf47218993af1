#include <lathe/ops/source.h>

#include <doctest/doctest.h>

#include <lathe/ops/operators.h>

#include "../support/run_graph.h"

using namespace lathe;
using lathe::test::evaluate;

TEST_CASE("every None of a placeholder is a symbol of its own") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {None, None, 3});
  CHECK(x.shape()[0] != x.shape()[1]);
  CHECK(x.shape()[0].as_symbol().has_value());
  CHECK(x.name() == "x");
}

TEST_CASE("constants are made from tensors, numbers and lists") {
  Graph g;
  CHECK(evaluate(constant(g, 3)) == Tensor::scalar<std::int32_t>(3));
  CHECK(evaluate(constant(g, {1.0, 2.0})) == Tensor::from<double>({2}, {1, 2}));
  CHECK(evaluate(constant(g, {1, 2, 3, 4}, {2, 2})) == Tensor::from<std::int32_t>({2, 2}, {1, 2, 3, 4}));
  const std::vector<float> data = {1, 2};
  CHECK(evaluate(constant(g, std::span<const float>(data), {1, 2})) == Tensor::from<float>({1, 2}, {1, 2}));
}

TEST_CASE("a fill takes its size from the symbols of what it is used with") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 2});
  const Value y = x + fill(g, {dim("n"), 2}, 0.5) + zeros_like(x) + ones_like(x);
  CHECK(evaluate(y, {{"x", Tensor::from<float>({1, 2}, {1, 2})}}) == Tensor::from<float>({1, 2}, {2.5, 3.5}));
}

TEST_CASE("one_hot has a 1 at the label and only zeros for labels outside") {
  Graph g;
  const Value labels = constant(g, {2, 0, 5, -1});
  CHECK(evaluate(one_hot(labels, 3)) == Tensor::from<float>({4, 3}, {0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}));
  CHECK_THROWS_WITH_AS(one_hot(constant(g, 1.0f), 3), doctest::Contains("labels must be integers"), GraphError);
}

TEST_CASE("a graph has one run seed") {
  Graph g;
  const Value first = run_seed(g);
  const Graph::Scope scope(g, "inner");
  CHECK(run_seed(g) == first);
  CHECK(to_string(first.type()) == "i64 []");
}
