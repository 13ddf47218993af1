#pragma once

#include <cstdint>
#include <source_location>

#include <lathe/graph/graph.h>

namespace lathe {

namespace op {
extern const Op argmax;
extern const Op argmin;
}  // namespace op

/// The i64 index of the first largest element along `axis`. A NaN counts as larger than any number, as in NumPy. An
/// axis that turns out empty gives -1; one known to be empty is an error. Not for booleans, not differentiable.
Value argmax(Value x, std::int64_t axis = -1, bool keep_dims = false,
             std::source_location where = std::source_location::current());

/// The i64 index of the first smallest element along `axis`; otherwise as `argmax`: the first NaN wins.
Value argmin(Value x, std::int64_t axis = -1, bool keep_dims = false,
             std::source_location where = std::source_location::current());

}  // namespace lathe
