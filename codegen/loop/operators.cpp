// The free functions that build expressions; all of them go through the pool's simplifying constructors.
#include <lathe/codegen/loop/expr.h>

namespace lathe::loop {

Expr constant_like(Expr like, double value) {
  return like.pool->constant(like.dtype(), value);
}

Expr operator+(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::add, a, b);
}
Expr operator-(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::sub, a, b);
}
Expr operator*(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::mul, a, b);
}
Expr operator/(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::div, a, b);
}
Expr operator-(Expr a) {
  return a.pool->unary(UnaryOp::neg, a);
}
Expr operator&(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::bit_and, a, b);
}
Expr operator|(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::bit_or, a, b);
}
Expr operator^(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::bit_xor, a, b);
}
Expr operator~(Expr a) {
  return a.pool->unary(UnaryOp::bit_not, a);
}
Expr operator<<(Expr a, int bits) {
  return a.pool->binary(BinaryOp::shift_left, a, constant_like(a, bits));
}
Expr operator>>(Expr a, int bits) {
  return a.pool->binary(BinaryOp::shift_right, a, constant_like(a, bits));
}
Expr operator<(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::lt, a, b);
}
Expr operator<=(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::le, a, b);
}
Expr operator>(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::gt, a, b);
}
Expr operator>=(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::ge, a, b);
}

Expr operator+(Expr a, double b) {
  return a + constant_like(a, b);
}
Expr operator-(Expr a, double b) {
  return a - constant_like(a, b);
}
Expr operator*(Expr a, double b) {
  return a * constant_like(a, b);
}
Expr operator/(Expr a, double b) {
  return a / constant_like(a, b);
}
Expr operator+(double a, Expr b) {
  return constant_like(b, a) + b;
}
Expr operator-(double a, Expr b) {
  return constant_like(b, a) - b;
}
Expr operator*(double a, Expr b) {
  return constant_like(b, a) * b;
}
Expr operator/(double a, Expr b) {
  return constant_like(b, a) / b;
}
Expr operator<(Expr a, double b) {
  return a < constant_like(a, b);
}
Expr operator<=(Expr a, double b) {
  return a <= constant_like(a, b);
}
Expr operator>(Expr a, double b) {
  return a > constant_like(a, b);
}
Expr operator>=(Expr a, double b) {
  return a >= constant_like(a, b);
}

Expr equal(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::eq, a, b);
}
Expr not_equal(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::ne, a, b);
}
Expr floor_div(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::floor_div, a, b);
}
Expr mod(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::mod, a, b);
}
Expr max(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::max, a, b);
}
Expr min(Expr a, Expr b) {
  return a.pool->binary(BinaryOp::min, a, b);
}
Expr abs(Expr a) {
  return a.pool->unary(UnaryOp::abs, a);
}
Expr sqrt(Expr a) {
  return a.pool->unary(UnaryOp::sqrt, a);
}
Expr floor(Expr a) {
  return a.pool->unary(UnaryOp::floor, a);
}
Expr ceil(Expr a) {
  return a.pool->unary(UnaryOp::ceil, a);
}
Expr round(Expr a) {
  return a.pool->unary(UnaryOp::round, a);
}
Expr fma(Expr a, Expr b, Expr c) {
  return a.pool->fma(a, b, c);
}
Expr select(Expr condition, Expr a, Expr b) {
  return a.pool->select(condition, a, b);
}
Expr select_lazily(Expr condition, Expr a, Expr b) {
  return a.pool->select(condition, a, b, true);
}
Expr cast(DType to, Expr a) {
  return a.pool->cast(to, a);
}
Expr bitcast(DType to, Expr a) {
  return a.pool->bitcast(to, a);
}

}  // namespace lathe::loop
