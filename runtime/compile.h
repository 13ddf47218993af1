#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include <lathe/codegen/executable.h>
#include <lathe/codegen/lower.h>
#include <lathe/runtime/options.h>
#include <lathe/runtime/statistics.h>

namespace lathe {

/// What compiling a graph gives.
struct CompiledGraph {
  Graph graph;  // after all passes
  std::shared_ptr<const Executable> executable;
  std::vector<CompilePhase> phases;  // from the first pass to machine code
  CacheReport cache;
};

/// What lowering a graph gives.
struct LoweredGraph {
  Graph graph;  // after all passes
  LowerOptions lowering;
  Program program;
  std::vector<CompilePhase> phases;
};

/// Runs the passes over a graph and lowers what is left. Graphs after each pass go to the folder `dump`, if not empty.
LoweredGraph lower_graph(const Graph& graph, const SessionOptions& options, const std::filesystem::path& dump = {});

/// Runs the passes over a graph, then lowers what is left, and takes its code from the cache or compiles it. With
/// `options.interpret` the executable has no entry point, which makes run_program() interpret it. Graphs, kernels and
/// code go to the folder `dump`, if not empty; then all is compiled.
/// Passes to disable: dead_code, simplify, fold_constants, cse; and "fuse" for `options.fuse = false`.
CompiledGraph compile_graph(const Graph& graph, const SessionOptions& options, const std::filesystem::path& dump);

}  // namespace lathe
