// Checks the gradient of every op in the registry, to second order, against central differences in f64.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lathe/ops/cast.h>
#include <lathe/ops/gradients.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/source.h>

#include "../support/op_samples.h"
#include "../support/run_graph.h"

using namespace lathe;
using namespace lathe::test;

namespace {

constexpr std::int64_t size = 3;
constexpr double step = 1e-5;
constexpr double tolerance = 2e-6;

/// The inputs that gradients are taken with respect to.
Values differentiated(const SampleGraph& graph, const Sample& sample) {
  Values xs;
  for (std::size_t i = 0; i < sample.in.size(); ++i) {
    if (is_float(graph.inputs[i].dtype()) && sample.in[i].differentiate) xs.push_back(graph.inputs[i]);
  }
  return xs;
}

/// The sum of a value's elements times weights that differ, so that no gradient cancels: 1.3, 0.9, ...
Value weighted_sum(const Value& y) {
  Value position = constant(y.graph(), 0.0);
  for (std::size_t axis = 0; axis < y.rank(); ++axis) {
    Value along = iota(y.graph(), y.shape()[axis], f64);
    for (std::size_t inner = axis + 1; inner < y.rank(); ++inner) along = expand_dims(along, -1);
    position = position * 7.3 + along;
  }
  return sum(y * (1.1 + sin(position + 1) * 0.4));
}

/// A scalar that depends on all float outputs, or nothing if there are none.
std::optional<Value> loss_of(SampleGraph& graph) {
  std::optional<Value> loss;
  for (const Value& y : graph.outputs()) {
    if (!is_float(y.dtype())) continue;
    const Value part = weighted_sum(y);
    loss = loss ? *loss + part : part;
  }
  return loss;
}

/// Compares the gradients dxs of `scalar` with differences of it: along every element of every x, or, where
/// `directions` is given, along so many random directions an x, of which a wrong element is in all.
void check_gradients(Graph& graph, const Value& scalar, const Values& xs, const Values& dxs, Feeds feeds,
                     const Symbols& symbols, std::mt19937_64& random, std::optional<int> directions = std::nullopt) {
  set_outputs(graph, dxs);
  const std::vector<Tensor> actual = interpret(graph, feeds, symbols);
  set_outputs(graph, {scalar});
  const Runnable runnable = interpreted(program_of(graph));
  std::normal_distribution<double> normal;
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const Tensor x = feeds.at(xs[i].name());
    REQUIRE(to_string(actual[i].type()) == to_string(x.type()));
    const std::size_t elements = x.data<double>().size();
    const int tries = elements == 0 ? 0 : directions.value_or(static_cast<int>(elements));
    for (int k = 0; k < tries; ++k) {
      std::vector<double> direction(elements, 0.0);
      if (directions) {
        std::generate(direction.begin(), direction.end(), [&] { return normal(random); });
      } else {
        direction[static_cast<std::size_t>(k)] = 1;
      }
      const auto value_at = [&](double distance) {
        const std::span<double> moved = feeds.at(xs[i].name()).data<double>();
        for (std::size_t j = 0; j < elements; ++j) moved[j] = x.data<double>()[j] + distance * direction[j];
        return runnable.run(feeds, symbols).outputs[0].item<double>();
      };
      const double expected = (value_at(step) - value_at(-step)) / (2 * step);
      const std::span<const double> slopes = actual[i].data<double>();
      const double found = std::inner_product(direction.begin(), direction.end(), slopes.begin(), 0.0);
      if (std::abs(found - expected) <= tolerance * std::max(1.0, std::abs(expected))) continue;
      FAIL_CHECK(fmt::format("d/d {} along [{}] is {:.12g}, differences say {:.12g}", xs[i].name(),
                             fmt::join(direction, ", "), found, expected));
      return;
    }
    feeds.at(xs[i].name()) = x;
  }
}

template <class F>
void for_each_differentiable_sample(F f) {
  for (const Op* op : all_ops()) {
    if (!op->gradient) continue;
    const Samples samples = op->samples();
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::string sample = fmt::format("{}, sample {}", op->name, i);
      CAPTURE(sample);
      try {
        const auto graph = graph_of(*op, samples[i], true);
        const Values xs = differentiated(*graph, samples[i]);
        if (xs.empty()) continue;
        const std::optional<Value> loss = loss_of(*graph);
        if (loss) f(*graph, samples[i], xs, *loss);
      } catch (const std::exception& error) {
        FAIL_CHECK(error.what());  // and on with the next op
      }
    }
  }
}

}  // namespace

TEST_CASE("every op's gradient is what central differences say") {
  std::mt19937_64 random(11);
  for_each_differentiable_sample([&](SampleGraph& graph, const Sample& sample, const Values& xs, const Value& loss) {
    const Values dxs = gradients({loss}, xs);
    check_gradients(graph.graph, loss, xs, dxs, feeds_of(graph, sample, size, random), symbols_of(sample, size),
                    random);
  });
}

TEST_CASE("every op's gradient can be differentiated, and is what central differences of the gradient say") {
  std::mt19937_64 random(12);
  for_each_differentiable_sample([&](SampleGraph& graph, const Sample& sample, const Values& xs, const Value& loss) {
    Value slope;
    for (const Value& dx : gradients({loss}, xs)) {
      const Value part = weighted_sum(dx);
      slope = slope.empty() ? part : slope + part;
    }
    const Values ddxs = gradients({slope}, xs);
    check_gradients(graph.graph, slope, xs, ddxs, feeds_of(graph, sample, size, random), symbols_of(sample, size),
                    random, 2);
  });
}

TEST_CASE("differentiating through an op without a gradient is an error that says why") {
  for (const Op* op : all_ops()) {
    if (op->gradient) continue;
    CAPTURE(op->name);
    for (const Sample& sample : op->samples()) {
      const auto graph = graph_of(*op, sample);
      if (graph->inputs.empty()) continue;
      const Value y = graph->outputs().front();
      const Value x = graph->inputs.front();
      std::string message = "nothing was thrown";
      try {
        gradients({y}, {x});
      } catch (const GraphError& error) {
        message = error.what();
      }
      CAPTURE(message);
      const bool not_floats = message.find("only floats have gradients") != std::string::npos;
      CHECK((not_floats || message.find(op->not_differentiable) != std::string::npos));
    }
  }
}
