#include <lathe/ops/slice.h>

#include <doctest/doctest.h>

#include <lathe/ops/gradients.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/source.h>

#include "../support/run_graph.h"

using namespace lathe;
using lathe::test::counted;
using lathe::test::evaluate;

TEST_CASE("ranges mean what Python's slices mean") {
  Graph g;
  const Value x = constant(g, counted(6));
  const auto taken = [&](Range range) { return to_string(evaluate(slice(x, {range}))); };
  CHECK(taken({}) == "f32 [6] {0, 1, 2, 3, 4, 5}");
  CHECK(taken({1, -1}) == "f32 [4] {1, 2, 3, 4}");
  CHECK(taken({-2, {}}) == "f32 [2] {4, 5}");
  CHECK(taken({{}, {}, 2}) == "f32 [3] {0, 2, 4}");
  CHECK(taken({1, {}, 2}) == "f32 [3] {1, 3, 5}");
  CHECK(taken({{}, {}, -1}) == "f32 [6] {5, 4, 3, 2, 1, 0}");
  CHECK(taken({4, 0, -2}) == "f32 [2] {4, 2}");
  CHECK(taken({3, 3}) == "f32 [0] {}");
  CHECK_THROWS_WITH_AS(slice(x, {{2, 7}}), doctest::Contains("positions 2 to 6 of axis 0 are asked for, x [6] has 6"),
                       GraphError);
  CHECK_THROWS_WITH_AS(slice(x, {{}, {}}), doctest::Contains("2 ranges for the 1 axes of x [6]"), GraphError);
}

TEST_CASE("slices of symbolic axes have polynomials as extents") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), dim("n") * Dim(2)});
  CHECK(to_string(slice(x, {{2, {}}}).type()) == "f32 [n - 2, 2*n]");
  CHECK(to_string(slice(x, {{}, {{}, {}, 2}}).type()) == "f32 [n, n]");
  CHECK(to_string(slice(x, {{}, {1, {}, 2}}).type()) == "f32 [n, n]");
  CHECK(to_string(slice(x, {{{}, {}, -1}}).type()) == "f32 [n, 2*n]");
  CHECK(to_string(slice(x, {{0, dim("m")}}).type()) == "f32 [m, 2*n]");
  CHECK_THROWS_WITH_AS(slice(x, {{{}, {}, 2}}), doctest::Contains("depends on more than a polynomial says"),
                       GraphError);
}

TEST_CASE("a position that only a run finds outside fails the run") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  const Value first = slice(x, {{0, 3}});
  test::set_outputs(g, {first});
  for (const auto run : {test::interpret, test::jit}) {
    CHECK(run(g, {{"x", counted(4)}}, {})[0] == counted(3));
    CHECK_THROWS_WITH_AS(run(g, {{"x", counted(2)}}, {}),
                         doctest::Contains("position 2 of axis 0 is asked for, x has 2 there"), RunError);
    CHECK_THROWS_WITH_AS(run(g, {{"x", counted(0)}}, {}), doctest::Contains("x has 0 there"), RunError);
  }
}

TEST_CASE("a slice without elements that is padded reads nothing beyond its input") {
  // The interpreter refuses what is outside.
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 3});
  const Value beyond_last = pad(slice(x, {{}, {3, {}, 2}}), {0, 1}, {0, 1}, 7);
  const Value reversed = pad(slice(x, {{{}, {}, -1}, {}}), {1, 0}, {0, 0}, 5);
  test::set_outputs(g, {beyond_last, reversed});
  for (const auto run : {test::interpret, test::jit}) {
    const auto some = run(g, {{"x", Tensor::from<float>({1, 3}, {1, 2, 3})}}, {});
    CHECK(some[0] == Tensor::from<float>({1, 2}, {7, 7}));
    CHECK(some[1] == Tensor::from<float>({2, 3}, {5, 5, 5, 1, 2, 3}));
    const auto none = run(g, {{"x", Tensor(f32, {0, 3})}}, {});
    CHECK(none[0] == Tensor(f32, {0, 2}));
    CHECK(none[1] == Tensor::from<float>({1, 3}, {5, 5, 5}));
  }
}

TEST_CASE("pad surrounds with its value and refuses to cut") {
  Graph g;
  const Value x = constant(g, {1.0f, 2.0f});
  CHECK(evaluate(pad(x, {1}, {2}, -1)) == Tensor::from<float>({5}, {-1, 1, 2, -1, -1}));
  CHECK_THROWS_WITH_AS(pad(x, {-1}, {0}), doctest::Contains("slice it instead"), GraphError);
  CHECK_THROWS_WITH_AS(pad(x, {1, 1}, {0}), doctest::Contains("x [2] has 1 axes, low [1, 1] has 2"), GraphError);
}

TEST_CASE("the gradient of a slice lies where the slice was taken") {
  Graph g;
  const Value x = constant(g, counted(6));
  const Value y = square(slice(x, {{4, 0, -2}}));
  CHECK(evaluate(gradients({y}, {x})[0]) == Tensor::from<float>({6}, {0, 0, 4, 0, 8, 0}));
}
