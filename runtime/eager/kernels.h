#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include <lathe/codegen/executable.h>
#include <lathe/graph/graph.h>
#include <lathe/runtime/options.h>

namespace lathe::eager {

/// The compiled program of one op: for one list of attributes, dtypes and ranks, and all sizes.
struct Kernel {
  std::shared_ptr<const Graph> graph;  // placeholders "in0", "in1", ... and the node
  std::shared_ptr<const Executable> executable;
  std::vector<Dim> extents;         // of the placeholders, then those in attributes: numbers and symbols
  std::vector<std::size_t> inputs;  // the op's, by slot of the program
};

/// A kernel, and what its symbols stand for where it is used.
struct BoundKernel {
  std::shared_ptr<const Kernel> kernel;
  Bindings bindings;                  // of the program's symbols
  std::vector<std::int64_t> symbols;  // the same, in its order
  std::size_t arena_bytes = 0;
};

/// Compiles ops, each once: extents become symbols, those in attributes too. Where a rule needs to know an extent, such
/// as a 1 that is stretched, or those that a reshape brings together, it is part of the program, and others get
/// programs of their own.
class Kernels {
 public:
  explicit Kernels(SessionOptions options) : options_(std::move(options)) { options_.assert_all_finite = false; }

  /// The kernel for a node with complete attributes and types of numbers, whose inputs are `inputs`.
  BoundKernel find(const Node& node, std::span<const TensorType> inputs);

  /// How many were compiled, and how many of those that were found in the cache on disk were not.
  std::size_t compiled() const { return compiled_; }
  std::size_t found() const { return found_; }
  double compile_milliseconds() const { return compile_milliseconds_; }

 private:
  /// Kernels that differ only in the extents that they know.
  struct Family {
    Attributes attributes;                              // without the numbers in shapes
    std::vector<std::pair<DType, std::size_t>> inputs;  // dtypes and ranks
    std::vector<std::shared_ptr<const Kernel>> kernels;
  };

  Family& family(const Node& node, std::span<const TensorType> inputs);
  void compile(Kernel& kernel);

  SessionOptions options_;
  std::unordered_map<const Op*, std::vector<Family>> families_;
  std::size_t count_ = 0;
  std::size_t compiled_ = 0;
  std::size_t found_ = 0;
  double compile_milliseconds_ = 0;
};

}  // namespace lathe::eager
