#include <lathe/graph/shape.h>

#include <limits>

#include <doctest/doctest.h>

#include <lathe/graph/error.h>

using namespace lathe;

TEST_CASE("a scalar has one element, and an extent of zero none") {
  CHECK(element_count(Shape{}) == Dim(1));
  CHECK(element_count(Extents{}) == 1);
  CHECK(element_count(Extents{3, 0, 5}) == 0);
  CHECK(element_count(Extents{3, 4}) == 12);
  CHECK(element_count(Shape{dim("batch"), 28, 28}) == dim("batch") * 784);
}

TEST_CASE("counting elements beyond 64 bits throws, but an empty tensor may have huge extents") {
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  CHECK_THROWS_AS(element_count(Extents{huge, 2}), RunError);
  CHECK(element_count(Extents{huge, 2, 0}) == 0);
}

TEST_CASE("row-major strides multiply the extents to the right") {
  CHECK(row_major_strides({}).empty());
  CHECK(row_major_strides({5}) == Shape{1});
  CHECK(row_major_strides({dim("n"), dim("h"), 3}) == Shape{dim("h") * 3, 3, 1});
}

TEST_CASE("a shape evaluates under bindings") {
  Bindings bindings;
  bindings.bind(symbol("n"), 4);
  CHECK(evaluate({dim("n") * 2, 3}, bindings) == Extents{8, 3});
  CHECK_THROWS_AS(evaluate({dim("unbound_extent")}, bindings), RunError);
}

TEST_CASE("shapes and types print alike everywhere") {
  CHECK(to_string(Shape{}) == "[]");
  CHECK(to_string(Shape{dim("batch"), 784}) == "[batch, 784]");
  CHECK(to_string(Extents{2, 3}) == "[2, 3]");
  CHECK(to_string(TensorType{DType::f32, {dim("batch"), 10}}) == "f32 [batch, 10]");
  CHECK(to_shape({2, 3}) == Shape{2, 3});
}
