// pow: log in more than its dtype's precision, since an error of it is multiplied by y times the logarithm.
#include <lathe/codegen/loop/math.h>
#include <lathe/codegen/loop/math_parts.h>

namespace lathe::loop {

using namespace parts;

namespace {

/// An unevaluated sum whose low part is far below the high one. See Dekker, "A floating-point technique for extending
/// the available precision", Numer. Math. 18, 1971.
struct Twice {
  Expr high;
  Expr low;
};

/// a + b exactly, where |a| >= |b| or a = 0.
Twice sum(Expr a, Expr b) {
  const Expr high = a + b;
  return {high, b - (high - a)};
}

Twice operator+(Twice a, Twice b) {
  const Twice high = sum(a.high, b.high);
  return sum(high.high, high.low + (a.low + b.low));
}

Twice operator*(Twice a, Twice b) {
  const Expr high = a.high * b.high;
  const Expr low = fma(a.high, b.high, -high);
  return sum(high, fma(a.high, b.low, fma(a.low, b.high, low)));
}

/// log(a) for positive normal f64, to about 2^-65 of itself.
Twice precise_log(Expr a) {
  const auto [k, f] = split(a);
  const auto constant = [&](double high, double low) { return Twice{number(a, high), number(a, low)}; };
  // s = f / (2 + f), z = s^2: log(1 + f) = 2 s + s z (2/3 + z (2/5 + z T(z))). T is minimax to 2^-51.
  const Twice divisor = sum(number(a, 2), f);
  const Expr inverse = 1 / divisor.high;
  const Expr ratio = f * inverse;
  const Expr left = fma(-ratio, divisor.low, fma(-ratio, divisor.high, f));
  const Twice s = sum(ratio, left * inverse);
  const Twice z = s * s;
  const Expr t =
      polynomial(z.high, {0x1.d9cd415c30728p-4, 0x1.e01f1ed7fcb65p-4, 0x1.1115a33831898p-3, 0x1.3b13a517e3d0bp-3,
                          0x1.745d175523aadp-3, 0x1.c71c71c71532ap-3, 0x1.2492492492497p-2});
  const Twice two_fifths = constant(0x1.999999999999ap-2, -0x1.999999999999ap-56);
  const Twice two_thirds = constant(0x1.5555555555555p-1, 0x1.5555555555555p-55);
  const Twice inner = two_fifths + Twice{z.high * t, number(a, 0)};
  const Twice outer = two_thirds + z * inner;
  const Twice mantissa = Twice{s.high * 2, s.low * 2} + s * (z * outer);
  // ln 2 in two parts, the first so short that its product with an exponent is exact.
  const Twice exponent{k * 0x1.62e42fefa3p-1, k * 0x1.3de6af278ece6p-42};
  return exponent + mantissa;
}

/// x^y for x > 0; 0 and infinity too.
Expr positive_power_double(Expr x, Expr y) {
  const Twice log = precise_log(x);
  const Expr log_high = select(x < infinity(x), select(x > 0.0, log.high, -infinity(x)), x);
  const Expr product = y * log_high;
  // Beyond the clamp the power is 0 or infinity.
  const Expr high = max(min(product, number(x, 800)), number(x, -800));
  const Expr low = fma(y, log.low, fma(y, log_high, -product));
  const ExpReduction reduced = reduce_exp(high);
  const Expr r = reduced.r + select(abs(product) < 800.0, low, number(x, 0));
  const Expr p = 1 + fma(r * r, exp_tail(r), r);
  // 2^n in two halves, as it may be too large or too small by itself.
  const Expr shifter = number(x, format(x).shifter);
  const Expr half = floor(reduced.n * 0.5);
  return p * power_of_two(half + shifter) * power_of_two(reduced.n - half + shifter);
}

/// The same in f64 for f32, where plain f64 has precision to spare: 2^(y log2(x)).
Expr positive_power_single(Expr x, Expr y) {
  const Expr wide = cast(f64, x);
  const auto [k, f] = split(wide);
  const Expr s = f / (f + 2);
  // log2((1 + s) / (1 - s)) / s, minimax to 2^-45.
  const Expr ratio = polynomial(s * s, {0x1.21b33ef3f6521p-2, 0x1.47952a43a1b4cp-2, 0x1.a61a2febdbfa1p-2,
                                        0x1.2776c291b7ca5p-1, 0x1.ec709dc53dd7ap-1, 0x1.71547652b8250p+1});
  const Expr finite = fma(s, ratio, k);
  const Expr log = select(wide < infinity(wide), select(wide > 0.0, finite, -infinity(wide)), wide);
  // Beyond the clamp the power is 0 or infinity in f32.
  const Expr exponent = max(min(cast(f64, y) * log, number(wide, 300)), number(wide, -300));
  const Expr shifter = number(wide, format(f64).shifter);
  const Expr shifted = exponent + shifter;
  // 2^r, minimax to 2^-34.
  const Expr p = polynomial(exponent - (shifted - shifter),
                            {0x1.fe175be9868edp-17, 0x1.446a436a04ea8p-13, 0x1.5d8a70fd5860dp-10, 0x1.3b29dc14a5e3ep-7,
                             0x1.c6b08aae6c32cp-5, 0x1.ebfbe0a4f350ap-3, 0x1.62e42ff116adcp-1, 0x1.ffffffffab99dp-1});
  return cast(f32, p * power_of_two(shifted));
}

}  // namespace

Expr pow(Expr x, Expr y) {
  const Expr a = abs(x);
  const Expr power = x.dtype() == f32 ? positive_power_single(a, y) : positive_power_double(a, y);
  const Expr magnitude = select(equal(a, number(x, 1)), number(x, 1), power);  // also for infinite y

  const Expr half = y * 0.5;
  const Expr integer = equal(floor(y), y);
  const Expr odd = integer & not_equal(floor(half), half);
  const Expr no_power = (x < 0.0) & (a < infinity(x)) & ~integer;
  const Expr signed_power = select(no_power, not_a_number(x), select(odd, copy_sign(magnitude, x), magnitude));
  const Expr always_one = equal(y, number(y, 0)) | equal(x, number(x, 1));
  return x.pool->call(select(always_one, number(x, 1), signed_power), "pow", {x.id, y.id});
}

}  // namespace lathe::loop
