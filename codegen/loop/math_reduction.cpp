#include <lathe/codegen/loop/math_reduction.h>

#include <algorithm>
#include <array>
#include <vector>

#include <lathe/codegen/loop/math_parts.h>

namespace lathe::loop::parts {
namespace {

constexpr double half_pi[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};

/// Of f32 of any size: x * 2/pi from pieces of 2/pi so short that each product is exact in f64. Of each product only
/// what is left modulo 4 matters.
QuadrantAngle reduce_large_single(Expr x) {
  constexpr double two_over_pi[] = {0x1.45f306dp-1,   0x1.9391054p-30, 0x1.4fe13abp-59, 0x1.d1f534dp-88,
                                    0x1.b81b6c5p-117, 0x1.5993c4p-148, 0x1.c820ff2p-175};
  const Expr wide = cast(f64, x);
  Expr quarters = number(wide, 0);
  Expr fraction = number(wide, 0);
  for (const double piece : two_over_pi) {
    const Expr product = wide * piece;
    if (piece < 0x1p-128) {  // no whole quarter even of the largest x
      fraction = fraction + product;
      continue;
    }
    const Expr left = fma(round(product * 0.25), number(wide, -4), product);
    const Expr whole = round(left);
    quarters = quarters + whole;
    fraction = fraction + (left - whole);
  }
  const Expr carried = round(fraction);
  return {bits_of(quarters + carried + format(f64).shifter), (fraction - carried) * half_pi[0], number(wide, 0)};
}

/// Cody and Waite's reduction of an f64 by pi/2 in two parts.
struct Turns {
  Expr shifted;  // n + shifter: its low bits are those of n
  Expr n;        // x / (pi/2), rounded
  Expr high;     // x - n * (the first part of pi/2), exact where n is below 2^42
};

Turns turns_of(Expr x) {
  const Expr shifter = number(x, format(f64).shifter);
  const Expr shifted = fma(x, number(x, 0x1.45f306dc9c883p-1), shifter);
  const Expr n = shifted - shifter;
  return {shifted, n, fma(n, number(x, -half_pi[0]), x)};
}

/// In f64, where two parts have precision to spare.
QuadrantAngle reduce_single(Expr x) {
  const auto [shifted, n, high] = turns_of(cast(f64, x));
  return {bits_of(shifted), fma(n, number(n, -half_pi[1]), high), number(n, 0)};
}

/// With a third part.
QuadrantAngle reduce_double(Expr x) {
  const auto [shifted, n, high] = turns_of(x);
  const Expr middle = number(x, half_pi[1]);
  const Expr product = n * middle;
  const Expr lost_in_product = fma(n, middle, -product);
  // Knuth's two-sum, for high - product.
  const Expr angle = high - product;
  const Expr back = angle - high;
  const Expr lost_in_sum = (high - (angle - back)) - (product + back);
  const Expr rest = fma(n, number(x, -half_pi[2]), lost_in_sum - lost_in_product);
  return {bits_of(shifted), angle, rest};
}

/// `table[index + 0]`, ..., `table[index + count - 1]` for an index of `index_bits` bits: one step a bit, from the top.
std::vector<Expr> window(std::vector<Expr> table, Expr index, int index_bits, std::size_t count) {
  for (int bit = index_bits - 1; bit >= 0; --bit) {
    const std::size_t step = std::size_t{1} << bit;
    const Expr moves = not_equal(index & bits(index, step), bits(index, 0));
    const std::size_t kept = std::min(table.size(), count + step - 1);
    for (std::size_t i = 0; i < kept; ++i) {
      if (i + step < table.size()) table[i] = select(moves, table[i + step], table[i]);
    }
    table.resize(kept);
  }
  return table;
}

/// Of f64 from 1 up: Payne and Hanek, "Radian reduction for trigonometric functions", SIGNUM Newsletter 18, 1983. The
/// mantissa is multiplied by 192 bits of 2/pi, from where the product's higher bits are multiples of 4.
QuadrantAngle reduce_large_double(Expr x) {
  constexpr std::array<std::uint32_t, 38> two_over_pi{
      0,  // so that a window may begin before the point
      0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561,
      0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e, 0xe88235f5, 0x2ebb4484,
      0xe99c7026, 0xb45f7e41, 0x3991d639, 0x835339f4, 0x9c845f8b, 0xbdf9283b, 0x1ff897ff, 0xde05980f,
      0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d, 0x7527bac7, 0xebe5f17b,
      0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08, 0x56033046};
  const Expr whole = bits_of(abs(x));
  const auto integer = [&](std::uint64_t value) { return bits(whole, value); };
  const auto low = [&](Expr e) { return e & integer(0xffffffff); };
  const auto high = [](Expr e) { return e >> 32; };

  // |x| = mantissa * 2^exponent; the window's first bit has weight 2^(1 - exponent), so times the mantissa at least 2.
  const Expr mantissa = (whole & integer(format(f64).mantissa)) | integer(std::uint64_t{1} << 52);
  const Expr position = (whole >> 52) - (1075 - 30);  // exponent + 30: in bits from the table's beginning
  std::vector<Expr> table;
  for (const std::uint32_t word : two_over_pi) table.push_back(integer(word));
  const std::vector<Expr> words = window(std::move(table), position >> 5, 5, 7);
  const Expr shift = position & integer(31);
  std::array<Expr, 6> aligned;  // lowest first
  for (std::size_t i = 0; i < 6; ++i) {
    const Expr next = words[6 - i].pool->binary(BinaryOp::shift_right, words[6 - i], integer(32) - shift);
    aligned[i] = low(whole.pool->binary(BinaryOp::shift_left, words[5 - i], shift) | next);
  }

  // The product modulo 2^192, in words of 32 bits.
  std::array<Expr, 6> product;
  Expr carry = integer(0);
  for (std::size_t i = 0; i < 6; ++i) {
    const Expr here = low(mantissa) * aligned[i];
    Expr sum = low(here) + carry;
    Expr above = high(here);
    if (i > 0) {
      const Expr before = high(mantissa) * aligned[i - 1];
      sum = sum + low(before);
      above = above + high(before);
    }
    product[i] = low(sum);
    carry = above + high(sum);
  }

  // Two bits of quadrant; then a fraction of 190, read as signed so that it rounds to the nearest quadrant.
  const Expr top = (product[5] << 32) | product[4];
  const Expr fraction = (top << 2) | (product[3] >> 30);
  const Expr quadrant = (top >> 62) + (fraction >> 63);
  const Expr below = (product[3] << 34) | (product[2] << 2) | (product[1] >> 30);
  const auto to_double = [&](Expr e) { return cast(f64, e); };
  const Expr first = to_double(fraction & integer(0xffffffff00000000));
  const Expr second = to_double(low(fraction));
  const Expr sum = first + second;
  const Expr lost = second - (sum - first);
  const Expr tail = fma(to_double(low(below)), number(x, 0x1p-64), to_double(high(below)) * 0x1p-32) + lost;
  const Expr ratio = (sum + tail) * 0x1p-64;
  const Expr ratio_rest = (tail - ((sum + tail) - sum)) * 0x1p-64;
  const Expr angle = ratio * half_pi[0];
  const Expr lost_in_product = fma(ratio, number(x, half_pi[0]), -angle);
  const Expr rest = fma(ratio_rest, number(x, half_pi[0]), fma(ratio, number(x, half_pi[1]), lost_in_product));
  const Expr negative = x < 0.0;
  return {select(negative, integer(0) - quadrant, quadrant), select(negative, -angle, angle),
          select(negative, -rest, rest)};
}

}  // namespace

QuadrantAngle reduce_angle(Expr x) {
  return x.dtype() == f32 ? reduce_single(x) : reduce_double(x);
}

QuadrantAngle reduce_large_angle(Expr x) {
  return x.dtype() == f32 ? reduce_large_single(x) : reduce_large_double(x);
}

}  // namespace lathe::loop::parts
