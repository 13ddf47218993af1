// The rewrites that ops list: each applies where it is exact and nowhere else.
#include <doctest/doctest.h>

#include <lathe/graph/passes/simplify.h>
#include <lathe/ops/arithmetic.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/concat.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/source.h>

#include "../support/run_graph.h"

using namespace lathe;

namespace {

/// What the simplified graph's output is: "x", or the op's name.
std::string simplified(const Value& y) {
  test::set_outputs(y.graph(), {y});
  const Graph after = simplify(y.graph());
  const Node& node = after.node(after.outputs()[0].value.node);
  return node.op->name == "placeholder" ? node.name : node.op->name;
}

}  // namespace

TEST_CASE("arithmetic with neutral numbers goes away where the bits stay") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  const Value k = placeholder(g, "k", i32, {dim("n")});
  CHECK(simplified(x * 1) == "x");
  CHECK(simplified(1 * x) == "x");
  CHECK(simplified(x / 1) == "x");
  CHECK(simplified(x - 0) == "x");
  CHECK(simplified(x + -0.0) == "x");
  CHECK(simplified(pow(x, 1)) == "x");
  CHECK(simplified(k + 0) == "k");
  CHECK(simplified(-(-x)) == "x");
  CHECK(simplified((x * 1 - 0) / 1) == "x");
}

TEST_CASE("arithmetic that could change a bit or the shape stays") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  CHECK(simplified(x + 0) == "add");     // -0 would become 0
  CHECK(simplified(x - -0.0) == "sub");  // so here
  CHECK(simplified(0 - x) == "sub");     // 0 - 0 is 0, -0 is not
  CHECK(simplified(x * 0) == "mul");     // NaN
  CHECK(simplified(1 / x) == "div");
  CHECK(simplified(x * fill(g, {2, 1}, 1)) == "mul");  // broadcasts
}

TEST_CASE("views that lead back go away and chains of them shorten") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 4});
  CHECK(simplified(transpose(transpose(x))) == "x");
  CHECK(simplified(transpose(x, {0, 1})) == "x");
  CHECK(simplified(reshape(reshape(x, {None, 2}), {dim("n"), 4})) == "x");
  CHECK(simplified(squeeze(expand_dims(x, 1), {1})) == "x");
  CHECK(simplified(expand_dims(squeeze(expand_dims(x, 1), {1}), 0)) == "expand_dims");
  CHECK(simplified(slice(x, {})) == "x");
  CHECK(simplified(pad(x, {0, 0}, {0, 0})) == "x");
  CHECK(simplified(concat({x}, 0)) == "x");
  CHECK(simplified(broadcast_to(x, {dim("n"), 4})) == "x");
  CHECK(simplified(slice(x, {{{}, {}, -1}})) == "slice");
  test::set_outputs(g, {reshape(reshape(x, {None, 2}), {2, None})});
  const Graph after = simplify(g);
  const Node& last = after.node(after.outputs()[0].value.node);
  CHECK(after.node(last.inputs[0].node).name == "x");
}

TEST_CASE("identities, casts to the same dtype and known choices go away") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {3});
  const Value y = placeholder(g, "y", f32, {3});
  const Value b = placeholder(g, "b", boolean, {3});
  CHECK(simplified(identity(x)) == "x");
  CHECK(simplified(stop_gradient(x)) == "x");
  CHECK(cast(x, f32) == x);
  CHECK(simplified(select(constant(g, true), x, y)) == "x");
  CHECK(simplified(select(fill(g, {3}, 0, boolean), x, y)) == "y");
  CHECK(simplified(select(b, x, x)) == "x");
  CHECK(simplified(~~b) == "b");
  CHECK(simplified(b & true) == "b");
  CHECK(simplified(b | false) == "b");
  CHECK(simplified(b | true) == "logical_or");
  CHECK(simplified(relu(relu(x))) == "relu");
}
