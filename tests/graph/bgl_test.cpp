#include <lathe/graph/bgl.h>

#include <algorithm>

#include <doctest/doctest.h>
#include <boost/graph/breadth_first_search.hpp>
#include <boost/graph/graph_concepts.hpp>

#include "test_ops.h"

using namespace lathe;
using test::apply;

namespace {

/// x -> y = x + x -> z = neg(y), printed after x.
struct Small {
  Graph graph;
  NodeId x, y, z, print;

  Small() {
    const Value in = test::input(graph, "x", {});
    const Value sum = apply(test::add, {in, in});
    x = in.id().node;
    y = sum.id().node;
    z = apply(test::neg, {sum}).id().node;
    print = graph.add({.op = test::print, .inputs = {sum}, .control = {x}});
  }
};

template <class Iterator>
auto collect(std::pair<Iterator, Iterator> range) {
  return std::vector<typename std::iterator_traits<Iterator>::value_type>(range.first, range.second);
}

}  // namespace

TEST_CASE("a graph is a model of Boost.Graph's concepts") {
  boost::function_requires<boost::VertexListGraphConcept<Graph>>();
  boost::function_requires<boost::EdgeListGraphConcept<Graph>>();
  boost::function_requires<boost::BidirectionalGraphConcept<Graph>>();
  boost::function_requires<boost::AdjacencyGraphConcept<Graph>>();
  boost::function_requires<boost::ReadablePropertyMapConcept<bgl::IndexMap, NodeId>>();
}

TEST_CASE("vertices are the nodes in order") {
  const Small small;
  CHECK(num_vertices(small.graph) == 4);
  CHECK(collect(vertices(small.graph)) == small.graph.node_ids());
  CHECK(collect(vertices(Graph())).empty());
}

TEST_CASE("edges lead from a node to what it depends on, inputs first, then control") {
  const Small small;
  CHECK(collect(adjacent_vertices(small.print, small.graph)) == std::vector{small.y, small.x});
  CHECK(collect(adjacent_vertices(small.y, small.graph)) == std::vector{small.x, small.x});
  CHECK(collect(out_edges(small.z, small.graph)) == std::vector{Edge{small.z, 0}});
  CHECK(source(Edge{small.print, 1}, small.graph) == small.print);
  CHECK(target(Edge{small.print, 1}, small.graph) == small.x);
  CHECK(out_degree(small.print, small.graph) == 2);
}

TEST_CASE("in-edges are the uses of a node") {
  const Small small;
  CHECK(collect(in_edges(small.x, small.graph)) == std::vector<Edge>{{small.y, 0}, {small.y, 1}, {small.print, 1}});
  CHECK(in_degree(small.x, small.graph) == 3);
  CHECK(degree(small.y, small.graph) == 4);
}

TEST_CASE("the edge list holds every edge once, whichever nodes have none") {
  const Small small;
  const auto all = collect(edges(small.graph));
  CHECK(all.size() == num_edges(small.graph));
  CHECK(all == std::vector<Edge>{{small.y, 0}, {small.y, 1}, {small.z, 0}, {small.print, 0}, {small.print, 1}});
  CHECK(collect(edges(Graph())).empty());
}

TEST_CASE("an algorithm of Boost.Graph runs on a graph as it is") {
  const Small small;
  std::vector<NodeId> reached;
  std::vector<boost::default_color_type> colors(small.graph.size());
  struct Collect : boost::default_bfs_visitor {
    std::vector<NodeId>* nodes;
    void discover_vertex(NodeId id, const Graph&) const { nodes->push_back(id); }
  } visitor;
  visitor.nodes = &reached;
  boost::breadth_first_search(
      small.graph, small.z,
      boost::visitor(visitor).color_map(boost::make_iterator_property_map(colors.begin(), bgl::IndexMap{})));
  CHECK(reached == std::vector{small.z, small.y, small.x});
}
