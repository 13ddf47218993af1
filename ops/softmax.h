#pragma once

#include <cstdint>
#include <source_location>
#include <vector>

#include <lathe/graph/graph.h>

/// Composites of primitives: each takes the maximum out before it exponentiates, so nothing overflows, and fusion keeps
/// a row in one pass. Floats only. Their gradients follow from the primitives; the maximum counts as a constant, which
/// changes nothing in exact arithmetic. A row with a NaN, or of -inf only, has NaNs throughout.
namespace lathe {

/// exp(x - max) / sum(exp(x - max)) along `axis` (negative: from the end).
/// Gradient: dx = y (dy - sum(dy y)).
Value softmax(Value x, std::int64_t axis = -1, std::source_location where = std::source_location::current());

/// log(softmax(x)), accurate where that is tiny: x - max - log(sum(exp(x - max))).
/// Gradient: dx = dy - softmax(x) sum(dy).
Value log_softmax(Value x, std::int64_t axis = -1, std::source_location where = std::source_location::current());

/// log(sum(exp(x))) over `axes` (none at all: every axis), as max + log(sum(exp(x - max))). -inf over no elements or
/// where all are -inf, inf where one is inf. Gradient: dx = softmax(x) dy.
Value logsumexp(Value x, std::vector<std::int64_t> axes = {}, bool keep_dims = false,
                std::source_location where = std::source_location::current());

}  // namespace lathe
