#pragma once

#include <source_location>

#include <lathe/ops/operand.h>

/// Comparisons, logic and choice, element by element with NumPy's broadcasting. Either side of a comparison may be a
/// number, which takes the other side's dtype; values must have one dtype, and GraphError is thrown where they do not.
namespace lathe {

namespace op {
extern const Op equal;
extern const Op not_equal;
extern const Op less;
extern const Op less_equal;
extern const Op greater;
extern const Op greater_equal;
extern const Op logical_and;
extern const Op logical_or;
extern const Op logical_not;
extern const Op select;
}  // namespace op

/// Comparisons give bools and have no gradient. With NaN all are false but `not_equal`. Bools compare for equality
/// only.
Value equal(Operand a, Operand b, std::source_location where = std::source_location::current());
Value not_equal(Operand a, Operand b, std::source_location where = std::source_location::current());
Value less(Operand a, Operand b, std::source_location where = std::source_location::current());
Value less_equal(Operand a, Operand b, std::source_location where = std::source_location::current());
Value greater(Operand a, Operand b, std::source_location where = std::source_location::current());
Value greater_equal(Operand a, Operand b, std::source_location where = std::source_location::current());

/// Of bools.
Value logical_and(Operand a, Operand b, std::source_location where = std::source_location::current());
Value logical_or(Operand a, Operand b, std::source_location where = std::source_location::current());
Value logical_not(Value a, std::source_location where = std::source_location::current());

/// a where `condition` (bools) holds, b elsewhere; all three broadcast. Both are evaluated.
/// Gradient: da = dy where the condition holds, else 0; db the other way round.
Value select(Value condition, Operand a, Operand b, std::source_location where = std::source_location::current());

/// min(max(x, low), high); NaN stays NaN. Gradient: dx = dy where low <= x <= high, else 0.
Value clip(Value x, Operand low, Operand high, std::source_location where = std::source_location::current());

}  // namespace lathe
