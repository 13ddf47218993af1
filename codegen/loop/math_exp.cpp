// exp, log and what is made of them.
#include <array>

#include <lathe/codegen/loop/math.h>
#include <lathe/codegen/loop/math_parts.h>

namespace lathe::loop {

using namespace parts;

Expr exp(Expr x) {
  const bool single = x.dtype() == f32;
  const ExpReduction reduced = reduce_exp(x);
  const Expr one = number(x, 1);
  const Expr p = fma(fma(exp_tail(reduced.r), reduced.r, one), reduced.r, one);
  // p lies in [0.7, 1.42], so between the limits adding n to its exponent neither overflows nor reaches subnormals.
  const Expr scaled = from_bits(bits_of(p) + (bits_of(reduced.shifted) << format(x).mantissa_bits), x.dtype());
  const double highest = single ? 0x1.62e42ep+6 : 0x1.62e42fefa39efp+9;
  const double lowest = single ? -0x1.5d589ep+6 : -0x1.6232bdd7abcd2p+9;
  // Asked like that, NaN included, the sum is one masked instruction.
  return named(select(~(x <= highest), x + infinity(x), select(x >= lowest, scaled, number(x, 0))), "exp", x);
}

Expr expm1(Expr x) {
  const bool single = x.dtype() == f32;
  // Below the lower clamp the result is -1; above the upper one half of it overflows when doubled.
  const Expr clamped = min(max(x, number(x, single ? -20 : -40)), number(x, single ? 89 : 710));
  const ExpReduction reduced = reduce_exp(clamped);
  const Expr p = fma(reduced.r * reduced.r, exp_tail(reduced.r), reduced.r);  // expm1(r)
  // 2^n (p + 1) - 1 as twice 2^(n-1) p + (2^(n-1) - 1/2), as 2^n may be too large.
  const Expr half = power_of_two(reduced.shifted - 1);
  const Expr y = fma(half, p, half - 0.5) * 2;
  return named(select(abs(x) < (single ? 0x1p-25 : 0x1p-54), x, y), "expm1", x);
}

Expr log(Expr x) {
  return named(log_domain(x, 0, log_of(split(x), number(x, 0))), "log", x);
}

Expr log1p(Expr x) {
  const Expr y = select(abs(x) < (x.dtype() == f32 ? 0x1p-25 : 0x1p-54), x, log1p_within(x));
  return named(log_domain(x, -1, y), "log1p", x);
}

Expr tanh(Expr x) {
  const bool single = x.dtype() == f32;
  const Expr a = abs(x);
  const Expr z = a * a;
  // (tanh(a) / a - 1) / a^2 below 0.625, minimax to 2^-27 and 2^-56.
  const Expr p =
      single
          ? polynomial(z, {-0x1.7fc482p-8, 0x1.54a2c8p-6, -0x1.b8accap-5, 0x1.110b32p-3, -0x1.55554cp-2})
          : polynomial(z, {0x1.a169ff76885e7p-18, -0x1.00c6a4f2f750cp-15, 0x1.81e0116342ec7p-14, -0x1.f19b0bc940fc8p-13,
                           0x1.3518754ce929ep-11, -0x1.7d9dd3fc52280p-10, 0x1.d6d37d46829afp-9, -0x1.226e33c7bcf6dp-7,
                           0x1.664f48796c1cep-6, -0x1.ba1ba1b9fe9aap-5, 0x1.1111111110ff1p-3, -0x1.5555555555555p-2});
  const Expr small = fma(a * z, p, a);
  // Beyond the clamp 1 - 2 / (exp(2a) + 1) rounds to 1.
  const Expr doubled = min(a + a, number(x, single ? 20 : 44));
  const Expr large = 1 - 2 / (exp_within(doubled) + 1);
  return named(copy_sign(select(a >= 0.625, large, small), x), "tanh", x);
}

namespace {

/// exp(-|x|), in (0, 1]; 0 where it is below the normal numbers.
Expr decay(Expr x) {
  return exp_within(-min(abs(x), number(x, x.dtype() == f32 ? 88 : 709)));
}

}  // namespace

Expr sigmoid(Expr x) {
  // c (1 - e / (1 + e)) with c = 1 or e: rounding 1 + e first and then dividing c by it loses a bit more.
  const Expr e = decay(x);
  const Expr c = select(x < 0.0, e, number(x, 1));
  return named(fma(-c, e / (e + 1), c), "sigmoid", x);
}

Expr softplus(Expr x) {
  return named(max(x, number(x, 0)) + log1p_within(decay(x)), "softplus", x);
}

namespace {

/// erf(a) / a - 1 in z = a^2, minimax to 2^-60 below 0.9.
Expr erf_middle(Expr z) {
  return polynomial(z, {-0x1.d24b66499b2dfp-31, 0x1.e29e613f5ba68p-27, -0x1.5d83633fc4c98p-23, 0x1.b9b75f25b2fcbp-20,
                        -0x1.f4cf594dae537p-17, 0x1.f9a306297b70cp-14, -0x1.c02db3141e49fp-11, 0x1.565bcd0a323bfp-8,
                        -0x1.b82ce31271e13p-6, 0x1.ce2f21a0427e2p-4, -0x1.812746b0379e2p-2, 0x1.06eba8214db69p-3});
}

/// erfc(a) for a from there on, minimax for the error of 1 - erfc(a).
Expr erf_tail(Expr a) {
  // log(erfc(a)), to 2^-58 up to 5.95, where erf rounds to 1.
  const Expr g =
      polynomial(min(a, number(a, 5.95)),
                 {0x1.811867b39075cp-40, -0x1.0cf5e26f01f9cp-34, 0x1.5fdc1f4018bcdp-30, -0x1.1e3167d6476c6p-26,
                  0x1.43b8b6891f7e0p-23, -0x1.0d2a393dd9a18p-20, 0x1.51af1442b1cc3p-18, -0x1.3fc44a06a404fp-16,
                  0x1.b6c12a520f770p-15, -0x1.6c686e244712fp-14, -0x1.f2a95e428bd1dp-17, 0x1.3976d6cfcdcddp-11,
                  -0x1.c2c5abc02020dp-10, 0x1.efdc7e4a033c9p-13, 0x1.39112189a3e76p-6, -0x1.a4ea0217fa4c3p-4,
                  -0x1.45f37cf28995fp-1, -0x1.20dd68e929301p+0, -0x1.23a68ac7a1399p-24});
  return exp_within(g);
}

/// erf(a), a >= 0, in f32: around each multiple of 1/4 a polynomial of its own, relatively minimax to 2^-26.
Expr erf_single(Expr a) {
  static constexpr std::array<float, 16> powers[] = {
      {0x0p+0, 0x1.1af54ep-2, 0x1.0a7ef6p-1, 0x1.6c1c98p-1, 0x1.af767ap-1, 0x1.d8865ep-1, 0x1.eea556p-1, 0x1.f92d08p-1,
       0x1.fd9ae2p-1, 0x1.ff4048p-1, 0x1.ffcaa8p-1, 0x1.fff2dp-1, 0x1.fffd1ap-1, 0x1.ffff7p-1, 0x1.ffffe8p-1,
       0x1.fffffcp-1},
      {0x1.06eba8p-3, 0x1.0f5d16p+0, 0x1.c1efcap-1, 0x1.492e44p-1, 0x1.a911fp-2, 0x1.e4653p-3, 0x1.e72372p-4,
       0x1.b0553p-5, 0x1.529b9ep-6, 0x1.d4143ap-8, 0x1.1d8318p-9, 0x1.3360dp-11, 0x1.2408fp-13, 0x1.e9b6p-16,
       0x1.6a5992p-18, 0x1.d93764p-21},
      {0x1.87d2d2p-22, -0x1.0f5c8ap-2, -0x1.c1f1d6p-2, -0x1.edcae2p-2, -0x1.a90e0ep-2, -0x1.2ec2c8p-2, -0x1.6d646ap-3,
       -0x1.7a5c4p-4, -0x1.52cffep-5, -0x1.07a3bcp-6, -0x1.62c66ep-8, -0x1.a9668p-10, -0x1.9af244p-12, -0x1.c34dc8p-14,
       -0x1.a70848p-15, 0x1.acb3c4p-16},
      {-0x1.812d12p-2, -0x1.3c9632p-2, -0x1.2bf66ep-3, 0x1.b6984p-6, 0x1.1b63d2p-3, 0x1.571c1ep-3, 0x1.1c2a66p-3,
       0x1.71497ap-4, 0x1.8b0beap-5, 0x1.63efd8p-6, 0x1.119ce8p-7, 0x1.69cc2cp-9, 0x1.9db01ep-11, 0x1.9a97dcp-13,
       0x1.62bb8p-15, 0x1.0b570ap-17},
      {0x1.e01d1p-12, 0x1.036796p-3, 0x1.79860ap-3, 0x1.3b99a2p-3, 0x1.115c1ep-4, -0x1.fc7a78p-9, -0x1.534caap-5,
       -0x1.728e92p-5, -0x1.eec906p-6, -0x1.fbf27ep-7, -0x1.ce5f72p-7, -0x1.81805ap-10, -0x1.648b76p-8, 0x1.ec9a8ap-10,
       0x1.5afb12p-8, -0x1.4287cap-8},
      {0x1.bf8aa6p-4, 0x1.459512p-4, 0x1.f9a454p-8, -0x1.a67b08p-5, -0x1.1c33acp-4, -0x1.80fd78p-5, -0x1.eac11ep-7,
       0x1.a976e4p-8, 0x1.aa44f6p-7, 0x1.5caea6p-7, 0x1.91c68p-8, 0x1.6b377ap-9, 0x1.0ce15cp-10, 0x1.4d3d4cp-12,
       0x1.5e2edap-14, 0x1.3aaa2ep-16},
      {0x1.7e2a56p-8, -0x1.cda826p-6, -0x1.9ce456p-4, -0x1.5518eep-3, 0x1.b1786cp-4, -0x1.3448a6p-4, -0x1.db11dap-4,
       -0x1.cf47e6p-4, -0x1.715c72p-3, -0x1.3e6b18p-3, 0x1.d91676p-3, -0x1.3eb3e6p-4, 0x1.7e045p-3, -0x1.7afafp-4,
       -0x1.d3fd34p-3, 0x1.ac1f94p-3}};
  constexpr double most = 0x1.effffep+1;  // from where erf rounds to 1 or the number before that
  const Expr clamped = min(a, number(a, most));
  const Expr shifter = number(a, 0x1.8p21);  // numbers around it are multiples of 1/4
  const Expr shifted = clamped + shifter;
  const Expr t = clamped - (shifted - shifter);
  const auto coefficient = [&](std::size_t power) { return a.pool->lookup(powers[power], bits_of(shifted)); };
  Expr p = coefficient(6);
  for (std::size_t power = 5; power > 0; --power) p = fma(p, t, coefficient(power));
  // Around 0 the polynomial is that of erf(a) - a.
  return fma(p, t, select(a > 0.125, coefficient(0), a));
}

}  // namespace

Expr erf(Expr x) {
  const Expr a = abs(x);
  const Expr magnitude =
      x.dtype() == f32 ? erf_single(a) : select(a >= 0.9, 1 - erf_tail(a), fma(a, erf_middle(a * a), a));
  return named(copy_sign(magnitude, x), "erf", x);
}

Expr is_nan(Expr x) {
  return named(not_equal(x, x), "is_nan", x);
}

Expr is_finite(Expr x) {
  return named(abs(x) < infinity(x), "is_finite", x);
}

Expr is_inf(Expr x) {
  return named(equal(abs(x), infinity(x)), "is_inf", x);
}

}  // namespace lathe::loop
