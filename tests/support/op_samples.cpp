#include "op_samples.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace lathe::test {
namespace {

Shape with_size(const Shape& shape, std::optional<std::int64_t> size) {
  if (!size) return shape;
  Shape out = shape;
  for (Dim& extent : out) {
    std::vector<SymbolId> symbols;
    extent.collect(symbols);
    for (const SymbolId symbol : symbols) extent = extent.substitute(symbol, *size);
  }
  return out;
}

Attributes adapted(const Attributes& attributes, bool recast, std::optional<std::int64_t> size) {
  Attributes out;
  for (const auto& [name, value] : attributes) {
    if (const auto* dtype = std::get_if<DType>(&value); dtype && recast && *dtype == DType::f32) {
      out.set(name, DType::f64);
    } else if (const auto* shape = std::get_if<Shape>(&value)) {
      out.set(name, with_size(*shape, size));
    } else {
      out.set(name, value);
    }
  }
  return out;
}

}  // namespace

Values SampleGraph::outputs() {
  Values values;
  for (std::uint32_t i = 0; i < graph.node(node).outputs.size(); ++i) values.push_back({graph, {node, i}});
  return values;
}

std::unique_ptr<SampleGraph> graph_of(const Op& op, const Sample& sample, bool recast,
                                      std::optional<std::int64_t> size) {
  const Op& placeholder = *find_op("placeholder");
  auto made = std::make_unique<SampleGraph>();
  for (std::size_t i = 0; i < sample.in.size(); ++i) {
    const DType dtype = recast && is_float(sample.in[i].dtype) ? DType::f64 : sample.in[i].dtype;
    made->inputs.push_back(
        made->graph.apply({.op = placeholder,
                           .attributes = {{"dtype", dtype}, {"shape", with_size(sample.in[i].shape, size)}},
                           .name = fmt::format("in{}", i)}));
  }
  made->node = made->graph.add(
      {.op = op, .inputs = made->inputs, .attributes = adapted(sample.attributes, recast, size), .name = "tested"});
  set_outputs(made->graph, made->outputs());
  return made;
}

std::unique_ptr<SampleGraph> constant_graph(const Op& op, const Sample& sample, std::int64_t size) {
  try {
    return graph_of(op, sample, false, size);
  } catch (const GraphError&) {
    if (size != 0) throw;
    return nullptr;
  }
}

Symbols symbols_of(const Sample& sample, std::int64_t size) {
  std::vector<SymbolId> symbols;
  for (const SampleInput& input : sample.in) {
    for (const Dim& extent : input.shape) extent.collect(symbols);
  }
  for (const auto& [name, value] : sample.attributes) {
    if (const auto* shape = std::get_if<Shape>(&value)) {
      for (const Dim& extent : *shape) extent.collect(symbols);
    }
  }
  Symbols numbers;
  for (const SymbolId symbol : symbols) numbers.emplace(name_of(symbol), size);
  return numbers;
}

SampleArray to_array(const Tensor& tensor) {
  SampleArray array{tensor.shape(), {}};
  for (std::int64_t i = 0; i < tensor.size(); ++i) array.data.push_back(tensor.at(i));
  return array;
}

Tensor to_tensor(DType dtype, const SampleArray& array) {
  Tensor tensor(dtype, array.shape);
  dispatch(dtype, [&]<class T>(T) {
    const auto data = tensor.data<T>();
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<T>(array.data[i]);
  });
  return tensor;
}

Feeds feeds_of(const SampleGraph& graph, const Sample& sample, std::int64_t size, std::mt19937_64& random) {
  Bindings bindings;
  for (const auto& [name, number] : symbols_of(sample, size)) bindings.bind(symbol(name), number);
  Feeds feeds;
  for (std::size_t i = 0; i < sample.in.size(); ++i) {
    const SampleInput& input = sample.in[i];
    const DType dtype = graph.inputs[i].dtype();
    SampleArray array{evaluate(input.shape, bindings), {}};
    std::uniform_real_distribution<double> uniform(input.low, input.high);
    for (std::int64_t k = 0; k < element_count(array.shape); ++k) {
      double value =
          input.values.empty() ? uniform(random) : input.values[static_cast<std::size_t>(k) % input.values.size()];
      if (!is_float(dtype) && input.values.empty()) value = std::floor(value);
      array.data.push_back(dtype == DType::boolean ? (value != 0 ? 1.0 : 0.0) : value);
    }
    feeds.emplace(graph.inputs[i].name(), to_tensor(dtype, array));
  }
  return feeds;
}

SampleArray reference(const Sample& sample, const std::vector<SampleArray>& inputs, const Extents& output_shape) {
  if (sample.whole) return sample.whole(inputs);
  SampleArray out{output_shape, {}};
  for (std::int64_t flat = 0; flat < element_count(output_shape); ++flat) {
    std::vector<double> elements;
    for (const SampleArray& input : inputs) {
      // The index of each axis, from the last one backwards, as far as the input has it.
      std::int64_t rest = flat;
      std::int64_t at = 0;
      std::int64_t stride = 1;
      for (std::size_t k = 0; k < output_shape.size(); ++k) {
        const std::int64_t extent = output_shape[output_shape.size() - 1 - k];
        const std::int64_t index = rest % extent;
        rest /= extent;
        if (k >= input.shape.size()) continue;
        const std::int64_t own = input.shape[input.shape.size() - 1 - k];
        if (own != 1) at += index * stride;
        stride *= own;
      }
      elements.push_back(input.data.at(static_cast<std::size_t>(at)));
    }
    out.data.push_back(sample.scalar(elements));
  }
  return out;
}

}  // namespace lathe::test
