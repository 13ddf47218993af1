#pragma once

#include <lathe/graph/graph.h>

namespace lathe {

/// Merges nodes of the same op with the same inputs, attributes and control nodes into the first of them, whose name
/// and line remain. Never merges what is more than a function of its inputs: placeholders, variables, assignments,
/// random numbers and effects.
Graph eliminate_common_subexpressions(const Graph& graph);

}  // namespace lathe
