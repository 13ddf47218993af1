#include <lathe/runtime/feed_check.h>

#include <array>
#include <utility>

#include <doctest/doctest.h>

#include <lathe/ops/concat.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/source.h>

using namespace lathe;

namespace {

struct Check {
  Graph graph;
  std::vector<ValueId> feeds;
  Bindings bindings;

  Value expect(std::string_view name, DType dtype, Shape shape) {
    return expect(placeholder(graph, name, dtype, std::move(shape)));
  }
  Value expect(Value value) {
    feeds.push_back(value.id());
    return value;
  }
  void bind(const std::vector<TensorView>& views) { FeedCheck(graph, feeds).bind(views, bindings); }
};

std::string described(const Value& value) {
  return "the " + describe(value.node());
}

}  // namespace

TEST_CASE("feeds bind the symbols of their extents") {
  Check check;
  check.expect("images", u8, {dim("batch"), 784});
  check.expect("labels", u8, {dim("batch")});
  check.bind({Tensor(u8, {32, 784}), Tensor(u8, {32})});
  CHECK(check.bindings.find(symbol("batch")) == 32);
  check.bind({Tensor(u8, {0, 784}), Tensor(u8, {0})});
  CHECK(check.bindings.find(symbol("batch")) == 0);
}

TEST_CASE("a wrong extent is an error that names the axis") {
  Check check;
  const Value images = check.expect("images", f32, {dim("batch"), 784});
  CHECK_THROWS_WITH_AS(
      check.bind({Tensor(f32, {32, 783})}),
      ("fed [32, 783] but " + described(images) + " is f32 [batch, 784]: axis 1 is 783, not 784").c_str(), RunError);
}

TEST_CASE("a wrong rank and a wrong dtype are errors that show both sides") {
  Check check;
  const Value images = check.expect("images", f32, {dim("batch"), 784});
  CHECK_THROWS_WITH_AS(
      check.bind({Tensor(f32, {32, 28, 28})}),
      ("fed f32 [32, 28, 28] but " + described(images) + " is f32 [batch, 784]: the rank is 3, not 2").c_str(),
      RunError);
  CHECK_THROWS_WITH_AS(
      check.bind({Tensor(u8, {32, 784})}),
      ("fed u8 [32, 784] but " + described(images) + " is f32 [batch, 784]: the elements are u8, not f32").c_str(),
      RunError);
}

TEST_CASE("two feeds that disagree about a symbol are an error that names both") {
  Check check;
  const Value images = check.expect("images", f32, {dim("batch"), 784});
  const Value labels = check.expect("labels", u8, {dim("batch")});
  CHECK_THROWS_WITH_AS(check.bind({Tensor(f32, {32, 784}), Tensor(u8, {31})}),
                       ("the feeds disagree about 'batch': it is 32 by axis 0 of " + described(images) +
                        ", and 31 by axis 0 of " + described(labels))
                           .c_str(),
                       RunError);
}

TEST_CASE("a feed must not disagree with itself either") {
  Check check;
  const Value square = check.expect("square", f32, {dim("n"), dim("n")});
  CHECK_THROWS_WITH_AS(check.bind({Tensor(f32, {3, 4})}),
                       ("the feeds disagree about 'n': it is 3 by axis 0 of " + described(square) +
                        ", and 4 by axis 1 of " + described(square))
                           .c_str(),
                       RunError);
}

TEST_CASE("symbols that the graph has made equal must be fed equal extents") {
  Check check;
  check.expect("a", f32, {dim("rows")});
  check.expect("b", f32, {dim("lines")});
  REQUIRE(check.graph.unify(dim("rows"), dim("lines")));
  CHECK_THROWS_AS(check.bind({Tensor(f32, {3}), Tensor(f32, {4})}), RunError);
  check.bind({Tensor(f32, {3}), Tensor(f32, {3})});
  CHECK(check.graph.resolve(dim("rows")).evaluate(check.bindings) == 3);
  CHECK(check.graph.resolve(dim("lines")).evaluate(check.bindings) == 3);
}

TEST_CASE("a symbol that the graph has found to be a number must be fed that number") {
  Check check;
  check.expect("x", f32, {dim("width")});
  REQUIRE(check.graph.unify(dim("width"), 784));
  CHECK_THROWS_AS(check.bind({Tensor(f32, {783})}), RunError);
  check.bind({Tensor(f32, {784})});
}

TEST_CASE("a derived extent determines its symbol where it is linear") {
  Check check;
  const Value x = placeholder(check.graph, "x", f32, {dim("n"), 4});
  const Value flat = check.expect(reshape(x, {None}));
  REQUIRE(to_string(flat.type()) == "f32 [4*n]");
  check.bind({Tensor(f32, {12})});
  CHECK(check.bindings.find(symbol("n")) == 3);
  CHECK_THROWS_WITH_AS(check.bind({Tensor(f32, {13})}),
                       ("fed [13] but " + described(flat) + " is f32 [4*n]: axis 0 is 13, not 4*n for any n").c_str(),
                       RunError);
}

TEST_CASE("a derived extent must agree with symbols that are known") {
  Check check;
  const Value x = check.expect("x", f32, {dim("n")});
  const Value y = check.expect("y", f32, {dim("m")});
  const Value joined = check.expect(concat({x, y}, 0));
  check.bind({Tensor(f32, {2}), Tensor(f32, {3}), Tensor(f32, {5})});
  CHECK_THROWS_WITH_AS(
      check.bind({Tensor(f32, {2}), Tensor(f32, {3}), Tensor(f32, {6})}),
      ("fed [6] but " + described(joined) + " is f32 [m + n]: axis 0 is 6, not m + n = 5 (m = 3, n = 2)").c_str(),
      RunError);
}

TEST_CASE("an extent that leaves a symbol open is an error that names it") {
  Check check;
  const Value x = placeholder(check.graph, "x", f32, {dim("n")});
  const Value y = placeholder(check.graph, "y", f32, {dim("m")});
  const Value joined = check.expect(concat({x, y}, 0));
  CHECK_THROWS_AS(check.bind({Tensor(f32, {5})}), RunError);
  check.expect(y);
  check.bind({Tensor(f32, {5}), Tensor(f32, {3})});
  CHECK(check.bindings.find(symbol("n")) == 2);
  CHECK_THROWS_WITH_AS(
      check.bind({Tensor(f32, {2}), Tensor(f32, {3})}),
      ("fed [2] but " + described(joined) + " is f32 [m + n]: axis 0 is 2, not m + n for any n").c_str(), RunError);
}

TEST_CASE("feeding a value twice is an error that names it") {
  Check check;
  const Value x = check.expect("x", f32, {2});
  check.expect(x);
  CHECK_THROWS_WITH_AS(check.bind({Tensor(f32, {2}), Tensor(f32, {2})}), (described(x) + " is fed twice").c_str(),
                       RunError);
}

TEST_CASE("data that is absent or not aligned to its elements is an error") {
  Check check;
  check.expect("x", f32, {2});
  const std::array<std::int64_t, 1> shape{2};
  CHECK_THROWS_AS(check.bind({TensorView{f32, shape, nullptr}}), RunError);
  const Tensor tensor(f32, {4});
  CHECK_THROWS_AS(check.bind({TensorView{f32, shape, tensor.bytes().data() + 1}}), RunError);
  check.bind({TensorView{f32, shape, tensor.bytes().data() + 4}});
}

TEST_CASE("the number of tensors must be the number of feeds") {
  Check check;
  check.expect("x", f32, {2});
  CHECK_THROWS_WITH_AS(check.bind({}), "0 tensors fed where 1 is expected", RunError);
}
