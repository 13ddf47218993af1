#pragma once

#include <cstdint>
#include <source_location>
#include <vector>

#include <lathe/graph/graph.h>

/// Reductions. All take the axes to reduce over: negative ones count from the end, naming an axis twice is an error,
/// and none at all means every axis. `keep_dims` leaves the reduced axes behind with extent 1. The order of the
/// additions is fixed by the shape alone (codegen/loop/kernel.h).
namespace lathe {

namespace op {
extern const Op extent;
extern const Op sum;
extern const Op mean;
extern const Op prod;
extern const Op reduce_max;
extern const Op reduce_min;
extern const Op any;
extern const Op all;
}  // namespace op

/// A symbolic extent, or a product of extents, as a scalar of `dtype`: what a mean divides by.
Value extent(Graph& graph, const Dim& dim, DType dtype, std::source_location where = std::source_location::current());

/// The sum; 0 over no elements. Floats stay in their dtype; integers and booleans are added up in i64 and stay there,
/// as in NumPy, so that counting cannot overflow. Gradient: dx = dy, broadcast to x.
Value sum(Value x, std::vector<std::int64_t> axes = {}, bool keep_dims = false,
          std::source_location where = std::source_location::current());

/// The sum divided by the number of elements, which may be symbolic; NaN over no elements. Floats only.
/// Gradient: dx = dy / count, broadcast to x.
Value mean(Value x, std::vector<std::int64_t> axes = {}, bool keep_dims = false,
           std::source_location where = std::source_location::current());

/// The product; 1 over no elements. Dtypes as for `sum`.
/// Gradient: each element's is the product of all the others, computed as such and not as y / x. So it is right where x
/// has zeros, to every order, at a cost quadratic in the number of elements reduced.
Value prod(Value x, std::vector<std::int64_t> axes = {}, bool keep_dims = false,
           std::source_location where = std::source_location::current());

/// The largest element; NaN if any is NaN; the smallest number of the dtype (-inf for floats) over no elements. Not for
/// booleans (`any`). Gradient: elements that tie for the maximum share dy evenly.
Value reduce_max(Value x, std::vector<std::int64_t> axes = {}, bool keep_dims = false,
                 std::source_location where = std::source_location::current());

/// The smallest element; otherwise as `reduce_max`.
Value reduce_min(Value x, std::vector<std::int64_t> axes = {}, bool keep_dims = false,
                 std::source_location where = std::source_location::current());

/// Whether any element is true; false over no elements. Booleans only, not differentiable.
Value any(Value x, std::vector<std::int64_t> axes = {}, bool keep_dims = false,
          std::source_location where = std::source_location::current());

/// Whether all elements are true; true over no elements. Booleans only, not differentiable.
Value all(Value x, std::vector<std::int64_t> axes = {}, bool keep_dims = false,
          std::source_location where = std::source_location::current());

}  // namespace lathe
