#include <lathe/codegen/loop/math_parts.h>

#include <limits>

namespace lathe::loop::parts {

const Format& format(DType dtype) {
  static const Format single{i32, 23, 0x80000000U, 0x007fffffU, 0x3f800000U, 0x3f3504f3U, 0x1.8p23};
  static const Format twice{
      i64, 52, 0x8000000000000000U, 0x000fffffffffffffU, 0x3ff0000000000000U, 0x3fe6a09e667f3bcdU, 0x1.8p52};
  return dtype == f32 ? single : twice;
}

Expr named(Expr result, const char* function, Expr argument) {
  return result.pool->call(result, function, {argument.id});
}

Expr infinity(Expr like) {
  return number(like, std::numeric_limits<double>::infinity());
}

Expr not_a_number(Expr like) {
  return number(like, std::numeric_limits<double>::quiet_NaN());
}

Expr bits_of(Expr x) {
  return bitcast(format(x).bits, x);
}

Expr bits(Expr like, std::uint64_t value) {
  return like.pool->constant_bits(like.dtype(), value);
}

Expr from_bits(Expr integer, DType dtype) {
  return bitcast(dtype, integer);
}

Expr polynomial(Expr x, std::initializer_list<double> coefficients) {
  Expr sum = number(x, *coefficients.begin());
  for (const double* next = coefficients.begin() + 1; next != coefficients.end(); ++next) {
    sum = fma(sum, x, number(x, *next));
  }
  return sum;
}

Expr copy_sign(Expr magnitude, Expr sign) {
  const Expr source = bits_of(sign);
  return from_bits(bits_of(magnitude) | (source & bits(source, format(sign).sign)), magnitude.dtype());
}

ExpReduction reduce_exp(Expr x) {
  const bool single = x.dtype() == f32;
  const Expr shifter = number(x, format(x).shifter);
  const Expr shifted = fma(x, number(x, 0x1.71547652b82fep+0), shifter);  // log2 e
  const Expr n = shifted - shifter;
  // ln 2 rounded, and the rest.
  const Expr high = number(x, single ? -0x1.62e43p-1 : -0x1.62e42fefa39efp-1);
  const Expr low = number(x, single ? 0x1.05c61p-29 : -0x1.abc9e3b39803fp-56);
  return {shifted, n, fma(n, low, fma(n, high, x))};
}

Expr exp_tail(Expr r) {
  // Minimax for the relative error of expm1: 2^-28.5 (f32) and 2^-60 (f64).
  if (r.dtype() == f32) {
    return polynomial(r, {0x1.a1a176p-13, 0x1.6d7486p-10, 0x1.11109p-7, 0x1.5554aep-5, 0x1.555556p-3, 0x1p-1});
  }
  return polynomial(r, {0x1.1f9533fc65a4ap-29, 0x1.af5ebe2c8008dp-26, 0x1.27e4c5bfce523p-22, 0x1.71ddf85414e78p-19,
                        0x1.a01a01b0a8a77p-16, 0x1.a01a01afe4fbcp-13, 0x1.6c16c16c1447dp-10, 0x1.111111110f6afp-7,
                        0x1.555555555555ap-5, 0x1.5555555555559p-3, 0x1p-1});
}

Expr power_of_two(Expr shifted) {
  const Expr n = bits_of(shifted) << format(shifted).mantissa_bits;  // modulo 2^width the shifter has gone
  return from_bits(n + bits(n, format(shifted).one), shifted.dtype());
}

Expr exp_within(Expr x) {
  const ExpReduction reduced = reduce_exp(x);
  const Expr one = number(x, 1);
  return fma(fma(exp_tail(reduced.r), reduced.r, one), reduced.r, one) * power_of_two(reduced.shifted);
}

LogParts split(Expr x) {
  const Format& f = format(x);
  const Expr whole = bits_of(x);
  // As an integer, x / sqrt(1/2): its exponent field is that of the power of two to take out.
  const Expr moved = whole + bits(whole, f.one - f.root_half);
  const Expr biased = moved >> f.mantissa_bits;
  // An integer in the low bits of 2^mantissa_bits becomes a float by a subtraction.
  const double unit = static_cast<double>(std::uint64_t{1} << f.mantissa_bits);
  const double bias = x.dtype() == f32 ? 127 : 1023;
  const Expr exponent = from_bits(biased + bits_of(number(x, unit)), x.dtype()) - (unit + bias);
  const Expr scaled = from_bits((moved & bits(moved, f.mantissa)) + bits(moved, f.root_half), x.dtype());
  return {exponent, scaled - 1};
}

Expr log_of(const LogParts& parts, Expr small) {
  const auto& [k, f] = parts;
  const Expr square = f * f;
  if (f.dtype() == f32) {
    // log(1 + f) = f - f^2 / 2 + f^3 P(f); P is minimax to 2^-27.
    const Expr p = polynomial(f, {-0x1.391278p-4, 0x1.0578bp-3, -0x1.0d81f4p-3, 0x1.22d5d4p-3, -0x1.547222p-3,
                                  0x1.99a036p-3, -0x1.000228p-2, 0x1.555554p-2});
    const Expr low = fma(f * square, p, fma(k, number(f, -0x1.05c61p-29), small));
    return fma(k, number(f, 0x1.62e43p-1), f + fma(square, number(f, -0.5), low));
  }
  // With s = f / (2 + f): log(1 + f) = 2 s + s z P(z), z = s^2, and 2 s = f - s f. As in Sun's fdlibm, e_log.c.
  const Expr s = f / (f + 2);
  const Expr z = s * s;
  const Expr p =
      polynomial(z, {0x1.0e06fd0ad4925p-3, 0x1.0f86bfa439d8fp-3, 0x1.3b1e9c1a19006p-3, 0x1.745cebb987facp-3,
                     0x1.c71c7227d847ep-3, 0x1.249249245b8d1p-2, 0x1.9999999999b27p-2, 0x1.5555555555555p-1});
  const Expr half = square * 0.5;
  const Expr low = fma(s, fma(z, p, half), fma(k, number(f, 0x1.abc9e3b39803fp-56), small));
  return fma(k, number(f, 0x1.62e42fefa39efp-1), f - (half - low));
}

Expr log1p_within(Expr x) {
  const Expr u = x + 1;
  const LogParts parts = split(u);
  // Where 1 + x has no exponent to take out, x is its own fraction; elsewhere what the sum lost comes back.
  const Expr whole = equal(parts.exponent, number(x, 0));
  const Expr lost = (x - (u - 1)) / u;
  return log_of({parts.exponent, select(whole, x, parts.fraction)}, select(whole, number(x, 0), lost));
}

Expr log_domain(Expr x, double bound, Expr y) {
  const Expr edge = select(equal(x, number(x, bound)), -infinity(x), not_a_number(x));
  return select(x > bound, select(x < infinity(x), y, x), edge);
}

}  // namespace lathe::loop::parts
