#pragma once

#include <cstdint>
#include <source_location>

#include <lathe/graph/graph.h>

/// Joining and parting along an axis; a negative axis counts from the end. They compute nothing: whoever reads them
/// reads the pieces. GraphError is thrown for what does not fit.
namespace lathe {

namespace op {
extern const Op concat;
}  // namespace op

/// The values, of one dtype, one after the other along `axis`; all other extents must agree. Symbolic extents add up.
Value concat(Values xs, std::int64_t axis, std::source_location where = std::source_location::current());

/// Cuts `x` along `axis` into `parts` equal parts; its extent must be a multiple of them, symbolic or not.
Values split(Value x, std::int64_t axis, std::int64_t parts,
             std::source_location where = std::source_location::current());
/// Cuts `x` along `axis` into pieces of these extents; one may be `None`, the rest.
Values split(Value x, std::int64_t axis, Shape extents, std::source_location where = std::source_location::current());

}  // namespace lathe
