#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <lathe/graph/graph.h>
#include <lathe/runtime/value_ref.h>

namespace lathe {

/// What the variables of a graph hold between runs.
class VariableStore {
 public:
  struct Variable {
    Tensor tensor;  // as compiled programs have it: see codegen/layout.h
    bool initialized = false;
    Tensor next = Tensor(DType::u8, {0});  // what programs that exchange it write its new value to
  };

  /// The graph may grow later and must outlive the store. Without `panels` all is stored in row-major order.
  explicit VariableStore(const Graph& graph, bool panels = true) : graph_(graph), panels_(panels) {}

  /// The storage of the variable node `id`: zeros that do not count as initialised until somebody says so. Stays where
  /// it is. Throws RunError if its shape holds a symbol.
  Variable& at(NodeId id);

  /// The variable that is meant. Throws RunError if there is no such variable, with the nearest name.
  NodeId find(const ValueRef& reference) const;
  /// Of all variables in the graph, sorted.
  std::vector<std::string> names() const;

  /// A copy of what a variable holds. Throws RunError if it is not initialised.
  Tensor read(NodeId id) const;
  /// Throws RunError if dtype or shape differ from the variable's.
  void write(NodeId id, const TensorView& tensor);

  /// FNV-1a over the bytes of all variables in the order of their names. Throws RunError if one is not initialised.
  std::uint64_t hash() const;

 private:
  std::int64_t panel_of(const TensorType& type) const;

  const Graph& graph_;
  bool panels_;
  std::map<NodeId, Variable> variables_;  // those that somebody asked for
};

/// Throws RunError: the variable has no value yet.
[[noreturn]] void not_initialized(const Node& variable);

}  // namespace lathe
