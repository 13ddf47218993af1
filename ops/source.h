#pragma once

#include <initializer_list>
#include <source_location>
#include <span>
#include <string_view>

#include <lathe/graph/graph.h>

/// Values that come from nowhere: fed, constant or counted.
namespace lathe {

namespace op {
extern const Op placeholder;
extern const Op constant;
extern const Op fill;
extern const Op iota;
extern const Op run_seed;
}  // namespace op

/// What each run is fed. Each `None` in the shape becomes a symbol of its own:
/// placeholder(g, "images", u8, {dim("batch"), 784}) or placeholder(g, "x", f32, {None, None}).
Value placeholder(Graph& graph, std::string_view name, DType dtype, Shape shape,
                  std::source_location where = std::source_location::current());

/// A tensor that is part of the graph.
Value constant(Graph& graph, Tensor value, std::source_location where = std::source_location::current());
/// A scalar: constant(g, 0.5f).
template <Element T>
Value constant(Graph& graph, T value, std::source_location where = std::source_location::current()) {
  return constant(graph, Tensor::scalar<T>(value), where);
}
/// A vector: constant(g, {1.0f, 2.0f}).
template <Element T>
Value constant(Graph& graph, std::initializer_list<T> values,
               std::source_location where = std::source_location::current()) {
  return constant(graph, Tensor::from<T>({static_cast<std::int64_t>(values.size())}, values), where);
}
/// Row-major elements of a tensor: constant(g, {1, 2, 3, 4}, {2, 2}).
template <Element T>
Value constant(Graph& graph, std::initializer_list<T> values, Extents shape,
               std::source_location where = std::source_location::current()) {
  return constant(graph, Tensor::from<T>(std::move(shape), values), where);
}
template <Element T>
Value constant(Graph& graph, std::span<const T> values, Extents shape,
               std::source_location where = std::source_location::current()) {
  return constant(graph, Tensor::from<T>(std::move(shape), values), where);
}

/// `value` everywhere. The shape may be symbolic: fill(g, {dim("batch"), 10}, 0.5). Takes no memory of its own. Throws
/// GraphError if the dtype does not hold the value.
Value fill(Graph& graph, Shape shape, double value, DType dtype = DType::f32,
           std::source_location where = std::source_location::current());
/// A fill with the dtype and shape of `x`; does not depend on it.
Value zeros_like(Value x, std::source_location where = std::source_location::current());
Value ones_like(Value x, std::source_location where = std::source_location::current());

/// 0, 1, ..., n - 1 in any dtype but bool. Integers wrap.
Value iota(Graph& graph, Dim n, DType dtype = DType::i64, std::source_location where = std::source_location::current());

/// labels: integers of any shape. The result has one more axis, `classes` long, holding 1 at the label and 0 elsewhere;
/// a label outside [0, classes) gives zeros only. Not differentiable in the labels, which are integers.
Value one_hot(Value labels, Dim classes, DType dtype = DType::f32,
              std::source_location where = std::source_location::current());

/// The scalar i64 that random ops take their seed from by default. A graph has one at most, which the session feeds
/// with a number mixed from its own seed and the run's number.
Value run_seed(Graph& graph, std::source_location where = std::source_location::current());

}  // namespace lathe
