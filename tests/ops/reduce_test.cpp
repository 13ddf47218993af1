#include <lathe/ops/reduce.h>

#include <doctest/doctest.h>

#include <lathe/ops/argmax.h>
#include <lathe/ops/gradients.h>
#include <lathe/ops/source.h>

using namespace lathe;

TEST_CASE("reductions drop the named axes or keep them as 1, and no axes means all") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 3, 4});
  CHECK(to_string(sum(x).type()) == "f32 []");
  CHECK(to_string(sum(x, {0}).type()) == "f32 [3, 4]");
  CHECK(to_string(sum(x, {-1, 0}).type()) == "f32 [3]");
  CHECK(to_string(mean(x, {1}, true).type()) == "f32 [n, 1, 4]");
  CHECK(to_string(reduce_max(x, {}, true).type()) == "f32 [1, 1, 1]");
  CHECK(to_string(argmax(x).type()) == "i64 [n, 3]");
  CHECK(to_string(argmin(x, 1, true).type()) == "i64 [n, 1, 4]");
}

TEST_CASE("sums of integers and bools are counted in i64") {
  Graph g;
  CHECK(sum(placeholder(g, "u", u8, {3})).dtype() == i64);
  CHECK(sum(placeholder(g, "b", boolean, {3})).dtype() == i64);
  CHECK(prod(placeholder(g, "i", i32, {3})).dtype() == i64);
  CHECK(reduce_max(placeholder(g, "m", u8, {3})).dtype() == u8);
}

TEST_CASE("reductions refuse axes that do not exist or come twice") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2, 3});
  CHECK_THROWS_WITH_AS(sum(x, {2}), doctest::Contains("axis 2 is outside [-2, 2): the input has rank 2"), GraphError);
  CHECK_THROWS_WITH_AS(sum(x, {0, -2}), doctest::Contains("axis 0 is named twice in [0, -2]"), GraphError);
  CHECK_THROWS_WITH_AS(sum(sum(x), {0}), doctest::Contains("a scalar has no axis 0"), GraphError);
}

TEST_CASE("gradients of reductions have the input's type, symbols included") {
  Graph g;
  const Value x = placeholder(g, "x", f64, {dim("n"), 3, dim("m")});
  for (const bool keep_dims : {false, true}) {
    for (const std::vector<std::int64_t>& axes : std::vector<std::vector<std::int64_t>>{{}, {0}, {1, 2}, {-1, 0}}) {
      const Values ys = {sum(x, axes, keep_dims), mean(x, axes, keep_dims), prod(x, axes, keep_dims),
                         reduce_max(x, axes, keep_dims), reduce_min(x, axes, keep_dims)};
      for (const Value& y : ys) {
        const Value dx = gradients({y}, {x})[0];
        CHECK(dx.type() == x.type());
        CHECK(gradients({dx}, {x})[0].type() == x.type());
      }
    }
  }
}

TEST_CASE("argmax over an axis known to be empty is an error") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2, 0});
  CHECK_THROWS_WITH_AS(argmax(x), doctest::Contains("axis 1 of x [2, 0] is empty"), GraphError);
}
