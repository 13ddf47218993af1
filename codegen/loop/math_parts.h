#pragma once

#include <cstdint>
#include <initializer_list>

#include <lathe/codegen/loop/expr.h>

/// What the mathematical functions share: float formats taken apart and put together in expressions, and the cores of
/// exp and log. All take f32 or f64.
namespace lathe::loop::parts {

/// How a float dtype is laid out, with its integer twin.
struct Format {
  DType bits;
  int mantissa_bits;
  std::uint64_t sign;       // mask
  std::uint64_t mantissa;   // mask
  std::uint64_t one;        // the bits of 1.0
  std::uint64_t root_half;  // of sqrt(1/2)
  double shifter;           // adding 1.5 * 2^mantissa_bits leaves a number rounded to an integer in the low bits
};
const Format& format(DType dtype);
inline const Format& format(Expr x) {
  return format(x.dtype());
}

/// `result`, which listings show as `function` of the argument.
Expr named(Expr result, const char* function, Expr argument);

inline Expr number(Expr like, double value) {
  return constant_like(like, value);
}
Expr infinity(Expr like);
Expr not_a_number(Expr like);
/// The bits of a float as an integer of the same size, and an integer constant to combine them with.
Expr bits_of(Expr x);
Expr bits(Expr like, std::uint64_t value);
/// The float with these bits.
Expr from_bits(Expr integer, DType dtype);

/// Horner's scheme in fused multiply-adds; coefficients from the highest power down.
Expr polynomial(Expr x, std::initializer_list<double> coefficients);
/// `magnitude`, which is not negative, with the sign of `sign`.
Expr copy_sign(Expr magnitude, Expr sign);

/// x = n ln 2 + r with |r| <= ln 2 / 2, by Cody and Waite's two-part ln 2, exact in fused multiply-adds. For |x| beyond
/// 2^(mantissa_bits - 2) it means nothing.
struct ExpReduction {
  Expr shifted;  // n + shifter: its low bits are n
  Expr n;
  Expr r;
};
ExpReduction reduce_exp(Expr x);
/// (exp(r) - 1 - r) / r^2 for |r| <= ln 2 / 2.
Expr exp_tail(Expr r);
/// 2^n for a number `shifted` = n + shifter, where 2^n is a normal number; 0 for the n just below.
Expr power_of_two(Expr shifted);
/// exp(x) where neither n nor n + 1 overflows the exponent: x < 88 (f32), 709 (f64), and not below the negative of
/// that. A result below the normal numbers is 0; NaN gives NaN.
Expr exp_within(Expr x);

/// x = 2^exponent * (1 + fraction) with 1 + fraction in [sqrt(1/2), sqrt(2)), for positive normal x.
struct LogParts {
  Expr exponent;  // a float
  Expr fraction;
};
LogParts split(Expr x);
/// exponent * ln 2 + log(1 + fraction) + small, where `small` is far below the rest.
Expr log_of(const LogParts& parts, Expr small);
/// log(1 + x) for finite x > -1.
Expr log1p_within(Expr x);

/// Where x > `bound`: `y`, but infinity for infinity. Else minus infinity at the bound, NaN below it or for NaN.
Expr log_domain(Expr x, double bound, Expr y);

}  // namespace lathe::loop::parts
