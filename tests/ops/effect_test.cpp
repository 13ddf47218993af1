#include <lathe/ops/effect.h>

#include <limits>

#include <doctest/doctest.h>

#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

#include "../support/run_graph.h"

using namespace lathe;

TEST_CASE("a print reports to the host and passes its value on") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2});
  test::set_outputs(g, {print(x, "x is") + 1});
  const auto result = test::interpreted(test::program_of(g)).run({{"x", Tensor::from<float>({2}, {1, 2})}});
  CHECK(result.outputs[0] == Tensor::from<float>({2}, {2, 3}));
  CHECK(result.printed == std::vector<std::string>{"x is"});
}

TEST_CASE("a value that is not finite fails the run, which names the node and the element") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  test::set_outputs(g, {assert_all_finite(log(x), "the loss")});
  CHECK_NOTHROW(test::interpret(g, {{"x", Tensor::from<float>({2}, {1, 2})}}));
  CHECK_THROWS_WITH_AS(test::interpret(g, {{"x", Tensor::from<float>({3}, {1, 2, 0})}}),
                       doctest::Contains("assert_all_finite 'assert_all_finite' (effect_test.cpp:"), RunError);
  CHECK_THROWS_WITH_AS(test::interpret(g, {{"x", Tensor::from<float>({3}, {1, 0, -1})}}),
                       doctest::Contains("the loss: element 1 is NaN or infinite"), RunError);
}

TEST_CASE("a label outside its classes fails the run, which names the label and the row") {
  Graph g;
  const Value labels = placeholder(g, "labels", i32, {dim("n")});
  test::set_outputs(g, {check_labels(labels, 10) * 1});
  CHECK_NOTHROW(test::interpret(g, {{"labels", Tensor::from<std::int32_t>({2}, {0, 9})}}));
  CHECK_THROWS_WITH_AS(test::interpret(g, {{"labels", Tensor::from<std::int32_t>({4}, {0, 9, 3, 10})}}),
                       doctest::Contains("label 10 at row 3 is outside [0, 10)"), RunError);
  CHECK_THROWS_WITH_AS(test::interpret(g, {{"labels", Tensor::from<std::int32_t>({1}, {-1})}}),
                       doctest::Contains("label -1 at row 0 is outside [0, 10)"), RunError);
}

TEST_CASE("group and with_dependencies carry out what they wait for") {
  Graph g;
  const Variable a = variable(g, "a", Tensor(f32, {}));
  const Variable b = variable(g, "b", Tensor(f32, {}));
  const Value both = group({assign_add(a, constant(g, 1.0f)), assign_add(b, constant(g, 2.0f))});
  SUBCASE("group is true") {
    test::set_outputs(g, {both});
    const auto result = test::interpreted(test::program_of(g)).run({});
    CHECK(result.outputs[0].item<bool>());
    CHECK(result.variables.at("a").item<float>() == 1);
    CHECK(result.variables.at("b").item<float>() == 2);
  }
  SUBCASE("with_dependencies is its value") {
    test::set_outputs(g, {with_dependencies(constant(g, 7.0f), {both})});
    const auto result = test::interpreted(test::program_of(g)).run({});
    CHECK(result.outputs[0].item<float>() == 7);
    CHECK(result.variables.at("b").item<float>() == 2);
  }
  CHECK_THROWS_WITH_AS(group({}), doctest::Contains("of nothing"), GraphError);
}
