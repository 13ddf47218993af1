#include <lathe/ops/gather.h>

#include <doctest/doctest.h>

#include <lathe/ops/gradients.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/session.h>

using namespace lathe;

TEST_CASE("gather puts the shape of the indices in the axis's place") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2, 7, 3});
  const Value i = placeholder(g, "i", i32, {dim("n"), 4});
  CHECK(to_string(gather(x, i).type()) == "f32 [n, 4, 7, 3]");
  CHECK(to_string(gather(x, i, 1).type()) == "f32 [2, n, 4, 3]");
  CHECK(to_string(gather(x, i, -1).type()) == "f32 [2, 7, n, 4]");
}

TEST_CASE("gradients of gather have the input's type along every axis and to second order") {
  for (const int axis : {0, 1, 2}) {
    Graph g;
    const Value x = placeholder(g, "x", f64, {2, dim("m"), 3});
    const Value i = placeholder(g, "i", i64, {dim("n")});
    const Value dy = placeholder(g, "dy", f64, gather(x, i, axis).shape());
    const Value dx = gradients({gather(x, i, axis)}, {x}, {dy})[0];
    CHECK(dx.type() == x.type());
    CHECK(gradients({dx}, {dy})[0].type() == dy.type());
  }
}

TEST_CASE("scatter_add passes its gradient to the base as it is and gathers it for the updates") {
  Graph g;
  const Value base = placeholder(g, "base", f32, {5, 3});
  const Value i = placeholder(g, "i", i64, {2});
  const Value updates = placeholder(g, "updates", f32, {2, 3});
  const Value dy = placeholder(g, "dy", f32, {5, 3});
  const Values grads = gradients({scatter_add(base, i, updates)}, {base, updates}, {dy});
  CHECK(grads[0] == dy);
  CHECK(grads[1].node().op == &op::gather);
}

TEST_CASE("scatter_add says which shape the updates should have") {
  Graph g;
  const Value base = placeholder(g, "base", f32, {5, 3});
  const Value i = placeholder(g, "i", i64, {2});
  CHECK_THROWS_WITH_AS(scatter_add(base, i, placeholder(g, "updates", f32, {2, 4})),
                       doctest::Contains("updates [2, 4] do not fit: base [5, 3] and indices [2] need [2, 3]"),
                       GraphError);
}

TEST_CASE("an index outside the axis fails the run and is named, for gather, scatter_add and in gradients") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {5, 2});
  const Value i = placeholder(g, "i", i64, {dim("n")});
  const Value updates = placeholder(g, "updates", f32, {dim("n"), 2});
  const Values ys = {gather(x, i), scatter_add(x, i, updates), gradients({gather(x, i)}, {x}, {updates})[0]};
  Session session(g, {.threads = 1, .interpret = true});
  const Tensor data(f32, {5, 2});
  const Tensor added(f32, {3, 2});
  for (const Value& y : ys) {
    for (const std::int64_t wrong : {-1, 5}) {
      const Tensor indices = Tensor::from<std::int64_t>({3}, {0, 4, wrong});
      const std::string expected = "index " + std::to_string(wrong) + " at position 2 is outside [0, 5)";
      std::vector<Feed> feeds = {{i, indices}};
      if (y != ys[2]) feeds.push_back({x, data});
      if (y != ys[0]) feeds.push_back({updates, added});
      CHECK_THROWS_WITH_AS(session.run(y, feeds), doctest::Contains(expected.c_str()), RunError);
    }
  }
}
