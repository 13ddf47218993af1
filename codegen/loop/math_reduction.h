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

/// Reduces a finite f32 or f64 of any size, to 2^-27 respectively 2^-60 of the angle. NaN and infinity give anything.
QuadrantAngle reduce_angle(Expr x);

}  // namespace lathe::loop::parts
