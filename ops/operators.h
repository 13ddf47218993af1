#pragma once

#include <lathe/ops/operand.h>

/// Operators on values, element by element with NumPy's broadcasting; either side may be a number, which takes the
/// other side's dtype. `&`, `|` and `~` are the logical and, or and not of bools. There is no `&&`, `||` or `!`: on a
/// Value those ask whether the handle is empty. Nor does `==` compare elements: it says whether two handles are the
/// same value; see `equal`. Errors and gradients are those of the functions named beside them.
namespace lathe {

Value operator+(Operand a, Operand b);   // add
Value operator-(Operand a, Operand b);   // sub
Value operator*(Operand a, Operand b);   // mul
Value operator/(Operand a, Operand b);   // div
Value operator%(Operand a, Operand b);   // mod
Value operator-(Operand a);              // neg
Value operator<(Operand a, Operand b);   // less
Value operator<=(Operand a, Operand b);  // less_equal
Value operator>(Operand a, Operand b);   // greater
Value operator>=(Operand a, Operand b);  // greater_equal
Value operator&(Operand a, Operand b);   // logical_and
Value operator|(Operand a, Operand b);   // logical_or
Value operator~(Operand a);              // logical_not

}  // namespace lathe
