#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lathe/codegen/program.h>
#include <lathe/runtime/extract.h>

namespace lathe {

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

/// The slots of `program`, which `optimised` was lowered to: what passes made of the extraction for these feeds.
Slots slots_of(const Extraction& extraction, std::span<const ValueId> feeds, const Graph& optimised,
               const Program& program);

/// An extent that could be negative for some sizes of the feeds, such as n - 5.
struct DoubtfulExtent {
  Dim extent;
  std::string node;
  std::size_t axis;
};

std::vector<DoubtfulExtent> doubtful_extents(const Graph& graph);

}  // namespace lathe
