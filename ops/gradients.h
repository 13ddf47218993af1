#pragma once

#include <source_location>
#include <span>

#include <lathe/graph/graph.h>

namespace lathe {

/// What the gradient with respect to a value is that the ys do not depend on (or only through ops that pass nothing
/// back, such as stop_gradient and comparisons).
enum class Unconnected {
  zeros,  // zeros of its shape
  empty,  // an empty Value
  error,  // a GraphError that names it
};

struct GradientOptions {
  Unconnected unconnected = Unconnected::zeros;
};

/// The gradients of sum over i of sum(grad_ys[i] * ys[i]) with respect to each of xs, built by reverse accumulation
/// (Griewank & Walther, "Evaluating Derivatives", 2nd ed., ch. 3) as ordinary nodes: gradients of gradients are as good
/// as any. Each has the type of its x, which may be any value of the graph: placeholder, variable or intermediate.
/// grad_ys default to ones; an empty handle among them does too. Nodes made here know the node that they differentiate.
/// Only nodes on a path from xs to ys are visited.
/// Throws GraphError if a y or x is not of floats, if a grad_y is not of its y's type, or if something that is not
/// differentiable lies on a path, naming that node and the reason.
Values gradients(const Values& ys, const Values& xs, const Values& grad_ys = {}, GradientOptions options = {},
                 std::source_location where = std::source_location::current());

/// The same where only the nodes in `order`, inputs before uses, connect ys and xs: what a tape has recorded of them.
Values gradients_along(std::span<const NodeId> order, const Values& ys, const Values& xs, const Values& grad_ys = {},
                       GradientOptions options = {}, std::source_location where = std::source_location::current());

}  // namespace lathe
