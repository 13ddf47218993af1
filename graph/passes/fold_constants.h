#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <lathe/graph/graph.h>

namespace lathe {

/// Computes a node's outputs from its inputs' tensors, with the bits that a run would give.
using Evaluator =
    std::function<std::vector<Tensor>(const Graph& graph, NodeId id, std::span<const std::shared_ptr<const Tensor>>)>;

struct FoldOptions {
  /// No node is folded whose outputs have more bytes than this.
  std::int64_t max_bytes = 1 << 16;
  /// Nor one whose outputs have this many more bytes than its inputs: a small constant stretched by a view, or the
  /// numbers 0 to n, cost less to compute where they are used than to load.
  std::int64_t max_growth_bytes = 64;
};

/// Replaces nodes that compute a function of constants, or of nodes without inputs, by the constants they come to:
/// nodes of the op `constant`, whose attribute "value" holds the tensor. Nodes that wait for control nodes stay, and so
/// do those whose evaluation throws an Error, for the run to report.
Graph fold_constants(const Graph& graph, const Evaluator& evaluate, const Op& constant,
                     const FoldOptions& options = {});

}  // namespace lathe
