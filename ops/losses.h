#pragma once

#include <source_location>

#include <lathe/graph/graph.h>

/// Losses, one number a row or element; `mean` makes one number of them. All are composites of primitives, so their
/// gradients follow, to any order. GraphError is thrown for shapes and dtypes that do not fit.
namespace lathe {

/// -sum over c of labels[.., c] * log_softmax(logits)[.., c]: labels and logits are floats of one dtype and shape, and
/// each row of labels is a distribution. One number a row. Differentiable in both.
Value softmax_cross_entropy(Value labels, Value logits, std::source_location where = std::source_location::current());

/// log(sum over c of exp(z[c] - m)) + m - z[label], where z is a row of logits [.., C] and m its maximum. Labels [..]
/// are integers, one a row; one outside [0, C) makes the run fail with an error that names the row. One number a row.
/// Gradient: dz = (softmax(z) - one_hot(label)) dy.
Value sparse_softmax_cross_entropy(Value labels, Value logits,
                                   std::source_location where = std::source_location::current());

/// max(z, 0) - z * label + log(1 + exp(-|z|)), which is -label log(sigmoid(z)) - (1 - label) log(1 - sigmoid(z))
/// without overflow or cancellation. Labels in [0, 1] and logits z are floats of one dtype and shape. One number an
/// element. Gradient: dz = (sigmoid(z) - label) dy.
Value sigmoid_cross_entropy(Value labels, Value logits, std::source_location where = std::source_location::current());

/// The mean over the last axis of (predictions - targets)^2, as Keras has it: one number a row. Floats of one dtype and
/// shape.
Value mean_squared_error(Value targets, Value predictions,
                         std::source_location where = std::source_location::current());

}  // namespace lathe
