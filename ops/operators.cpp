#include <lathe/ops/operators.h>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/math.h>

namespace lathe {

// Each takes over the operand's line, which is the user's.

Value operator+(Operand a, Operand b) {
  return add(a, b, a.where());
}

Value operator-(Operand a, Operand b) {
  return sub(a, b, a.where());
}

Value operator*(Operand a, Operand b) {
  return mul(a, b, a.where());
}

Value operator/(Operand a, Operand b) {
  return div(a, b, a.where());
}

Value operator%(Operand a, Operand b) {
  return mod(a, b, a.where());
}

Value operator-(Operand a) {
  return neg(*a.value(), a.where());
}

Value operator<(Operand a, Operand b) {
  return less(a, b, a.where());
}

Value operator<=(Operand a, Operand b) {
  return less_equal(a, b, a.where());
}

Value operator>(Operand a, Operand b) {
  return greater(a, b, a.where());
}

Value operator>=(Operand a, Operand b) {
  return greater_equal(a, b, a.where());
}

Value operator&(Operand a, Operand b) {
  return logical_and(a, b, a.where());
}

Value operator|(Operand a, Operand b) {
  return logical_or(a, b, a.where());
}

Value operator~(Operand a) {
  return logical_not(*a.value(), a.where());
}

}  // namespace lathe
