#pragma once

#include <string>

#include <lathe/graph/graph.h>

namespace lathe {

/// The graph in Graphviz's language, data flowing downwards. A node shows its op, name and types. Nodes of one
/// outermost scope share a colour, gradient nodes are dashed, control edges dotted, outputs have a double outline.
std::string to_graphviz(const Graph& graph);

}  // namespace lathe
