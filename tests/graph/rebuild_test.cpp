#include <lathe/graph/rebuild.h>

#include <array>

#include <doctest/doctest.h>

#include <lathe/graph/text.h>
#include <lathe/graph/verify.h>

#include "test_ops.h"

using namespace lathe;
using test::apply;

TEST_CASE("copying every node gives the same graph") {
  Graph g;
  const Value x = test::input(g, "x", {g.fresh_symbol()});
  const Value w = test::input(g, "w", {dim("n")});
  const Value y = apply(test::add, {x, w});
  const NodeId print = g.add({.op = test::print, .inputs = {y}, .control = {x.id().node}});
  {
    const Graph::Origin origin(g, y.id().node);
    apply(test::neg, {y});
  }
  g.next_stream();
  g.set_outputs({{"y", y.id()}, {"printed", {print, 0}}});
  Rebuild rebuild(g);
  for (const NodeId id : g.node_ids()) rebuild.copy(id);
  const Graph copy = rebuild.finish();
  CHECK(same_structure(copy, g));
  verify(copy);
}

TEST_CASE("uses, control edges and outputs follow a replacement") {
  Graph g;
  const Value x = test::input(g, "x", {});
  const Value y = apply(test::neg, {x});
  const Value z = apply(test::neg, {y});
  g.add({.op = test::print, .inputs = {y}, .control = {y.id().node, x.id().node}});
  g.set_outputs({{"y", y.id()}, {"z", z.id()}});
  Rebuild rebuild(g);
  rebuild.copy(x.id().node);
  rebuild.replace(y.id().node, std::array{rebuild.value(x.id())});
  rebuild.copy(z.id().node);
  rebuild.copy(NodeId{3});
  const Graph after = rebuild.finish();
  verify(after);
  CHECK(after.size() == 3);
  CHECK(after.node(NodeId{1}).inputs == std::vector{ValueId{NodeId{0}, 0}});
  CHECK(after.node(NodeId{2}).control == std::vector{NodeId{0}});
  CHECK(after.outputs()[0].value == ValueId{NodeId{0}, 0});
}

TEST_CASE("dropping a node that is needed, or replacing it by another type, is our own bug") {
  Graph g;
  const Value x = test::input(g, "x", {});
  const Value y = apply(test::neg, {x});
  test::deliver(g, {y});
  Rebuild dropping(g);
  CHECK_THROWS_AS(dropping.copy(y.id().node), std::logic_error);
  CHECK_THROWS_AS(dropping.finish(), std::logic_error);
  Rebuild retyping(g);
  retyping.copy(x.id().node);
  const Value wrong = test::input(retyping.graph(), "wrong", {2});
  CHECK_THROWS_AS(retyping.replace(y.id().node, std::array{wrong}), std::logic_error);
  CHECK_THROWS_AS(retyping.replace(y.id().node, {}), std::logic_error);
}

TEST_CASE("nodes made in place of another take its line, origin and name, and never another node's name") {
  Graph g;
  const Value x = test::input(g, "x", {});
  const Value y = g.apply({.op = test::neg, .inputs = {x}, .name = "y", .where = SourceLine("model.cpp", 7)});
  {
    const Graph::Origin origin(g, y.id().node);
    g.apply({.op = test::neg, .inputs = {y}, .name = "dy"});
  }
  g.apply({.op = test::variable, .attributes = {{"shape", Shape{}}}, .name = "dy_1"});
  Rebuild rebuild(g);
  rebuild.copy(x.id().node);
  rebuild.copy(y.id().node);
  {
    const Graph::InPlaceOf in_place(rebuild.graph(), g, NodeId{2});
    const Value first = apply(test::neg, {rebuild.value(y.id())});
    const Value second = apply(test::neg, {first});
    CHECK(first.name() == "dy");
    CHECK(second.name() == "dy_2");
    CHECK(second.node().where == SourceLine("model.cpp", 7));
    CHECK(second.node().forward == "y");
    rebuild.replace(NodeId{2}, std::array{second});
  }
  rebuild.copy(NodeId{3});
  CHECK(rebuild.finish().find("dy_1") == NodeId{4});
}
