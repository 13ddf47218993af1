#pragma once

#include <lathe/graph/graph.h>

namespace lathe {

/// Checks all that every graph promises: inputs and control nodes exist and come before their uses, nothing depends on
/// itself, types are what the ops' type rules say, attributes are known and complete, names are unique, the index of
/// users is right, outputs exist. A graph that a user builds passes by construction; a pass that breaks one of these is
/// our own bug, so it throws std::logic_error, naming the node.
void verify(const Graph& graph);

}  // namespace lathe
