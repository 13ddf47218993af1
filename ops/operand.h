#pragma once

#include <cstdint>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <lathe/graph/graph.h>
#include <lathe/ops/variable.h>

namespace lathe {

/// An argument of an operator or a broadcasting op: a value, a variable or a number. Made implicitly, it remembers the
/// line that it was made on, which is how nodes made by `a + b` come to know theirs.
class Operand {
 public:
  Operand(Value value, std::source_location where = std::source_location::current())
      : argument_(value), where_(where) {}
  Operand(const Variable& variable, std::source_location where = std::source_location::current())
      : argument_(variable.value), where_(where) {}
  template <class T>
  requires std::is_floating_point_v<T> Operand(T number, std::source_location where = std::source_location::current())
      : argument_(static_cast<double>(number)), where_(where) {}
  template <class T>
  requires std::is_integral_v<T> Operand(T number, std::source_location where = std::source_location::current())
      : argument_(static_cast<std::int64_t>(number)), where_(where) {}

  /// The value, or null if this is a number.
  const Value* value() const { return std::get_if<Value>(&argument_); }
  const std::source_location& where() const { return where_; }
  /// The value; a number becomes a constant scalar of `dtype`. Throws GraphError if the dtype cannot hold the number:
  /// an integer or a bool never takes a fraction, and only floats round.
  Value as(Graph& graph, DType dtype, const std::source_location& where) const;

 private:
  std::variant<Value, double, std::int64_t> argument_;
  std::source_location where_;
};

/// Both operands as values: a number takes the other side's dtype. Throws GraphError if both are numbers; `op` says for
/// which op.
std::pair<Value, Value> as_values(const Operand& a, const Operand& b, std::string_view op,
                                  const std::source_location& where);

}  // namespace lathe
