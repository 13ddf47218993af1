// Walks the registry and checks of every op what its record promises. A new op is tested by being registered.
#include <algorithm>
#include <cmath>
#include <random>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/graph/text.h>
#include <lathe/ops/source.h>

#include "../support/op_samples.h"
#include "../support/run_graph.h"

using namespace lathe;
using namespace lathe::test;

namespace {

/// Around nothing, one, vectors of 8 and 16 lanes, and their remainders.
constexpr std::int64_t awkward_sizes[] = {0, 1, 7, 8, 9, 17, 33};

/// Ops with nothing to run on their own: what is fed or kept, and assignments, which need a variable as their input.
bool may_lack_samples(const Op& op) {
  return op.kind == Kind::placeholder || op.kind == Kind::variable || op.kind == Kind::assign;
}

template <class F>
void for_each_sample(F f) {
  for (const Op* op : all_ops()) {
    const Samples samples = op->samples();
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::string sample = fmt::format("{}, sample {}", op->name, i);
      CAPTURE(sample);
      try {
        f(*op, samples[i]);
      } catch (const std::exception& error) {
        FAIL_CHECK(std::string(error.what()));  // and on with the next op
      }
    }
  }
}

std::vector<SampleArray> arrays(const SampleGraph& graph, const Feeds& feeds) {
  std::vector<SampleArray> inputs;
  for (const Value& input : graph.inputs) inputs.push_back(to_array(feeds.at(input.name())));
  return inputs;
}

/// f32's tolerance is the sample's; f64 has 29 more bits.
double tolerance(const Sample& sample, const SampleGraph& graph) {
  const Node& node = graph.graph.node(graph.node);
  const auto is_f32 = [](DType dtype) { return dtype == DType::f32; };
  const bool single = is_f32(node.outputs[0].dtype) || std::any_of(graph.inputs.begin(), graph.inputs.end(),
                                                                   [&](const Value& x) { return is_f32(x.dtype()); });
  return single ? sample.tolerance : sample.tolerance * 1e-6;
}

/// NaNs are equal, and infinities of one sign.
bool close(double a, double b, double tolerance) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (a == b) return true;
  return std::abs(a - b) <= tolerance * std::max(1.0, std::abs(b));
}

void check_close(const SampleArray& actual, const SampleArray& expected, double tolerance) {
  REQUIRE(to_string(actual.shape) == to_string(expected.shape));
  REQUIRE(actual.data.size() == expected.data.size());
  for (std::size_t i = 0; i < actual.data.size(); ++i) {
    if (close(actual.data[i], expected.data[i], tolerance)) continue;
    FAIL_CHECK(fmt::format("element {} is {}, expected {}", i, actual.data[i], expected.data[i]));
    return;
  }
}

void check_same_bits(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (actual[i] == expected[i]) continue;
    REQUIRE(to_string(actual[i].type()) == to_string(expected[i].type()));
    std::int64_t at = 0;
    while (actual[i].at(at) == expected[i].at(at) && at + 1 < actual[i].size()) ++at;
    FAIL_CHECK(fmt::format("output {}: bits differ, at element {}: {:.17g}, expected {:.17g}", i, at, actual[i].at(at),
                           expected[i].at(at)));
  }
}

}  // namespace

TEST_CASE("every op has a doc, samples, a gradient or a reason why not, and fitting inputs and attributes") {
  for (const Op* op : all_ops()) {
    CAPTURE(op->name);
    CHECK(!op->doc.empty());
    CHECK((!op->samples().empty() || may_lack_samples(*op)));
    CHECK((op->gradient != nullptr) == op->not_differentiable.empty());
    CHECK(op->infer != nullptr);
    CHECK(op->min_inputs <= op->max_inputs);
    for (const Sample& sample : op->samples()) CHECK(sample.in.size() >= op->min_inputs);
    for (const AttributeSpec& attribute : op->attributes) CHECK(!attribute.doc.empty());
  }
}

