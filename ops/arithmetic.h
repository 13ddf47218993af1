#pragma once

#include <source_location>

#include <lathe/ops/operand.h>

/// Arithmetic of two operands, element by element with NumPy's broadcasting. Either may be a number, which takes the
/// other's dtype; two values must have the same dtype: cast one where they differ. Integers wrap. Gradients are summed
/// over the axes that an operand was stretched along. GraphError is thrown for dtypes and shapes that do not fit.
namespace lathe {

namespace op {
extern const Op add;
extern const Op sub;
extern const Op mul;
extern const Op div;
extern const Op pow;
extern const Op maximum;
extern const Op minimum;
extern const Op floor_div;
extern const Op mod;
}  // namespace op

/// a + b. Gradient: da = db = dy.
Value add(Operand a, Operand b, std::source_location where = std::source_location::current());
/// a - b. Gradient: da = dy, db = -dy.
Value sub(Operand a, Operand b, std::source_location where = std::source_location::current());
/// a * b. Gradient: da = dy b, db = dy a.
Value mul(Operand a, Operand b, std::source_location where = std::source_location::current());
/// a / b of floats; for integers see floor_div. Gradient: da = dy / b, db = -dy y / b.
Value div(Operand a, Operand b, std::source_location where = std::source_location::current());
/// a to the power of b, of floats, as IEEE 754's pow.
/// Gradient: da = dy b a^(b - 1), and 0 where a and b are both 0; db = dy y log(a), and 0 where a <= 0: there the power
/// is 0 or 1 next to a = 0, and defined for isolated b only if a < 0.
Value pow(Operand a, Operand b, std::source_location where = std::source_location::current());
/// The larger one; NaN if either is NaN. Gradient: dy to the larger one; where they are equal, to a.
Value maximum(Operand a, Operand b, std::source_location where = std::source_location::current());
/// The smaller one; NaN if either is NaN. Gradient: dy to the smaller one; where they are equal, to a.
Value minimum(Operand a, Operand b, std::source_location where = std::source_location::current());
/// The floor of a / b; an integer divided by 0 is 0. Gradient: none flows, it is flat.
Value floor_div(Operand a, Operand b, std::source_location where = std::source_location::current());
/// a - b * floor(a / b), which has the sign of b; 0 for integers where b is 0.
/// Gradient: da = dy, db = -dy floor(a / b).
Value mod(Operand a, Operand b, std::source_location where = std::source_location::current());

/// Sums `x` over the axes along which `shape` broadcasts to it: what turns a gradient of a broadcast operand into one
/// of the operand.
Value sum_to_shape(Value x, const Shape& shape, std::source_location where = std::source_location::current());

}  // namespace lathe
