#pragma once

#include <lathe/codegen/program.h>

namespace lathe {

/// How far lowering goes. Every setting gives the same bits.
struct LowerOptions {
  bool fuse = true;     // false: one kernel a node
  bool strips = true;   // kernels that leave much for each other may run in strips: see StripGroup
  bool panels = false;  // large variables are stored as layout.h says
  /// A new value that waits for checks does so in an output of its own and is not copied: see Exchange.
  bool exchange = false;
};

/// Lowers a graph to a program that computes its outputs and carries out its assignments and effects.
///
/// Slots: inputs are the nodes of Kind::placeholder and variables the nodes of Kind::variable, both in the graph's
/// order; outputs are graph.outputs(), in their order. A variable that no assign node updates is only read. Reads of a
/// variable see its value from before the run; where a read would come after an update in place, the new value waits
/// in the arena and a CommitStep at the end copies it, unless it is exchanged. No step that can fail follows one that
/// changes a variable. Throws CompileError if two assignments go to one variable.
Program lower(const Graph& graph, const LowerOptions& options = {});

}  // namespace lathe
