#pragma once

#include <source_location>

#include <lathe/graph/graph.h>

/// Keeping gradients small. A NaN or infinity in the gradients makes a NaN of what is scaled by their norm.
namespace lathe::optim {

/// Each element clipped to [-limit, limit].
Values clip_by_value(const Values& gradients, double limit,
                     std::source_location where = std::source_location::current());

/// Each value scaled down to an L2 norm of `max_norm` where its own is larger: g * max_norm / max(norm, max_norm).
Values clip_by_norm(const Values& gradients, double max_norm,
                    std::source_location where = std::source_location::current());

/// All values scaled by one factor, so that their joint L2 norm is at most `max_norm`.
/// Pascanu, Mikolov & Bengio, ICML 2013.
Values clip_by_global_norm(const Values& gradients, double max_norm,
                           std::source_location where = std::source_location::current());

/// The L2 norm of all elements of all values together, an f64 scalar.
Value global_norm(const Values& gradients, std::source_location where = std::source_location::current());

}  // namespace lathe::optim
