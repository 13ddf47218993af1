#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include <lathe/codegen/executable.h>
#include <lathe/codegen/lower.h>
#include <lathe/runtime/options.h>
#include <lathe/runtime/slots.h>
#include <lathe/runtime/statistics.h>

namespace lathe {

/// What compiling a graph gives.
struct CompiledGraph {
  std::shared_ptr<const Executable> executable;
  SlotNames slots;
  std::vector<CompilePhase> phases;  // from the first pass to machine code
  CacheReport cache;
};

/// What lowering a graph gives.
struct LoweredGraph {
  Graph graph;  // after all passes
  Program program;
  std::vector<CompilePhase> phases;
};

/// The graph as the passes leave it, without the checks of `options.assert_all_finite`.
Graph optimise_graph(const Graph& graph, const SessionOptions& options);

/// Runs the passes over a graph and lowers what is left. Graphs after each pass go to the folder `dump`, if not empty.
LoweredGraph lower_graph(const Graph& graph, const SessionOptions& options, const std::filesystem::path& dump = {});

/// Takes a graph's program from the cache, or else runs the passes over the graph, lowers what is left and compiles it.
/// With `options.interpret` the executable has no entry point, which makes run_program() interpret it. Graphs, kernels
/// and code go to the folder `dump`, if not empty; then all is compiled. A program from the cache may be lowered later,
/// so the graph has to outlive the executable.
/// Passes to disable: dead_code, simplify, fold_constants, cse, assert_finite; "fuse" for `options.fuse = false`,
/// "strips": see LowerOptions, and "panels": see stores_panels().
CompiledGraph compile_graph(const Graph& graph, const SessionOptions& options, const std::filesystem::path& dump);

}  // namespace lathe
