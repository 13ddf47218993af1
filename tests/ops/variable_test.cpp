#include <lathe/ops/variable.h>

#include <doctest/doctest.h>

#include <lathe/ops/gradients.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/source.h>

#include "../support/run_graph.h"

using namespace lathe;

TEST_CASE("a variable has the type of its initial value, and an initializer named after it") {
  Graph g;
  const Graph::Scope scope(g, "dense");
  const Variable w = variable(g, "w", Tensor(f32, {2, 3}));
  CHECK(to_string(w.type()) == "f32 [2, 3]");
  CHECK(w.value.name() == "dense/w");
  CHECK(w.initializer.name() == "dense/w/initializer");
  CHECK(w.initializer.node().attributes.get<bool>("initializer"));
}

TEST_CASE("an assignment takes effect after the run, and its result is the new value") {
  Graph g;
  const Variable v = variable(g, "v", Tensor(f32, {2}));
  const Value next = assign_add(v, constant(g, {1.0f, 2.0f}));
  test::set_outputs(g, {next, v.value * 1, next + v.value});
  const auto result = test::interpreted(test::program_of(g)).run({{"v", Tensor::from<float>({2}, {10, 20})}});
  CHECK(result.outputs[0] == Tensor::from<float>({2}, {11, 22}));
  CHECK(result.outputs[1] == Tensor::from<float>({2}, {10, 20}));
  CHECK(result.outputs[2] == Tensor::from<float>({2}, {21, 42}));
  CHECK(result.variables.at("v") == Tensor::from<float>({2}, {11, 22}));
}

TEST_CASE("an assignment that nothing asks for does not happen") {
  Graph g;
  const Variable v = variable(g, "v", Tensor(f32, {1}));
  assign_add(v, constant(g, 1.0f));
  test::set_outputs(g, {v.value * 2});
  const auto result = test::interpreted(test::program_of(g)).run({{"v", Tensor::from<float>({1}, {3})}});
  CHECK(result.variables.at("v") == Tensor::from<float>({1}, {3}));
}

TEST_CASE("what is assigned must be a variable, and the value of its type") {
  Graph g;
  const Variable v = variable(g, "v", Tensor(f32, {2}));
  CHECK_THROWS_WITH_AS(assign(v.value + 1, v.value), doctest::Contains("is not a variable"), GraphError);
  CHECK_THROWS_WITH_AS(assign(v, fill(g, {3}, 0)),
                       doctest::Contains("variable 'v' is f32 [2], the new value is f32 [3]"), GraphError);
  CHECK_THROWS_WITH_AS(assign(v, fill(g, {2}, 0, f64)), doctest::Contains("the new value is f64 [2]"), GraphError);
  CHECK_THROWS_WITH_AS(variable(g, "w", fill(g, {dim("n")}, 0)), doctest::Contains("holds a symbol"), GraphError);
}

TEST_CASE("gradients flow to what is assigned, not to the variable's old value") {
  Graph g;
  const Variable v = variable(g, "v", Tensor(f32, {}));
  const Value x = placeholder(g, "x", f32, {});
  const Value y = assign(v, x * 3) * 2;
  const Values dxs = gradients({y}, {x, v.value});
  test::set_outputs(g, dxs);
  const auto result = test::interpret(g, {{"x", Tensor::scalar(1.0f)}});
  CHECK(result[0].item<float>() == 6);
  CHECK(result[1].item<float>() == 0);
}
