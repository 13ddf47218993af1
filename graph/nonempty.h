#pragma once

#include <lathe/graph/shape.h>

namespace lathe {

/// Whether a tensor of shape `other` is known to have elements whenever one of shape `shape` has.
bool nonempty_with(const Shape& shape, const Shape& other);

}  // namespace lathe
