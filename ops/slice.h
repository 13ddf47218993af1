#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <vector>

#include <lathe/graph/graph.h>

/// Cutting out and surrounding. Like the ops of shape.h these compute nothing and become index maps of whoever reads
/// them; pad also chooses. GraphError is thrown for what does not fit.
namespace lathe {

namespace op {
extern const Op slice;
extern const Op pad;
}  // namespace op

/// Which elements along one axis: begin, begin + step, ... up to but without end. Nothing given means from one end to
/// the other in the direction of the step. Negative numbers count from the end; symbolic extents mean themselves.
///   Range{}           all of it             Range{1, -1}               without the first and last
///   Range{{}, {}, -1} all of it, reversed   Range{dim("n") - 1, {}}    from n - 1 on
struct Range {
  std::optional<Dim> begin = std::nullopt;
  std::optional<Dim> end = std::nullopt;
  std::int64_t step = 1;
};

/// The elements in these ranges, one an axis from the first; axes left out are kept whole. Positions outside the tensor
/// are an error, unlike in NumPy: at once where extents are constant, else when a run finds them so. The number of
/// elements must be an exact polynomial in the symbols: a step of 2 needs an extent like 2 n, or a constant.
/// Gradient: dy at the positions taken, 0 elsewhere.
Value slice(Value x, std::vector<Range> ranges, std::source_location where = std::source_location::current());

/// The block of these extents whose first element is the one at `begin`; one number an axis each.
Value slice_block(Value x, Shape begin, Shape extents, std::source_location where = std::source_location::current());

/// x with `low` extents of `value` before it and `high` after it, each one an axis. Not for negative amounts: see
/// slice. Gradient: the slice of dy.
Value pad(Value x, Shape low, Shape high, double value = 0,
          std::source_location where = std::source_location::current());

}  // namespace lathe
