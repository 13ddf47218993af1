#include <lathe/graph/passes/dead_code.h>

#include <lathe/graph/rebuild.h>
#include <lathe/graph/traversal.h>

namespace lathe {

Graph eliminate_dead_code(const Graph& graph) {
  const NodeSet live = live_nodes(graph);
  Rebuild rebuild(graph);
  for (const NodeId id : graph.node_ids()) {
    if (live.contains(id)) rebuild.copy(id);
  }
  return rebuild.finish();
}

}  // namespace lathe
