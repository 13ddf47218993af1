#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lathe/codegen/executable.h>
#include <lathe/runtime/extract.h>
#include <lathe/runtime/feed_check.h>
#include <lathe/runtime/options.h>
#include <lathe/runtime/slots.h>
#include <lathe/runtime/statistics.h>

namespace lathe {

/// Everything that runs with one list of fetches and feeds share: what to check, what to compile, and how the program's
/// slots map to feeds and variables. Independent of the numbers that symbols stand for.
class Plan : public std::enable_shared_from_this<Plan> {
 public:
  /// A run of `fetches` given `feeds`. Throws RunError for what extract() and FeedCheck reject.
  Plan(const Graph& graph, std::span<const ValueId> fetches, std::span<const ValueId> feeds);
  /// The run that gives variables their initial values.
  struct Initialize {};
  Plan(const Graph& graph, Initialize);

  struct Symbol {
    SymbolId id;
    std::string needed_by;  // a node
  };

  bool compiled() const { return executable_ != nullptr; }
  /// Compiles the program; call once. `number` tells its dump from others'.
  void compile(const SessionOptions& options, std::size_t number);

  /// Binds the symbols of what is fed, one tensor a feed. Throws RunError if one does not fit, or if they do not say
  /// what a symbol is or make an extent negative.
  void bind(std::span<const TensorView> feeds, Bindings& bindings) const;

  const FeedCheck& feeds() const { return feeds_; }
  const std::vector<ValueId>& feed_ids() const { return feed_ids_; }
  const Extraction& extraction() const { return extraction_; }

  // Of a compiled plan:
  const Executable& executable() const { return *executable_; }
  const Slots& slots() const { return slots_; }

  ProgramStatistics statistics;

 private:
  void note_extents();

  std::vector<ValueId> feed_ids_;
  FeedCheck feeds_;
  Extraction extraction_;
  std::vector<Symbol> needed_symbols_;
  std::vector<DoubtfulExtent> doubtful_;
  std::shared_ptr<const Executable> executable_;
  Slots slots_;
};

}  // namespace lathe
