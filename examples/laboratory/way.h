#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/graph/tensor.h>
#include <lathe/runtime/options.h>

#include "batch.h"

namespace lathe::laboratory {

/// What a step takes besides time. Nothing stands for what cannot be observed.
struct Costs {
  std::int64_t dispatches = 0;              // calls that leave the caller's code: of ops, of a program
  std::int64_t kernels = 0;                 // loops over elements; of libtorch, ops that compute and call no others
  std::optional<std::int64_t> bytes_moved;  // by kernels: inputs and results
  std::int64_t peak_bytes = 0;              // of the batch, weights, Adam's state and all that lies between
  std::optional<std::int64_t> arena_bytes;  // of those, planned when the program was compiled
};

/// The network while it is trained in one of the ways.
class Training {
 public:
  virtual ~Training() = default;
  /// Takes a step and gives the loss before it.
  virtual float step(const Batch& batch) = 0;
  /// w1, b1, w2, b2.
  virtual std::vector<Tensor> weights() = 0;
  /// Takes a step that is like the steps before it.
  virtual Costs costs_of_step(const Batch& batch) = 0;
  /// In all steps so far, if the options say to profile; nothing where that cannot be.
  virtual std::optional<double> kernel_microseconds() { return std::nullopt; }
};

/// A way to train.
struct Way {
  char letter;
  std::string_view name;
  /// Begins anew, from initial weights.
  std::function<std::unique_ptr<Training>(const std::vector<Tensor>& initial, const SessionOptions& options)> begin;
  /// Whether something is compiled when it begins, so that a cache of programs can help.
  bool compiles = false;
  /// Whether its losses have the bits of the other ways.
  bool exact = true;
};

/// (a) to (c).
std::vector<Way> session_ways();
/// (d); nothing in builds with sanitizers, which have no say in what is compiled ahead of time.
std::vector<Way> ahead_ways();
/// (e); nothing where libtorch is not installed.
std::vector<Way> torch_ways();

}  // namespace lathe::laboratory
