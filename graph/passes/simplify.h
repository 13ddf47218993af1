#pragma once

#include <lathe/graph/graph.h>

namespace lathe {

/// Applies the local rewrites that ops list in their records (`x * 1` is `x`) until none applies. New nodes take the
/// line, origin and, where free, the name of the node that they replace. A node stays as it is if it waits for control
/// nodes, or if its replacement would no longer carry out an effect or assignment that its inputs carry out. What the
/// rewrites leave unused is for eliminate_dead_code().
Graph simplify(const Graph& graph);

}  // namespace lathe
