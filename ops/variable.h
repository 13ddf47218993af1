#pragma once

#include <source_location>
#include <string_view>

#include <lathe/graph/graph.h>

/// State that outlives a run. Within one run every read sees the value from before the run; all assignments take effect
/// together at its end, and only those that the fetched values depend on.
namespace lathe {

namespace op {
extern const Op variable;
extern const Op assign;
}  // namespace op

/// What `variable` makes: the value to compute with, and the assignment that gives it its initial value. Stands for its
/// value wherever a Value is wanted.
struct Variable {
  Value value;
  Value initializer;

  operator Value() const { return value; }
  const TensorType& type() const { return value.type(); }
  const Shape& shape() const { return value.shape(); }
  DType dtype() const { return value.dtype(); }
  Graph& graph() const { return value.graph(); }
};

struct VariableOptions {
  /// Whether training may change it: what optimizers update by default. Their own state and other counters are not.
  bool trainable = true;
};

/// A variable of the dtype and shape of `initial`, which may be any value: constant, random, or computed. The shape
/// must not be symbolic. Session::initialize runs all initializers. Gradient: `gradients` may be asked for the gradient
/// with respect to a variable; nothing flows into the initial value.
Variable variable(Graph& graph, std::string_view name, Value initial, VariableOptions options = {},
                  std::source_location where = std::source_location::current());
Variable variable(Graph& graph, std::string_view name, Tensor initial, VariableOptions options = {},
                  std::source_location where = std::source_location::current());

/// All trainable variables, in the order in which they were made.
Values trainable_variables(Graph& graph);

/// Gives `variable` (a Variable, or its value) a new value of the same dtype and shape at the end of each run that
/// depends on the result, which is the new value. Two assignments to one variable in one run are an error.
/// Gradient: flows to the new value.
Value assign(Value variable, Value value, std::source_location where = std::source_location::current());

/// assign(variable, variable + delta). `delta` broadcasts to the variable.
Value assign_add(Value variable, Value delta, std::source_location where = std::source_location::current());

}  // namespace lathe
