#include <lathe/ops/operators.h>

#include <doctest/doctest.h>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/source.h>

#include "../support/run_graph.h"

using namespace lathe;
using lathe::test::evaluate;

namespace {

std::vector<float> floats(const Tensor& tensor) {
  return {tensor.data<float>().begin(), tensor.data<float>().end()};
}

}  // namespace

TEST_CASE("operators compute element by element and take numbers on either side") {
  Graph g;
  const Value x = constant(g, {1.0f, 2.0f, 4.0f});
  CHECK(floats(evaluate(x + 1)) == std::vector<float>{2, 3, 5});
  CHECK(floats(evaluate(1 - x)) == std::vector<float>{0, -1, -3});
  CHECK(floats(evaluate(2.5 * x / 2)) == std::vector<float>{1.25, 2.5, 5});
  CHECK(floats(evaluate(-x % 3)) == std::vector<float>{2, 1, 2});
  CHECK(floats(evaluate(select((x > 1) & ~(x >= 4), x, 0))) == std::vector<float>{0, 2, 0});
  CHECK(floats(evaluate(select((x < 2) | (x <= 0), 7, x))) == std::vector<float>{7, 2, 4});
}

TEST_CASE("operators broadcast by NumPy's rules and take variables") {
  Graph g;
  const Variable row = variable(g, "row", Tensor::from<float>({3}, {1, 2, 3}));
  const Value column = placeholder(g, "column", f32, {dim("n"), 1});
  const Value y = row * column + row;
  CHECK(to_string(y.type()) == "f32 [n, 3]");
}

TEST_CASE("a node made by an operator knows the line of the operator") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2});
  const auto line = std::source_location::current().line() + 1;
  const Value y = 2 * x;
  CHECK(y.node().where.file == "operators_test.cpp");
  CHECK(y.node().where.line == line);
}

TEST_CASE("a number takes the other side's dtype, and only if the dtype holds it") {
  Graph g;
  const Value bytes = placeholder(g, "bytes", u8, {2});
  const Value wide = placeholder(g, "wide", i64, {2});
  const Value flags = placeholder(g, "flags", boolean, {2});
  CHECK((bytes + 255).dtype() == u8);
  CHECK_THROWS_WITH_AS(bytes + 256, doctest::Contains("the number 256 is not a value of u8"), GraphError);
  CHECK_THROWS_WITH_AS(bytes * 0.5, doctest::Contains("the number 0.5 is not a value of u8"), GraphError);
  CHECK_THROWS_WITH_AS(wide + 1e300, doctest::Contains("is not a value of i64"), GraphError);
  CHECK_THROWS_WITH_AS(flags & 2, doctest::Contains("the number 2 is not a value of bool"), GraphError);
  CHECK((flags | true).dtype() == boolean);
  CHECK(evaluate(constant(g, {std::int64_t{1}}) + 9007199254740993).data<std::int64_t>()[0] == 9007199254740994);
}

TEST_CASE("functions of two operands refuse two numbers and empty values") {
  Graph g;
  CHECK_THROWS_WITH_AS(maximum(1, 2), doctest::Contains("maximum (operators_test.cpp:"), GraphError);
  CHECK_THROWS_WITH_AS(maximum(1, 2), doctest::Contains("both operands are numbers"), GraphError);
  CHECK_THROWS_WITH_AS(Value() + 1, doctest::Contains("an operand is an empty Value"), GraphError);
}
