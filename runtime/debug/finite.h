#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <lathe/graph/graph.h>
#include <lathe/graph/tensor.h>

namespace lathe::debug {

/// The flat index of the first NaN or infinity among floats.
std::optional<std::int64_t> first_not_finite(const Tensor& tensor);

/// "element [1, 3] is NaN"; of a scalar "its value is infinity".
std::string element_is(const Tensor& tensor, std::int64_t flat);

/// Throws RunError naming node, source line and element if arithmetic made a NaN or infinity in this value (see
/// asserts_finite()); and what it was made of, if that was held by a fed value, a variable or a constant.
void require_finite(const Graph& graph, ValueId value, const std::function<const Tensor&(ValueId)>& tensor_of);

}  // namespace lathe::debug
