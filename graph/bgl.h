#pragma once

// Makes `const Graph` a model of Boost.Graph's VertexListGraph, EdgeListGraph, BidirectionalGraph and AdjacencyGraph
// without copying it. A vertex is a node, and an edge leads from a node to one that it depends on, through an input or
// through control; parallel edges are kept. So boost::topological_sort emits inputs before uses.
//
// Only the light headers are included here; a .cpp that needs an algorithm includes that algorithm's header.

#include <utility>

#include <boost/graph/graph_traits.hpp>
#include <boost/graph/properties.hpp>
#include <boost/iterator/counting_iterator.hpp>
#include <boost/iterator/iterator_facade.hpp>
#include <boost/iterator/transform_iterator.hpp>
#include <boost/property_map/property_map.hpp>

#include <lathe/graph/graph.h>

namespace lathe::bgl {

struct ToNode {
  NodeId operator()(std::uint32_t index) const { return static_cast<NodeId>(index); }
};
using VertexIterator = boost::transform_iterator<ToNode, boost::counting_iterator<std::uint32_t>, NodeId, NodeId>;

struct ToEdge {
  NodeId user{};
  Edge operator()(std::uint32_t slot) const { return {user, slot}; }
};
using OutEdgeIterator = boost::transform_iterator<ToEdge, boost::counting_iterator<std::uint32_t>, Edge, Edge>;
using InEdgeIterator = std::span<const Edge>::iterator;

struct ToUsed {
  const Graph* graph = nullptr;
  NodeId operator()(Edge edge) const { return graph->used(edge); }
};
using AdjacencyIterator = boost::transform_iterator<ToUsed, OutEdgeIterator, NodeId, NodeId>;

/// All edges, user by user.
class EdgeIterator : public boost::iterator_facade<EdgeIterator, Edge, boost::forward_traversal_tag, Edge> {
 public:
  EdgeIterator() = default;
  EdgeIterator(const Graph& graph, NodeId user) : graph_(&graph), edge_{user, 0} { skip_finished(); }

 private:
  friend class boost::iterator_core_access;
  Edge dereference() const { return edge_; }
  bool equal(const EdgeIterator& other) const { return edge_ == other.edge_; }
  void increment() {
    ++edge_.slot;
    skip_finished();
  }
  void skip_finished();

  const Graph* graph_ = nullptr;
  Edge edge_;
};

/// A node's position, as BGL's vertex index.
struct IndexMap : boost::put_get_helper<std::size_t, IndexMap> {
  using key_type = NodeId;
  using value_type = std::size_t;
  using reference = std::size_t;
  using category = boost::readable_property_map_tag;
  std::size_t operator[](NodeId id) const { return static_cast<std::size_t>(id); }
};

}  // namespace lathe::bgl

namespace boost {

template <>
struct graph_traits<lathe::Graph> {
  struct traversal_category : vertex_list_graph_tag,
                              edge_list_graph_tag,
                              bidirectional_graph_tag,
                              adjacency_graph_tag {};
  using vertex_descriptor = lathe::NodeId;
  using edge_descriptor = lathe::Edge;
  using directed_category = bidirectional_tag;
  using edge_parallel_category = allow_parallel_edge_tag;
  using vertices_size_type = std::size_t;
  using edges_size_type = std::size_t;
  using degree_size_type = std::size_t;
  using vertex_iterator = lathe::bgl::VertexIterator;
  using edge_iterator = lathe::bgl::EdgeIterator;
  using out_edge_iterator = lathe::bgl::OutEdgeIterator;
  using in_edge_iterator = lathe::bgl::InEdgeIterator;
  using adjacency_iterator = lathe::bgl::AdjacencyIterator;
  static vertex_descriptor null_vertex() { return static_cast<lathe::NodeId>(-1); }
};

template <>
struct graph_traits<const lathe::Graph> : graph_traits<lathe::Graph> {};

template <>
struct property_map<lathe::Graph, vertex_index_t> {
  using type = lathe::bgl::IndexMap;
  using const_type = lathe::bgl::IndexMap;
};

}  // namespace boost

// Where argument-dependent look-up finds them.
namespace lathe {

inline std::size_t num_vertices(const Graph& graph) {
  return graph.size();
}

inline std::pair<bgl::VertexIterator, bgl::VertexIterator> vertices(const Graph& graph) {
  const auto at = [](std::size_t index) {
    return bgl::VertexIterator(boost::counting_iterator<std::uint32_t>(static_cast<std::uint32_t>(index)));
  };
  return {at(0), at(graph.size())};
}

inline std::size_t out_degree(NodeId id, const Graph& graph) {
  return graph.node(id).inputs.size() + graph.node(id).control.size();
}

inline std::pair<bgl::OutEdgeIterator, bgl::OutEdgeIterator> out_edges(NodeId id, const Graph& graph) {
  const auto at = [&](std::size_t slot) {
    return bgl::OutEdgeIterator(boost::counting_iterator<std::uint32_t>(static_cast<std::uint32_t>(slot)),
                                bgl::ToEdge{id});
  };
  return {at(0), at(out_degree(id, graph))};
}

inline std::size_t in_degree(NodeId id, const Graph& graph) {
  return graph.users(id).size();
}

inline std::pair<bgl::InEdgeIterator, bgl::InEdgeIterator> in_edges(NodeId id, const Graph& graph) {
  const auto users = graph.users(id);
  return {users.begin(), users.end()};
}

inline std::size_t degree(NodeId id, const Graph& graph) {
  return out_degree(id, graph) + in_degree(id, graph);
}

inline NodeId source(Edge edge, const Graph&) {
  return edge.user;
}
inline NodeId target(Edge edge, const Graph& graph) {
  return graph.used(edge);
}

inline std::pair<bgl::AdjacencyIterator, bgl::AdjacencyIterator> adjacent_vertices(NodeId id, const Graph& graph) {
  const auto [first, last] = out_edges(id, graph);
  return {{first, bgl::ToUsed{&graph}}, {last, bgl::ToUsed{&graph}}};
}

inline void bgl::EdgeIterator::skip_finished() {
  while (static_cast<std::size_t>(edge_.user) < graph_->size() && edge_.slot == out_degree(edge_.user, *graph_)) {
    edge_ = {static_cast<NodeId>(static_cast<std::uint32_t>(edge_.user) + 1), 0};
  }
}

inline std::pair<bgl::EdgeIterator, bgl::EdgeIterator> edges(const Graph& graph) {
  return {{graph, NodeId{}}, {graph, static_cast<NodeId>(graph.size())}};
}

inline std::size_t num_edges(const Graph& graph) {
  std::size_t count = 0;
  for (const NodeId id : graph.node_ids()) count += out_degree(id, graph);
  return count;
}

inline bgl::IndexMap get(boost::vertex_index_t, const Graph&) {
  return {};
}
inline std::size_t get(boost::vertex_index_t, const Graph&, NodeId id) {
  return static_cast<std::size_t>(id);
}

}  // namespace lathe
