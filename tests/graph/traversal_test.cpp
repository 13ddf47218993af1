#include <lathe/graph/traversal.h>

#include <algorithm>
#include <array>

#include <doctest/doctest.h>

#include "test_ops.h"

using namespace lathe;
using test::apply;

namespace {

std::vector<NodeId> members(const Graph& graph, const NodeSet& set) {
  std::vector<NodeId> ids = graph.node_ids();
  std::erase_if(ids, [&](NodeId id) { return !set.contains(id); });
  return ids;
}

}  // namespace

TEST_CASE("topological order puts inputs and control before uses, even when the nodes' own order is broken") {
  Graph g;
  const Value a = test::input(g, "a", {});
  const Value b = apply(test::neg, {a});
  const Value c = apply(test::neg, {b});
  const NodeId print = g.add({.op = test::print});
  CHECK(topological_order(g).size() == 4);
  test::open(g, a.id().node).control = {print};
  const auto order = topological_order(g);
  const auto position = [&](NodeId id) { return std::find(order.begin(), order.end(), id) - order.begin(); };
  CHECK(position(print) < position(a.id().node));
  CHECK(position(a.id().node) < position(b.id().node));
  CHECK(position(b.id().node) < position(c.id().node));
}

TEST_CASE("an empty graph has an empty order and no cycles") {
  CHECK(topological_order(Graph()).empty());
  CHECK(cycles(Graph()).empty());
  CHECK(live_nodes(Graph()).count() == 0);
}

TEST_CASE("dependencies and dependents follow inputs and control") {
  Graph g;
  const Value a = test::input(g, "a", {});
  const Value b = test::input(g, "b", {});
  const NodeId print = g.add({.op = test::print, .inputs = {b}});
  const NodeId c = g.add({.op = test::neg, .inputs = {a}, .control = {print}});
  const Value unrelated = test::input(g, "unrelated", {});
  const NodeId an = a.id().node;
  const NodeId bn = b.id().node;
  CHECK(members(g, dependencies(g, std::array{c})) == std::vector{an, bn, print, c});
  CHECK(members(g, dependencies(g, std::array{print})) == std::vector{bn, print});
  CHECK(members(g, dependents(g, std::array{bn})) == std::vector{bn, print, c});
  CHECK(members(g, dependents(g, std::array{an, bn})) == std::vector{an, bn, print, c});
  CHECK(members(g, dependencies(g, {})).empty());
  CHECK_FALSE(dependencies(g, std::array{c}).contains(unrelated.id().node));
}

TEST_CASE("what outputs depend on is live") {
  Graph g;
  const Value a = test::input(g, "a", {});
  const Value dead = apply(test::neg, {a});
  const Value alive = apply(test::neg, {a});
  CHECK(live_nodes(g).count() == 0);
  test::deliver(g, {alive, alive});
  CHECK(members(g, live_nodes(g)) == std::vector{a.id().node, alive.id().node});
  CHECK_FALSE(live_nodes(g).contains(dead.id().node));
}

TEST_CASE("cycles are found and named, of one node too") {
  Graph g;
  const Value a = test::input(g, "a", {});
  const Value b = apply(test::neg, {a});
  const Value c = apply(test::neg, {b});
  CHECK(cycles(g).empty());
  test::open(g, b.id().node).inputs = {c.id()};
  CHECK(cycles(g) == std::vector<std::vector<NodeId>>{{b.id().node, c.id().node}});
  CHECK_THROWS_AS(topological_order(g), std::logic_error);
  test::open(g, b.id().node).inputs = {b.id()};
  CHECK(cycles(g) == std::vector<std::vector<NodeId>>{{b.id().node}});
}

TEST_CASE("walking a graph as deep as it is long needs no deep stack") {
  Graph g;
  const Value first = test::input(g, "x", {});
  Value last = first;
  constexpr std::size_t depth = 100000;
  for (std::size_t i = 0; i < depth; ++i) last = apply(test::neg, {last});
  CHECK(topological_order(g).size() == depth + 1);
  CHECK(dependencies(g, std::array{last.id().node}).count() == depth + 1);
  CHECK(dependents(g, std::array{first.id().node}).count() == depth + 1);
}
