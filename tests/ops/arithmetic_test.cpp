#include <lathe/ops/arithmetic.h>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <lathe/ops/compare.h>
#include <lathe/ops/gradients.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/source.h>

#include "../support/run_graph.h"

using namespace lathe;
using lathe::test::evaluate;

namespace {

double gradient_at(Value (*f)(Operand, Operand, std::source_location), double a, double b, int of) {
  Graph g;
  const Value x = constant(g, a);
  const Value y = constant(g, b);
  return evaluate(gradients({f(x, y, std::source_location::current())}, {of == 0 ? x : y})[0]).item<double>();
}

}  // namespace

TEST_CASE("sum_to_shape undoes broadcasting") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2, dim("n"), 3});
  CHECK(sum_to_shape(x, x.shape()) == x);
  CHECK(to_string(sum_to_shape(x, {dim("n"), 1}).type()) == "f32 [n, 1]");
  CHECK(to_string(sum_to_shape(x, {}).type()) == "f32 []");
  const Value ones = fill(g, {2, 4, 3}, 1);
  CHECK(evaluate(sum_to_shape(ones, {1, 3})) == Tensor::from<float>({1, 3}, {8, 8, 8}));
}

TEST_CASE("the gradient of a power is finite where the power is flat in the other operand") {
  CHECK(gradient_at(pow, 0, 0, 0) == 0);
  CHECK(gradient_at(pow, 0, 1, 0) == 1);
  CHECK(gradient_at(pow, 0, 2, 0) == 0);
  CHECK(gradient_at(pow, 0, 2, 1) == 0);
  CHECK(gradient_at(pow, -2, 2, 1) == 0);
  CHECK(gradient_at(pow, -2, 3, 0) == doctest::Approx(12));
}

TEST_CASE("where the operands of maximum and minimum are equal the whole gradient goes to the first") {
  CHECK(gradient_at(maximum, 2, 2, 0) == 1);
  CHECK(gradient_at(maximum, 2, 2, 1) == 0);
  CHECK(gradient_at(minimum, 2, 2, 0) == 1);
  CHECK(gradient_at(minimum, 2, 2, 1) == 0);
}

TEST_CASE("NaN passes through maximum, minimum, clip and relu, from either side") {
  Graph g;
  const Value nan = constant(g, std::numeric_limits<float>::quiet_NaN());
  const Value one = constant(g, 1.0f);
  for (const Value& y :
       {maximum(nan, one), maximum(one, nan), minimum(nan, one), minimum(one, nan), clip(nan, 0, 1), relu(nan)}) {
    CHECK(std::isnan(evaluate(y).item<float>()));
  }
}

TEST_CASE("integers wrap, and dividing them by zero gives zero") {
  Graph g;
  const Value big = constant(g, {std::numeric_limits<std::int32_t>::max(), -7});
  CHECK(evaluate(big + 1) == Tensor::from<std::int32_t>({2}, {std::numeric_limits<std::int32_t>::min(), -6}));
  CHECK(evaluate(floor_div(big, 0)) == Tensor::from<std::int32_t>({2}, {0, 0}));
  CHECK(evaluate(mod(big, 0)) == Tensor::from<std::int32_t>({2}, {0, 0}));
  CHECK(evaluate(floor_div(big, 2)) == Tensor::from<std::int32_t>({2}, {1073741823, -4}));
  CHECK(evaluate(mod(big, 4)) == Tensor::from<std::int32_t>({2}, {3, 1}));
}

TEST_CASE("clip passes the gradient on inside its bounds and on them") {
  Graph g;
  const Value x = constant(g, {-1.0f, 0.0f, 0.5f, 1.0f, 2.0f});
  CHECK(evaluate(clip(x, 0, 1)) == Tensor::from<float>({5}, {0, 0, 0.5, 1, 1}));
  CHECK(evaluate(gradients({clip(x, 0, 1)}, {x})[0]) == Tensor::from<float>({5}, {0, 1, 1, 1, 0}));
}
