#pragma once

#include <lathe/graph/graph.h>

namespace lathe {

/// Leaves out every node that the graph's outputs do not depend on, through inputs or control. Effects and assignments
/// are no exception: those that a run must carry out are among its outputs.
Graph eliminate_dead_code(const Graph& graph);

}  // namespace lathe
