#pragma once

#include <functional>
#include <source_location>
#include <string_view>

#include <lathe/graph/graph.h>

namespace lathe::nn {

/// What a layer applies to its result, made implicitly from a function of this library (lathe::relu), from anything
/// that turns a Value into a Value, or from a name: "linear", "relu", "sigmoid", "tanh", "softplus" or "softmax" (along
/// the last axis). Nothing at all is linear. Throws GraphError for an unknown name.
class Activation {
 public:
  Activation() = default;
  Activation(Value (*function)(Value, std::source_location)) : function_(function) {}
  Activation(std::function<Value(Value)> function);
  template <class F>
  requires std::is_invocable_r_v<Value, F, Value> &&
      (!std::is_same_v<F, std::function<Value(Value)>>)Activation(F function)
      : Activation(std::function<Value(Value)>(std::move(function))) {}
  Activation(std::string_view name, std::source_location where = std::source_location::current());
  Activation(const char* name, std::source_location where = std::source_location::current())
      : Activation(std::string_view(name), where) {}

  /// True if there is nothing to apply.
  bool is_linear() const { return !function_; }
  Value operator()(Value x, std::source_location where = std::source_location::current()) const;

 private:
  std::function<Value(Value, std::source_location)> function_;
};

}  // namespace lathe::nn
