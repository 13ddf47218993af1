#include <lathe/graph/graphviz.h>

#include <doctest/doctest.h>

#include "test_ops.h"

using namespace lathe;
using test::apply;

namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a drawing shows ops, names, types, scopes, gradients, control and outputs") {
  Graph g;
  const Value x = test::input(g, "x", {dim("n"), 3});
  Value y;
  {
    const Graph::Scope scope(g, "dense");
    y = apply(test::neg, {x});
  }
  const NodeId print = g.add({.op = test::print, .control = {y.id().node}});
  const Graph::Origin origin(g, y.id().node);
  apply(test::neg, {y});
  g.set_outputs({{"printed", {print, 0}}});
  const std::string text = to_graphviz(g);
  CHECK(text.starts_with("digraph G {"));
  CHECK(contains(text, "rankdir=BT"));
  CHECK(contains(text, "0 [label=\"test_placeholder\\nx\\nf32 [n, 3]\", style=\"filled\", fillcolor=\"white\"]"));
  CHECK(contains(text, "1 [label=\"test_neg\\ndense/test_neg\\nf32 [n, 3]\", style=\"filled\", fillcolor=\"#"));
  CHECK(contains(text, "peripheries=2"));
  CHECK(contains(text, "3 [label=\"test_neg\\ntest_neg\\nf32 [n, 3]\", style=\"filled,dashed\""));
  CHECK(contains(text, "1->0  [dir=back];"));
  CHECK(contains(text, "2->1  [dir=back, style=dotted];"));
}

TEST_CASE("nodes of one outermost scope share a colour, and scopes beside each other have different ones") {
  Graph g;
  const auto color = [&](std::string_view outer, std::string_view inner) {
    const Graph::Scope a(g, outer);
    const Graph::Scope b(g, inner);
    const std::string name = test::input(g, "x", {}).name();
    const std::string text = to_graphviz(g);
    const auto at = text.find("fillcolor=", text.find(name));
    return text.substr(at, text.find(']', at) - at);
  };
  const auto first = color("one", "a");
  CHECK(color("two", "a") != first);
  CHECK(color("three", "a") != first);
}

TEST_CASE("names cannot break out of their quotes") {
  Graph g;
  test::input(g, "a\"b\\c\nd", {});
  CHECK(contains(to_graphviz(g), "a\\\"b\\\\c\\nd"));
}
