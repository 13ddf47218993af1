#include <lathe/ops/shape.h>

#include <doctest/doctest.h>

#include <lathe/ops/operators.h>
#include <lathe/ops/source.h>

#include "../support/run_graph.h"

using namespace lathe;
using lathe::test::evaluate;

TEST_CASE("reshape divides symbolic counts exactly") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("batch"), 28, 28});
  CHECK(to_string(reshape(x, {None, 784}).type()) == "f32 [batch, 784]");
  CHECK(to_string(reshape(x, {-1}).type()) == "f32 [784*batch]");
  CHECK(to_string(reshape(x, {dim("batch"), None, 7}).type()) == "f32 [batch, 112, 7]");
  CHECK(to_string(flatten(x).type()) == "f32 [batch, 784]");
  CHECK(to_string(flatten(x, 0).type()) == "f32 [784*batch]");
  CHECK_THROWS_WITH_AS(reshape(x, {None, 5}), doctest::Contains("no extent makes [?, 5] of the 784*batch elements"),
                       GraphError);
  CHECK_THROWS_WITH_AS(flatten(x, 4), doctest::Contains("cannot keep 4 axes"), GraphError);
}

TEST_CASE("reshape learns what an anonymous extent is") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {None, 784});
  const Value y = reshape(x, {dim("batch"), 28, 28});
  CHECK(to_string(y.type()) == "f32 [batch, 28, 28]");
  CHECK(to_string(x.type()) == "f32 [batch, 784]");
}

TEST_CASE("chains of views move every element to its place") {
  Graph g;
  const Value x = placeholder(g, "x", i32, {dim("n"), 3, 4});
  // [n, 3, 4] -> [n, 12] -> [12, n] -> [2, 6, 1, n]: element (a, b, 0, i) is x[i] at flat position 6 a + b.
  const Value y = expand_dims(reshape(transpose(reshape(x, {dim("n"), 12})), {2, 6, dim("n")}), 2);
  Tensor data(i32, {5, 3, 4});
  for (std::size_t i = 0; i < 60; ++i) data.data<std::int32_t>()[i] = static_cast<std::int32_t>(i);
  const Tensor result = evaluate(y, {{"x", data}});
  REQUIRE(to_string(result.shape()) == "[2, 6, 1, 5]");
  for (std::int64_t a = 0; a < 2; ++a) {
    for (std::int64_t b = 0; b < 6; ++b) {
      for (std::int64_t i = 0; i < 5; ++i) CHECK(result.at((a * 6 + b) * 5 + i) == 12 * i + 6 * a + b);
    }
  }
}

TEST_CASE("transpose without a permutation reverses the axes") {
  Graph g;
  CHECK(to_string(transpose(placeholder(g, "x", f32, {2, 3, dim("n")})).type()) == "f32 [n, 3, 2]");
}

TEST_CASE("squeeze never takes a symbol for 1") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 1});
  CHECK(to_string(squeeze(x).type()) == "f32 [n]");
  CHECK_THROWS_WITH_AS(squeeze(x, {0}), doctest::Contains("axis 0 of [n, 1] has extent n, not 1"), GraphError);
}

TEST_CASE("broadcast_to learns that extents are equal") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {None});
  CHECK(to_string(broadcast_to(x, {2, dim("m")}).type()) == "f32 [2, m]");
  CHECK(to_string(x.type()) == "f32 [m]");
}
