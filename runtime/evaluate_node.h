#pragma once

#include <span>
#include <vector>

#include <lathe/graph/graph.h>

namespace lathe {

/// One node's outputs from its inputs, by the interpreter: the bits that a run computes. `bindings` say what the
/// graph's symbols stand for. Throws RunError if a check of the node fails.
std::vector<Tensor> evaluate_node(const Graph& graph, NodeId id, std::span<const TensorView> inputs,
                                  const Bindings& bindings = {});

}  // namespace lathe
