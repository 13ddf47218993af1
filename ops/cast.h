#pragma once

#include <source_location>

#include <lathe/graph/graph.h>

namespace lathe {

namespace op {
extern const Op cast;
extern const Op identity;
extern const Op stop_gradient;
}  // namespace op

/// x in another dtype. From float to integer it truncates and saturates, NaN becomes 0; between integers it wraps; to
/// bool it says whether x is not 0; from bool it gives 0 or 1.
/// Gradient: dx = cast(dy) between floats; nothing flows through integers or bools.
Value cast(Value x, DType dtype, std::source_location where = std::source_location::current());

/// x, under a name of its own. Gradient: dx = dy.
Value identity(Value x, std::string_view name = {}, std::source_location where = std::source_location::current());

/// x, but gradients take it for a constant.
Value stop_gradient(Value x, std::source_location where = std::source_location::current());

}  // namespace lathe
