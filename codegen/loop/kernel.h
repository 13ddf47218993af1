#pragma once

#include <string>
#include <variant>
#include <vector>

#include <lathe/codegen/loop/expr.h>

/// Kernels: what fusion makes and code generation emits.
///
/// A kernel runs its stages in order for every point of its outer axes. A stage runs over its inner axes; at each point
/// it evaluates all its yields and then writes them to their destinations: a local of the kernel (one register or one
/// row an outer point) or a tensor in memory. So a stage may update in place what it reads at the same point.
///
///   kernel dense_relu   outer i: batch, j: 128
///     acc     = contract over k: 784 of x[i, k], w[k, j]
///     h[i, j] = max(acc + b[j], 0)
///
/// A Reduce stands only at the top of a yield, alone in its stage. The order of a reduction is part of its meaning:
///
/// - contract: one chain of fused multiply-adds from +0 in ascending order of its axes (the last runs fastest). Where
///   the first axis is longer than `contract_chunk`, every `contract_chunk` of its indices are a chain of their own,
///   and the chains' sums are added up in ascending order.
/// - sum, prod, max, min, any, all: `reduce_lanes(dtype)` lanes, each starting from the neutral element. Lane l takes
///   the elements whose index along the last reduced axis is l modulo the lanes, in ascending order of all axes. At the
///   end lane l takes in lane l + n/2, for n = lanes, lanes/2, ..., 2. A lane takes in y as max(y, lane), min(y, lane).
namespace lathe::loop {

inline constexpr std::int64_t contract_chunk = 4096;
constexpr int reduce_lanes(DType dtype) {
  return dtype == DType::f64 ? 8 : 16;
}

struct LocalInfo {
  std::string name;
  DType dtype;
  Shape extents;  // of the inner axes; empty for a register
};

struct ToLocal {
  LocalId local;
  std::vector<ExprId> indices;
};
struct ToTensor {
  TensorId tensor;
  std::vector<ExprId> indices;
};
using Destination = std::variant<ToLocal, ToTensor>;

struct Yield {
  ExprId value;
  Destination destination;
};

struct Stage {
  std::vector<AxisId> inner;
  std::vector<Yield> yields;
};

struct Kernel {
  std::string name;  // of the node that gave it its main work
  std::vector<AxisId> outer;
  std::vector<LocalInfo> locals;
  std::vector<Stage> stages;
  std::vector<std::string> nodes;  // graph nodes whose work it does
  std::string boundary;            // why it was not fused further
};

/// out = base; then serially out[target] += value over `axes`.
struct ScatterKernel {
  std::string name;
  TensorId base;
  TensorId out;
  std::vector<AxisId> axes;
  std::vector<ExprId> target;
  ExprId value;
};

/// Hands a tensor to the host: the print op.
struct HostStep {
  std::string message;
  TensorId tensor;
};

/// Copies a tensor's new value over the variable it belongs to, once nothing can fail any more.
struct CommitStep {
  TensorId from;
  TensorId variable;
};

using Step = std::variant<Kernel, ScatterKernel, HostStep, CommitStep>;

}  // namespace lathe::loop
