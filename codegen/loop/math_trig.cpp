// sin and cos: an argument reduced to a quadrant and an angle, then polynomials in f64 for both dtypes.
#include <lathe/codegen/loop/math.h>
#include <lathe/codegen/loop/math_parts.h>
#include <lathe/codegen/loop/math_reduction.h>

namespace lathe::loop {

using namespace parts;

namespace {

struct SineAndCosine {
  Expr sine;
  Expr cosine;
};

/// Of an angle for f32; minimax to 2^-37 and 2^-33 on |angle| <= pi/4. Zero keeps its sign.
SineAndCosine of_single(const QuadrantAngle& reduced) {
  const Expr angle = reduced.angle;
  const Expr z = angle * angle;
  const Expr p =
      polynomial(z, {0x1.6cd1ec079f9b7p-19, -0x1.a00f7f0ceb0f9p-13, 0x1.1111086a3ed6dp-7, -0x1.5555554c71a18p-3, 1});
  const Expr q =
      polynomial(z, {0x1.99169688d8b12p-16, -0x1.6c07f141fbc50p-10, 0x1.55553c7835f09p-5, -0x1.ffffffcb81cf5p-2, 1});
  return {angle * p, q};
}

/// Of an angle and the rest of it; minimax to 2^-57 and 2^-59.
SineAndCosine of_double(const QuadrantAngle& reduced) {
  const auto [quadrant, angle, rest] = reduced;
  const Expr z = angle * angle;
  const Expr half = z * 0.5;
  const Expr near_one = 1 - half;
  const Expr p = polynomial(z, {0x1.5dbe0b81c11f9p-33, -0x1.ae5f0bec6e992p-26, 0x1.71de3668355f3p-19,
                                -0x1.a01a019d54df1p-13, 0x1.11111111104b6p-7, -0x1.5555555555553p-3});
  const Expr q = polynomial(z, {-0x1.900e15fb6e7a3p-37, 0x1.1eeaae199a5a8p-29, -0x1.27e4f93768f05p-22,
                                0x1.a01a019e6a5adp-16, -0x1.6c16c16c1640bp-10, 0x1.5555555555555p-5});
  return {angle + fma(angle * z, p, rest * near_one),
          near_one + ((1 - near_one - half) + fma(z * z, q, -(angle * rest)))};
}

/// sin(x + quarters * pi/2) in the dtype of `x`, of what that is reduced to.
Expr sine_of(const QuadrantAngle& reduced, int quarters, DType dtype) {
  const auto [sine, cosine] = dtype == f32 ? of_single(reduced) : of_double(reduced);
  const Expr turned = reduced.quadrant + bits(reduced.quadrant, static_cast<std::uint64_t>(quarters));
  const Expr odd = not_equal(turned & bits(turned, 1), bits(turned, 0));
  const Expr sign = (turned & bits(turned, 2)) << 62;
  return cast(dtype, from_bits(bits_of(select(odd, cosine, sine)) ^ sign, f64));
}

Expr sine(Expr x, int quarters) {
  const Expr usual = sine_of(reduce_angle(x), quarters, x.dtype());
  const Expr large = sine_of(reduce_large_angle(x), quarters, x.dtype());
  const Expr is_moderate = abs(x) <= most_moderate(x.dtype());
  return select_lazily(~is_moderate, select(abs(x) < infinity(x), large, not_a_number(x)), usual);
}

}  // namespace

// Near 0, sin(x) rounds to x, which also keeps the sign of zero.
Expr sin(Expr x) {
  const Expr y = sine(x, 0);
  return named(x.dtype() == f32 ? y : select(abs(x) < 0x1p-27, x, y), "sin", x);
}

Expr cos(Expr x) {
  return named(sine(x, 1), "cos", x);
}

}  // namespace lathe::loop