TEST_CASE("every op's interpreted result has the inferred shape and is its reference") {
  std::mt19937_64 random(1);
  for_each_sample([&](const Op& op, const Sample& sample) {
    if (!sample.scalar && !sample.whole) return;
    const auto graph = graph_of(op, sample);
    const Runnable runnable = interpreted(program_of(graph->graph));
    for (const std::int64_t size : awkward_sizes) {
      CAPTURE(size);
      const Feeds feeds = feeds_of(*graph, sample, size, random);
      const Tensor result = runnable.run(feeds, symbols_of(sample, size)).outputs.front();
      const SampleArray expected = reference(sample, arrays(*graph, feeds), result.shape());
      check_close(to_array(result), expected, tolerance(sample, *graph));
    }
  });
}

TEST_CASE("every op gives the same bits fused or not, with symbols or numbers as extents") {
  std::mt19937_64 random(2);
  for_each_sample([&](const Op& op, const Sample& sample) {
    const auto graph = graph_of(op, sample);
    const Runnable fused = interpreted(program_of(graph->graph));
    const Runnable plain = interpreted(program_of(graph->graph, {.fuse = false}));
    for (const std::int64_t size : awkward_sizes) {
      CAPTURE(size);
      const Feeds feeds = feeds_of(*graph, sample, size, random);
      const Symbols symbols = symbols_of(sample, size);
      const std::vector<Tensor> expected = plain.run(feeds, symbols).outputs;
      check_same_bits(fused.run(feeds, symbols).outputs, expected);
      if (const auto constant = constant_graph(op, sample, size)) {
        check_same_bits(interpret(constant->graph, feeds), expected);
      }
    }
  });
}

TEST_CASE("every op compiled gives the interpreter's bits, one program at all sizes") {
  std::mt19937_64 random(3);
  for_each_sample([&](const Op& op, const Sample& sample) {
    const auto graph = graph_of(op, sample);
    const Runnable expected = interpreted(program_of(graph->graph));
    const Runnable actual = compiled(program_of(graph->graph));
    for (const std::int64_t size : awkward_sizes) {
      CAPTURE(size);
      const Feeds feeds = feeds_of(*graph, sample, size, random);
      const Symbols symbols = symbols_of(sample, size);
      check_same_bits(actual.run(feeds, symbols).outputs, expected.run(feeds, symbols).outputs);
    }
  });
}

TEST_CASE("every op compiled for constant extents gives the interpreter's bits") {
  std::mt19937_64 random(4);
  for_each_sample([&](const Op& op, const Sample& sample) {
    const bool symbolic = !symbols_of(sample, 1).empty();
    for (const std::int64_t size : {0, 7, 33}) {
      CAPTURE(size);
      const auto graph = constant_graph(op, sample, size);
      if (!graph) continue;
      const Feeds feeds = feeds_of(*graph, sample, size, random);
      check_same_bits(jit(graph->graph, feeds), interpret(graph->graph, feeds));
      if (!symbolic) break;
    }
  });
}

TEST_CASE("every op's graph comes back from its text as it was") {
  for_each_sample([](const Op& op, const Sample& sample) {
    const auto graph = graph_of(op, sample);
    const std::string text = to_text(graph->graph);
    CAPTURE(text);
    const Graph parsed = parse_text(text);
    CHECK(same_structure(graph->graph, parsed));
    CHECK(to_text(parsed) == text);
  });
}

TEST_CASE("every bad sample raises its error, which names the op and the line") {
  for (const Op* op : all_ops()) {
    for (const BadSample& bad : op->bad_samples()) {
      CAPTURE(op->name);
      CAPTURE(bad.error);
      Graph g;
      Values inputs;
      for (const TensorType& type : bad.in) inputs.push_back(placeholder(g, "in", type.dtype, type.shape));
      std::string message = "nothing was thrown";
      try {
        g.apply({.op = *op, .inputs = inputs, .attributes = bad.attributes});
      } catch (const GraphError& error) {
        message = error.what();
      }
      CAPTURE(message);
      CHECK(message.find(bad.error) != std::string::npos);
      CHECK(message.starts_with(fmt::format("{} '{}' (every_op_test.cpp:", op->name, op->name)));
    }
  }
}
