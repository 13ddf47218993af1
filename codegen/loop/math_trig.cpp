// sin and cos: an argument reduced to a quadrant and an angle, then polynomials in f64 for both dtypes.
#include <lathe/codegen/loop/math.h>
#include <lathe/codegen/loop/math_parts.h>
#include <lathe/codegen/loop/math_reduction.h>

namespace lathe::loop {

using namespace parts;

namespace {

/// sin(x + quarters * pi/2). The polynomials are minimax to 2^-57 and 2^-59 on |angle| <= pi/4.
Expr sine(Expr x, int quarters) {
  const auto [quadrant, angle, rest] = reduce_angle(x);
  const Expr z = angle * angle;
  const Expr half = z * 0.5;
  const Expr near_one = 1 - half;
  const Expr p = polynomial(z, {0x1.5dbe0b81c11f9p-33, -0x1.ae5f0bec6e992p-26, 0x1.71de3668355f3p-19,
                                -0x1.a01a019d54df1p-13, 0x1.11111111104b6p-7, -0x1.5555555555553p-3});
  const Expr q = polynomial(z, {-0x1.900e15fb6e7a3p-37, 0x1.1eeaae199a5a8p-29, -0x1.27e4f93768f05p-22,
                                0x1.a01a019e6a5adp-16, -0x1.6c16c16c1640bp-10, 0x1.5555555555555p-5});
  const Expr sin_angle = angle + fma(angle * z, p, rest * near_one);
  const Expr cos_angle = near_one + ((1 - near_one - half) + fma(z * z, q, -(angle * rest)));
  const Expr turned = quadrant + bits(quadrant, static_cast<std::uint64_t>(quarters));
  const Expr odd = not_equal(turned & bits(turned, 1), bits(turned, 0));
  const Expr sign = (turned & bits(turned, 2)) << 62;
  const Expr y = cast(x.dtype(), from_bits(bits_of(select(odd, cos_angle, sin_angle)) ^ sign, f64));
  return select(abs(x) < infinity(x), y, not_a_number(x));
}

}  // namespace

// Near 0, sin(x) rounds to x, which also keeps the sign of zero.
Expr sin(Expr x) {
  const double near = x.dtype() == f32 ? 0x1p-13 : 0x1p-27;
  return named(select(abs(x) < near, x, sine(x, 0)), "sin", x);
}

Expr cos(Expr x) {
  return named(sine(x, 1), "cos", x);
}

}  // namespace lathe::loop
