// sin and cos: an argument reduced to a quadrant and an angle of at most pi/4, then polynomials in f64 for both dtypes.
#include <utility>

#include <lathe/codegen/loop/math.h>
#include <lathe/codegen/loop/math_parts.h>

namespace lathe::loop {

using namespace parts;

namespace {

/// x = quadrant * pi/2 + angle + rest, all but the quadrant f64; the quadrant is an i64 of which two bits count.
struct Reduced {
  Expr quadrant;
  Expr angle;
  Expr rest;  // far below the angle
};

/// For f32 arguments of any size: x * 2/pi from pieces of 2/pi so short that each product is exact in f64. Of each
/// product only what is left modulo 4 matters.
Reduced reduce_single(Expr x) {
  constexpr double two_over_pi[] = {0x1.45f306dp-1,   0x1.9391054p-30, 0x1.4fe13abp-59, 0x1.d1f534dp-88,
                                    0x1.b81b6c5p-117, 0x1.5993c4p-148, 0x1.c820ff2p-175};
  const Expr wide = cast(f64, x);
  Expr turns = number(wide, 0);
  Expr fraction = number(wide, 0);
  for (const double piece : two_over_pi) {
    const Expr product = wide * piece;
    if (piece < 0x1p-128) {  // no whole turn even of the largest x
      fraction = fraction + product;
      continue;
    }
    const Expr left = fma(round(product * 0.25), number(wide, -4), product);
    const Expr whole = round(left);
    turns = turns + whole;
    fraction = fraction + (left - whole);
  }
  const Expr carried = round(fraction);
  const Expr angle = (fraction - carried) * 0x1.921fb54442d18p+0;
  return {bits_of(turns + carried + format(f64).shifter), angle, number(wide, 0)};
}

/// For f64 arguments up to 2^42: Cody and Waite's reduction by pi/2 in three parts, the first subtraction exact.
Reduced reduce_double(Expr x) {
  const Expr shifter = number(x, format(f64).shifter);
  const Expr shifted = fma(x, number(x, 0x1.45f306dc9c883p-1), shifter);
  const Expr n = shifted - shifter;
  const Expr high = fma(n, number(x, -0x1.921fb54442d18p+0), x);
  const Expr middle = number(x, 0x1.1a62633145c07p-54);
  const Expr product = n * middle;
  const Expr lost_in_product = fma(n, middle, -product);
  // Knuth's two-sum, for high - product.
  const Expr angle = high - product;
  const Expr back = angle - high;
  const Expr lost_in_sum = (high - (angle - back)) - (product + back);
  const Expr rest = fma(n, number(x, 0x1.f1976b7ed8fbcp-110), lost_in_sum - lost_in_product);
  return {bits_of(shifted), angle, rest};
}

/// sin(x + quarters * pi/2). The polynomials are minimax to 2^-57 and 2^-59 on |angle| <= pi/4.
Expr sine(Expr x, int quarters) {
  const bool single = x.dtype() == f32;
  const auto [quadrant, angle, rest] = single ? reduce_single(x) : reduce_double(x);
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
  return cast(x.dtype(), from_bits(bits_of(select(odd, cos_angle, sin_angle)) ^ sign, f64));
}

/// f64 arguments beyond the reduction's reach.
Expr within_reach(Expr x, Expr y) {
  return x.dtype() == f32 ? y : select(abs(x) <= 0x1p42, y, not_a_number(x));
}

}  // namespace

// Near 0, sin(x) rounds to x, which also keeps the sign of zero.
Expr sin(Expr x) {
  const double near = x.dtype() == f32 ? 0x1p-13 : 0x1p-27;
  return select(abs(x) < near, x, within_reach(x, sine(x, 0)));
}

Expr cos(Expr x) {
  return within_reach(x, sine(x, 1));
}

}  // namespace lathe::loop
