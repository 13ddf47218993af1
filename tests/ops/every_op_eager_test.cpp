// Every op of the registry, called on arrays: the JIT's bits, in results and in gradients.
#include <optional>
#include <random>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/ops/gradients.h>
#include <lathe/runtime/eager/array.h>
#include <lathe/runtime/eager/tape.h>

#include "../support/op_samples.h"
#include "../support/run_graph.h"

using namespace lathe;
using namespace lathe::test;

namespace {

template <class F>
void for_each_sample(F f) {
  for (const Op* op : all_ops()) {
    const Samples samples = op->samples();
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::string sample = fmt::format("{}, sample {}", op->name, i);
      CAPTURE(sample);
      f(*op, samples[i]);
    }
  }
}

Values arrays_of(eager::Context& context, const SampleGraph& graph, const Feeds& feeds) {
  Values arrays;
  for (const Value& input : graph.inputs) arrays.push_back(context.array(feeds.at(input.name())));
  return arrays;
}

Value call(eager::Context& context, const SampleGraph& graph, const Op& op, const Values& arrays) {
  return context.graph().apply({.op = op, .inputs = arrays, .attributes = graph.graph.node(graph.node).attributes});
}

Values floats(const Values& values) {
  Values out;
  for (const Value& value : values) {
    if (is_float(value.dtype())) out.push_back(value);
  }
  return out;
}

/// The gradients of the sample's output with respect to its float inputs by compiled code, or why there are none.
struct Gradients {
  std::vector<Tensor> tensors;
  std::string error;
};

Gradients compiled_gradients(SampleGraph& graph, const Feeds& feeds) {
  try {
    const Values found = gradients({graph.outputs()[0]}, floats(graph.inputs));
    set_outputs(graph.graph, found);
    return {jit(graph.graph, feeds), ""};
  } catch (const GraphError& error) {
    return {{}, error.what()};
  }
}

Gradients taped_gradients(eager::Context& context, const SampleGraph& graph, const Op& op, const Feeds& feeds) {
  const Values arrays = arrays_of(context, graph, feeds);
  eager::GradientTape tape(context);
  for (const Value& array : floats(arrays)) tape.watch(array);
  const Value y = call(context, graph, op, arrays);
  try {
    Gradients out;
    for (const Value& gradient : tape.gradient(y, floats(arrays)))
      out.tensors.push_back(eager::Array(gradient).tensor());
    return out;
  } catch (const GraphError& error) {
    return {{}, error.what()};
  }
}

}  // namespace

TEST_CASE("every op called on arrays gives the JIT's bits at all sizes") {
  std::mt19937_64 random(6);
  eager::Context context({.threads = 1});
  for_each_sample([&](const Op& op, const Sample& sample) {
    const auto graph = graph_of(op, sample);
    const Runnable jitted = compiled(program_of(graph->graph));
    for (const std::int64_t size : {0, 1, 7, 8, 9, 17, 33}) {
      CAPTURE(size);
      const auto constant = constant_graph(op, sample, size);
      if (!constant) continue;
      const Feeds feeds = feeds_of(*graph, sample, size, random);
      const eager::Array actual = call(context, *constant, op, arrays_of(context, *constant, feeds));
      CHECK(actual.tensor() == jitted.run(feeds, symbols_of(sample, size)).outputs.front());
    }
  });
}

TEST_CASE("a tape differentiates every op with the JIT's bits, or says like it why there is no gradient") {
  std::mt19937_64 random(7);
  eager::Context context({.threads = 1});
  int differentiated = 0;
  for_each_sample([&](const Op& op, const Sample& sample) {
    const auto graph = graph_of(op, sample, false, 7);
    if (floats(graph->inputs).empty() || !is_float(graph->graph.node(graph->node).outputs[0].dtype)) return;
    const Feeds feeds = feeds_of(*graph, sample, 7, random);
    const Gradients actual = taped_gradients(context, *graph, op, feeds);
    const Gradients expected = compiled_gradients(*graph, feeds);
    CHECK(actual.error.empty() == expected.error.empty());
    REQUIRE(actual.tensors.size() == expected.tensors.size());
    for (std::size_t i = 0; i < actual.tensors.size(); ++i) CHECK(actual.tensors[i] == expected.tensors[i]);
    differentiated += expected.error.empty() ? 1 : 0;
  });
  CHECK(differentiated > 100);
}
