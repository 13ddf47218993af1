#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/graph/dispatcher.h>

namespace lathe::eager {

class State;

/// Variables by name: what a function that is traced may make, once.
using VariablesByName = std::map<std::string, Value, std::less<>>;

/// A function while it is being traced: a graph to which its ops are added. What they use from outside comes in when it
/// is first used: arrays as hidden arguments, variables as variables, of which a read sees what was assigned before it.
class Trace final : public Dispatcher {
 public:
  explicit Trace(State& state);

  Value argument(std::string_view name, const TensorType& type);

  // Dispatcher: adds.
  using Dispatcher::apply;
  Value apply(Graph::NodeSpec spec) override;
  Value scalar(DType dtype, std::uint64_t bits, const std::source_location& where) override;

  /// The value in this graph that stands for `value`.
  Value import(const Value& value);
  /// The variable itself, whose reads do not see assignments.
  Value import_variable(const Value& variable);
  /// While set, variables that the function makes are looked for, or else made, there.
  VariablesByName* variables = nullptr;

  /// What the symbols in the arguments' extents stand for in the call that is traced.
  Bindings example;

  /// An array or variable of the context and what stands for it here.
  struct Captured {
    Value outside;
    Value inside;
    Value current;  // of a variable: what a read sees
  };

  /// Ends the function: its results, and all that must happen.
  void finish(const Values& results);

  Graph graph;
  Values arguments;
  std::vector<Captured> arrays;
  std::vector<Captured> captured_variables;
  std::vector<ValueId> fetches;  // the results, and then perhaps one for what must happen
  std::size_t results = 0;

 private:
  Captured* find_variable(const Value& value);
  Value assign(Graph::NodeSpec spec);
  Value make_variable(Graph::NodeSpec spec);
  std::string name_outside(const std::string& slot) const;
  void initialize(const Value& variable, const Value& value);

  State& state_;
  std::vector<NodeId> effects_;
};

/// While it lives, ops are added to a trace instead of being computed.
class Tracing {
 public:
  Tracing(State& state, Trace* trace);
  ~Tracing();
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;

 private:
  State& state_;
  Trace* outer_;
};

}  // namespace lathe::eager
