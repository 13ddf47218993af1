#pragma once

#include <lathe/codegen/loop/expr.h>

namespace lathe::loop::parts {

/// An argument of sin or cos as quadrant * pi/2 + angle + rest. The angle is at most about pi/4; it and the rest, which
/// is far below it, are f64. Two bits of the quadrant, an i64, count.
struct QuadrantAngle {
  Expr quadrant;
  Expr angle;
  Expr rest;
};

/// Reduces an argument of at most `most_moderate` to 2^-27 (f32) or 2^-60 (f64) of the angle.
QuadrantAngle reduce_angle(Expr x);
inline double most_moderate(DType dtype) {
  return dtype == f32 ? 0x1p31 : 0x1p42;
}
/// The same for any finite one from 1 up, in many times as many steps.
QuadrantAngle reduce_large_angle(Expr x);

}  // namespace lathe::loop::parts
