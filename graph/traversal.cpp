#include <lathe/graph/traversal.h>

#include <algorithm>

#include <boost/graph/depth_first_search.hpp>
#include <boost/graph/reverse_graph.hpp>
#include <boost/graph/strong_components.hpp>
#include <boost/graph/topological_sort.hpp>

#include <lathe/graph/bgl.h>

namespace lathe {
namespace {

using Colors = std::vector<boost::default_color_type>;

/// Everything that can be reached from `roots` along the edges of `view`, which has the vertices of `graph`.
template <class View>
NodeSet reach(const Graph& graph, const View& view, std::span<const NodeId> roots) {
  Colors colors(graph.size());
  const auto color = boost::make_iterator_property_map(colors.begin(), bgl::IndexMap{});
  for (const NodeId root : roots) {
    if (get(color, root) == boost::white_color) {
      boost::depth_first_visit(view, root, boost::default_dfs_visitor{}, color);
    }
  }
  NodeSet reached(graph);
  for (const NodeId id : graph.node_ids()) {
    if (get(color, id) != boost::white_color) reached.insert(id);
  }
  return reached;
}

}  // namespace

std::size_t NodeSet::count() const {
  return static_cast<std::size_t>(std::count(members_.begin(), members_.end(), true));
}

std::vector<NodeId> topological_order(const Graph& graph) {
  std::vector<NodeId> order;
  order.reserve(graph.size());
  Colors colors(graph.size());
  try {
    boost::topological_sort(graph, std::back_inserter(order),
                            boost::color_map(boost::make_iterator_property_map(colors.begin(), bgl::IndexMap{})));
  } catch (const boost::not_a_dag&) {
    ensure(false, "a graph has a cycle");
  }
  return order;
}

NodeSet dependencies(const Graph& graph, std::span<const NodeId> roots) {
  return reach(graph, graph, roots);
}

NodeSet dependents(const Graph& graph, std::span<const NodeId> roots) {
  return reach(graph, boost::make_reverse_graph(graph), roots);
}

NodeSet live_nodes(const Graph& graph) {
  std::vector<NodeId> roots;
  for (const Graph::Output& output : graph.outputs()) roots.push_back(output.value.node);
  return dependencies(graph, roots);
}

std::vector<std::vector<NodeId>> cycles(const Graph& graph) {
  std::vector<std::size_t> component(graph.size());
  const std::size_t count =
      boost::strong_components(graph, boost::make_iterator_property_map(component.begin(), bgl::IndexMap{}));
  std::vector<std::vector<NodeId>> members(count);
  for (const NodeId id : graph.node_ids()) members[component[static_cast<std::size_t>(id)]].push_back(id);
  std::erase_if(members, [&](const std::vector<NodeId>& nodes) {
    if (nodes.size() > 1) return false;
    const auto [first, last] = adjacent_vertices(nodes[0], graph);
    return std::find(first, last, nodes[0]) == last;
  });
  return members;
}

}  // namespace lathe
