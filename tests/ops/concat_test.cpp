#include <lathe/ops/concat.h>

#include <doctest/doctest.h>

#include <lathe/ops/operators.h>
#include <lathe/ops/source.h>

#include "../support/run_graph.h"

using namespace lathe;
using lathe::test::counted;

TEST_CASE("split gives slices that concat joins again") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n") * Dim(3)});
  const Values thirds = split(x, 0, 3);
  REQUIRE(thirds.size() == 3);
  CHECK(to_string(thirds[1].type()) == "f32 [n]");
  const Values uneven = split(x, -1, {2, None});
  CHECK(to_string(uneven[1].type()) == "f32 [3*n - 2]");
  test::set_outputs(g, {concat(thirds, 0), concat(uneven, 0), thirds[1]});
  const auto result = test::interpret(g, {{"x", counted(6)}}, {{"n", 2}});
  CHECK(result[0] == counted(6));
  CHECK(result[1] == counted(6));
  CHECK(result[2] == Tensor::from<float>({2}, {2, 3}));
  CHECK_THROWS_WITH_AS(split(constant(g, counted(4)), 0, 3), doctest::Contains("does not fall into 3 equal parts"),
                       GraphError);
  CHECK_THROWS_WITH_AS(split(constant(g, counted(4)), 0, {1, 2}), doctest::Contains("do not add up"), GraphError);
  CHECK_THROWS_WITH_AS(split(x, 1, 3), doctest::Contains("has no axis 1"), GraphError);
}

TEST_CASE("joined extents add up, and empty pieces are passed over") {
  Graph g;
  const Value a = placeholder(g, "a", f32, {dim("n")});
  const Value b = placeholder(g, "b", f32, {dim("m")});
  const Value joined = concat({a, b * 10, a}, 0);
  CHECK(to_string(joined.type()) == "f32 [m + 2*n]");
  test::set_outputs(g, {joined});
  for (const auto run : {test::interpret, test::jit}) {
    CHECK(run(g, {{"a", counted(0)}, {"b", counted(3)}}, {})[0] == Tensor::from<float>({3}, {0, 10, 20}));
    CHECK(run(g, {{"a", counted(2)}, {"b", counted(0)}}, {})[0] == Tensor::from<float>({4}, {0, 1, 0, 1}));
  }
}
