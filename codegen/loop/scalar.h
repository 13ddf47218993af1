#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <lathe/codegen/loop/expr.h>
#include <lathe/graph/error.h>

/// What each primitive of kernel IR does to single numbers: the semantics in expr.h and kernel.h, in C++. Floats are
/// computed in their own type; whoever calls has FlushDenormals in force.
namespace lathe::loop::scalar {

/// A number as the low bits of 64: how expressions keep constants and the interpreter keeps values.
template <class T>
std::uint64_t to_bits(T value) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<std::uint32_t>(value);
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<std::uint64_t>(value);
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? 1 : 0;
  } else {
    return static_cast<std::make_unsigned_t<T>>(value);
  }
}

template <class T>
T from_bits(std::uint64_t bits) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<double>(bits);
  } else if constexpr (std::is_same_v<T, bool>) {
    return (bits & 1) != 0;
  } else {
    return static_cast<T>(bits);
  }
}

/// Arithmetic that wraps happens in 64 unsigned bits, where it is defined; the low bits are the same.
template <class T>
std::uint64_t widen(T value) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
}

template <class T>
T add(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a + b;
  } else {
    return from_bits<T>(widen(a) + widen(b));
  }
}

template <class T>
T subtract(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a - b;
  } else {
    return from_bits<T>(widen(a) - widen(b));
  }
}

template <class T>
T multiply(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a * b;
  } else {
    return from_bits<T>(widen(a) * widen(b));
  }
}

/// a * b + c, rounded once.
template <class T>
T fused_multiply_add(T a, T b, T c) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::fma(a, b, c);
  } else {
    return add(multiply(a, b), c);
  }
}

/// Integers truncate; a zero divisor gives 0 and the smallest number over -1 wraps.
template <class T>
T divide(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a / b;
  } else {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return subtract<T>(0, a);
    }
    return static_cast<T>(a / b);
  }
}

template <class T>
T floor_divide(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::floor(a / b);
  } else {
    const T quotient = divide(a, b);
    const bool inexact = b != 0 && subtract(a, multiply(quotient, b)) != 0;
    return inexact && (a < T{0}) != (b < T{0}) ? static_cast<T>(quotient - 1) : quotient;
  }
}

/// a - floor_divide(a, b) * b, but 0 for a zero integer divisor.
template <class T>
T modulo(T a, T b) {
  if constexpr (!std::is_floating_point_v<T>) {
    if (b == 0) return 0;
  }
  return subtract(a, multiply(floor_divide(a, b), b));
}

/// For what need not heed the flush mode: libm's floor, ceil and round, and a choice.
template <class T>
T flush(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::abs(value) < std::numeric_limits<T>::min()) return std::copysign(T{0}, value);
  }
  return value;
}

template <class T>
T maximum(T a, T b) {
  return flush(a > b || a != a ? a : b);
}

template <class T>
T minimum(T a, T b) {
  return flush(a < b || a != a ? a : b);
}

/// A shift by the width or more gives 0.
template <class T>
T shift_left(T a, T b) {
  constexpr auto width = static_cast<std::uint64_t>(8 * sizeof(T));
  return to_bits(b) < width ? from_bits<T>(to_bits(a) << to_bits(b)) : T{};
}

template <class T>
T shift_right(T a, T b) {
  constexpr auto width = static_cast<std::uint64_t>(8 * sizeof(T));
  return to_bits(b) < width ? from_bits<T>(to_bits(a) >> to_bits(b)) : T{};
}

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From{0};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    const From above = std::ldexp(From{1}, std::numeric_limits<To>::digits);
    if (value != value) return 0;
    if (value >= above) return std::numeric_limits<To>::max();
    if (value < static_cast<From>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

template <class T>
T apply(UnaryOp op, T a) {
  if constexpr (std::is_floating_point_v<T>) {
    switch (op) {
      case UnaryOp::neg: return -a;
      case UnaryOp::abs: return std::abs(a);
      case UnaryOp::sqrt: return std::sqrt(a);
      case UnaryOp::floor: return std::floor(flush(a));
      case UnaryOp::ceil: return std::ceil(flush(a));
      case UnaryOp::round: return std::nearbyint(flush(a));
      case UnaryOp::bit_not: break;
    }
  } else {
    switch (op) {
      case UnaryOp::neg: return subtract<T>(0, a);
      case UnaryOp::abs: return a < T{0} ? subtract<T>(0, a) : a;
      case UnaryOp::bit_not: return from_bits<T>(~to_bits(a));
      case UnaryOp::floor:
      case UnaryOp::ceil:
      case UnaryOp::round: return a;
      case UnaryOp::sqrt: break;
    }
  }
  ensure(false, "a unary operator does not take this dtype");
  return a;
}

/// Operators whose result has the operands' dtype.
template <class T>
T apply(BinaryOp op, T a, T b) {
  switch (op) {
    case BinaryOp::add: return add(a, b);
    case BinaryOp::sub: return subtract(a, b);
    case BinaryOp::mul: return multiply(a, b);
    case BinaryOp::div: return divide(a, b);
    case BinaryOp::floor_div: return floor_divide(a, b);
    case BinaryOp::mod: return modulo(a, b);
    case BinaryOp::max: return maximum(a, b);
    case BinaryOp::min: return minimum(a, b);
    default: break;
  }
  if constexpr (std::is_integral_v<T>) {
    switch (op) {
      case BinaryOp::bit_and: return static_cast<T>(a & b);
      case BinaryOp::bit_or: return static_cast<T>(a | b);
      case BinaryOp::bit_xor: return static_cast<T>(a ^ b);
      case BinaryOp::shift_left: return shift_left(a, b);
      case BinaryOp::shift_right: return shift_right(a, b);
      default: break;
    }
  }
  ensure(false, "a binary operator does not take this dtype");
  return a;
}

template <class T>
bool compare(BinaryOp op, T a, T b) {
  switch (op) {
    case BinaryOp::eq: return a == b;
    case BinaryOp::ne: return a != b;
    case BinaryOp::lt: return a < b;
    case BinaryOp::le: return a <= b;
    case BinaryOp::gt: return a > b;
    default: return a >= b;
  }
}

/// What a lane of a reduction starts from.
template <class T>
T neutral(ReduceOp op) {
  using Limits = std::numeric_limits<T>;
  switch (op) {
    case ReduceOp::contract:
    case ReduceOp::sum:
    case ReduceOp::any: return T{0};
    case ReduceOp::prod:
    case ReduceOp::all: return T{1};
    case ReduceOp::max: return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
    case ReduceOp::min: break;
  }
  return Limits::has_infinity ? Limits::infinity() : Limits::max();
}

/// How lane a takes in an element, or another lane. Not for contract. The next element waits for the lane only as long
/// as one instruction takes: whether b is NaN can be known before.
template <class T>
T combine(ReduceOp op, T a, T b) {
  switch (op) {
    case ReduceOp::contract: break;
    case ReduceOp::sum: return add(a, b);
    case ReduceOp::prod: return multiply(a, b);
    case ReduceOp::max: return maximum(b, a);
    case ReduceOp::min: return minimum(b, a);
    case ReduceOp::any: return a != T{0} || b != T{0} ? T{1} : T{0};
    case ReduceOp::all: return a != T{0} && b != T{0} ? T{1} : T{0};
  }
  return add(a, b);
}

}  // namespace lathe::loop::scalar
