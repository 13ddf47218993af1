#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lathe/runtime/extract.h>

namespace lathe {

/// The nodes that a program's slots stand for, by name.
struct SlotNames {
  struct Variable {
    std::string name;
    bool read;
    bool assigned;
    bool operator==(const Variable&) const = default;
  };

  std::vector<std::string> inputs;
  std::vector<Variable> variables;

  bool operator==(const SlotNames&) const = default;
};

/// Of the program that `optimised` is lowered to.
SlotNames slot_names(const Graph& optimised);

/// What the slots of a program are to the graph that it was extracted from.
struct Slots {
  struct VariableUse {
    NodeId node;  // the user's
    bool read;
    bool assigned;
  };

  /// Where an input comes from: a feed, by its number; nothing for the run's seed.
  std::vector<std::optional<std::size_t>> inputs;
  std::vector<VariableUse> variables;
  /// The meaning of each of the program's symbols in terms of the feeds'.
  std::vector<Dim> symbols;

  bool use_seed() const;
};

/// The slots of a program with these names and symbols, compiled from `extraction`, whose inputs are `feeds`.
Slots slots_of(const Extraction& extraction, std::span<const ValueId> feeds, const SlotNames& names,
               std::span<const SymbolId> symbols);

/// An extent that could be negative for some sizes of the feeds, such as n - 5.
struct DoubtfulExtent {
  Dim extent;
  std::string node;
  std::size_t axis;
};

std::vector<DoubtfulExtent> doubtful_extents(const Graph& graph);

}  // namespace lathe
