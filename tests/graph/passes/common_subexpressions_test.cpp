#include <lathe/graph/passes/common_subexpressions.h>

#include <doctest/doctest.h>

#include <lathe/graph/text.h>

#include "../../support/golden.h"
#include "../test_ops.h"

using namespace lathe;

TEST_CASE("common subexpressions merge equal nodes, but never placeholders, variables, random numbers or effects") {
  test::check_golden("common_subexpressions.txt", eliminate_common_subexpressions);
}

TEST_CASE("all outputs of merged nodes merge") {
  Graph g;
  const Value x = test::input(g, "x", {});
  const NodeId first = g.add({.op = test::twice, .inputs = {x}});
  const NodeId second = g.add({.op = test::twice, .inputs = {x}});
  g.set_outputs({{"a", {first, 0}}, {"b", {second, 0}}, {"c", {second, 1}}});
  const Graph merged = eliminate_common_subexpressions(g);
  CHECK(merged.size() == 2);
  CHECK(merged.outputs()[1].value == merged.outputs()[0].value);
  CHECK(merged.outputs()[2].value == ValueId{NodeId{1}, 1});
}

TEST_CASE("a graph of different nodes stays as it is") {
  const Graph graph = parse_text(
      "%0 = placeholder() {dtype = f32, shape = [n]}\n"
      "%1 = neg(%0)\n"
      "%2 = exp(%0)\n"
      "output y = %1\n");
  CHECK(same_structure(eliminate_common_subexpressions(graph), graph));
}
