#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include <lathe/graph/graph.h>

#include "run_graph.h"

/// Samples of ops made into graphs and data.
namespace lathe::test {

/// One use of an op: placeholders in0, in1, ... and the node.
struct SampleGraph {
  Graph graph;
  Values inputs;
  NodeId node{};

  Values outputs();
};

/// The sample's graph; with `recast`, floats (in attributes too) are f64. With `size`, the symbols in shapes become
/// that number.
std::unique_ptr<SampleGraph> graph_of(const Op& op, const Sample& sample, bool recast = false,
                                      std::optional<std::int64_t> size = std::nullopt);

/// The sample with each of its symbols' sizes as a number, or nothing where the op refuses one: an axis known to be
/// empty may be an error where one that turns out empty is not.
std::unique_ptr<SampleGraph> constant_graph(const Op& op, const Sample& sample, std::int64_t size);

/// All symbols in the sample's shapes, standing for `size`.
Symbols symbols_of(const Sample& sample, std::int64_t size);

/// Data for the inputs, by the sample's ranges.
Feeds feeds_of(const SampleGraph& graph, const Sample& sample, std::int64_t size, std::mt19937_64& random);

/// A tensor's elements in double precision.
SampleArray to_array(const Tensor& tensor);
/// Elements rounded to `dtype`.
Tensor to_tensor(DType dtype, const SampleArray& array);

/// The sample's result in double precision: from `scalar` by broadcasting, or from `whole`.
SampleArray reference(const Sample& sample, const std::vector<SampleArray>& inputs, const Extents& output_shape);

}  // namespace lathe::test
