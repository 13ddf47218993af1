#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <lathe/graph/graph.h>

namespace lathe {

/// A named step from graph to graph.
struct Pass {
  std::string name;
  std::function<Graph(const Graph&)> apply;
};

struct PassOptions {
  /// Passes to skip, by name. Names that no pass has are ignored: other parts of the compiler read them.
  std::vector<std::string> disable = {};
  /// Where to write the graph before the first and after each pass: 00-input.txt, 01-dead_code.txt, ..., and the same
  /// as .dot for Graphviz. Nothing is written if this is empty.
  std::filesystem::path dump = {};
  /// Whether to verify the graph after each pass that changed it.
  bool verify = true;

  bool enabled(std::string_view name) const;

  /// `dump` from LATHE_DUMP, `disable` from LATHE_DISABLE (names separated by commas). The one place that reads them.
  static PassOptions from_environment();
};

/// What a pass did.
struct PassReport {
  std::string name;
  std::chrono::nanoseconds time{};  // of the pass alone
  bool skipped = false;
  bool changed = false;
  std::size_t nodes_before = 0;
  std::size_t nodes_after = 0;
};

/// "dead_code      312 -> 280 nodes  0.21 ms", a pass a line.
std::string to_string(std::span<const PassReport> reports);

struct PassResult {
  Graph graph;
  std::vector<PassReport> reports;  // one a pass
};

/// Runs the passes in order. Throws std::logic_error, naming the pass, if one breaks the graph, and DataError if a dump
/// cannot be written.
PassResult run_passes(const Graph& graph, std::span<const Pass> passes, const PassOptions& options = {});

}  // namespace lathe
