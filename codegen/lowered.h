#pragma once

#include <optional>
#include <vector>

#include <lathe/codegen/loop/body.h>
#include <lathe/codegen/program.h>

namespace lathe {

/// A tensor's place in vectors that are kept by TensorId.
constexpr std::size_t number(loop::TensorId id) {
  return static_cast<std::size_t>(id);
}

/// Where a tensor's values must end up.
struct Target {
  loop::TensorId tensor;
  loop::TensorId destination;  // of Role::output or Role::variable
};

/// A graph as definitions: every tensor a function of others. Between the graph and its kernels.
struct Lowered {
  std::shared_ptr<loop::Pool> pool = std::make_shared<loop::Pool>();
  std::vector<ProgramTensor> tensors;                        // by TensorId
  std::vector<std::optional<loop::Definition>> definitions;  // by TensorId; none for inputs, variables, constants
  std::vector<std::string> nodes;                            // by TensorId: the graph node that computes it
  std::vector<loop::TensorId> inputs, outputs, variables;    // by slot
  std::vector<Target> targets;
  std::vector<loop::HostStep> host_steps;  // in the graph's order

  loop::TensorId add(ProgramTensor tensor, std::string node, std::optional<loop::Definition> definition = std::nullopt);
  const ProgramTensor& tensor(loop::TensorId id) const { return tensors.at(number(id)); }
  const std::optional<loop::Definition>& definition(loop::TensorId id) const { return definitions.at(number(id)); }
  /// The expression of a definition; null for scatters and what has no definition.
  const loop::ExprId* expression(loop::TensorId id) const;
  /// The Reduce at the top of a definition, or null.
  const loop::Reduce* reduction(loop::TensorId id) const;
  bool is_contraction(loop::TensorId id) const;
  /// All expressions of a definition.
  std::vector<loop::ExprId> roots(loop::TensorId id) const;
  /// The loads in a definition, each once.
  std::vector<loop::Load> loads(loop::TensorId id) const;
  bool has_check(loop::TensorId id) const;
};

/// Asks every node's op record for its definition. Each reduction becomes the top of a definition of its own, and so
/// does a check that is the same for whole rows; what is fetched or assigned always has one.
Lowered define(const Graph& graph);

/// The loads among what `roots` are made of, each once.
std::vector<loop::Load> loads_in(const loop::Pool& pool, std::span<const loop::ExprId> roots);
bool contains_check(const loop::Pool& pool, std::span<const loop::ExprId> roots);

}  // namespace lathe
