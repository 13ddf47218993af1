#pragma once

#include <optional>
#include <string>
#include <vector>

#include <lathe/codegen/loop/expr.h>
#include <lathe/graph/graph.h>

namespace lathe::loop {

/// out = base; then, for every point of `axes` in row-major order, out[target] += value.
struct Scatter {
  TensorId base;
  std::vector<AxisId> axes;
  std::vector<ExprId> target;
  ExprId value;
};

/// A tensor as a function of its indices: out[axes] = expr. Scatter-add is a kind of its own.
struct Definition {
  std::vector<AxisId> axes;
  std::variant<ExprId, Scatter> value;
};

/// What an op's `lower` writes to: describes each output element as an expression of input elements.
///
///   .lower = [](loop::Body& body) { body.yield(loop::max(body.in(0), body.in(1))); }
class Body {
 public:
  /// `inputs` are the tensors behind the node's inputs.
  Body(Pool& pool, const Graph& graph, NodeId node, std::vector<TensorId> inputs);

  Pool& pool() { return pool_; }
  const Graph& graph() const { return graph_; }
  const Node& node() const { return node_; }
  template <class T>
  const T& attribute(std::string_view name) const {
    return node_.attributes.get<T>(name);
  }
  std::size_t inputs() const { return inputs_.size(); }
  const TensorType& in_type(std::size_t i) const;
  const TensorType& out_type(std::size_t output = 0) const { return node_.outputs.at(output); }

  /// The index along axis `d` of an output.
  Expr axis(std::size_t d, std::size_t output = 0);
  Expr extent(const Dim& dim) { return pool_.extent(graph_.resolve(dim)); }
  Expr constant(DType dtype, double value) { return pool_.constant(dtype, value); }

  /// Input `i` at the output's index, broadcast by NumPy's rules.
  Expr in(std::size_t i, std::size_t output = 0);
  /// Input `i` at the given indices, one an axis.
  Expr in(std::size_t i, const std::vector<Expr>& indices);
  /// The output's index as one row-major number.
  Expr flat_index(std::size_t output = 0);

  /// A new axis to reduce over.
  AxisId reduce_axis(const Dim& extent, std::string name = "k");
  Expr index(AxisId axis) { return pool_.index(axis); }
  /// sum over axes of a * b as one chain of fused multiply-adds in ascending order: the contraction.
  Expr contract(std::vector<AxisId> axes, Expr a, Expr b) {
    return pool_.reduce(ReduceOp::contract, std::move(axes), a, b);
  }
  Expr reduce(ReduceOp op, std::vector<AxisId> axes, Expr a) { return pool_.reduce(op, std::move(axes), a); }

  /// `value`, and a RunError naming this node where `condition` is false. In `message`, {index} and {detail} become
  /// the two i64 numbers.
  Expr check(Expr condition, Expr value, Expr index, Expr detail, std::string message);

  void yield(Expr value, std::size_t output = 0);
  /// Output 0 becomes input `base` with `value` added at `target` for every point of `axes`.
  void yield_scatter(std::size_t base, std::vector<AxisId> axes, const std::vector<Expr>& target, Expr value);

  /// One an output, complete after `lower` has run.
  std::vector<Definition> take();

 private:
  Pool& pool_;
  const Graph& graph_;
  const Node& node_;
  std::vector<TensorId> inputs_;
  std::vector<std::vector<AxisId>> axes_;
  std::vector<std::optional<std::variant<ExprId, Scatter>>> yields_;
};

}  // namespace lathe::loop
