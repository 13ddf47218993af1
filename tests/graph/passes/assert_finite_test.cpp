#include <lathe/graph/passes/assert_finite.h>

#include <algorithm>
#include <cmath>
#include <random>

#include <doctest/doctest.h>

#include <lathe/ops/effect.h>

#include "../../support/golden.h"
#include "../../support/op_samples.h"

using namespace lathe;

namespace {

bool holds_only_finite(const Tensor& tensor) {
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    if (!std::isfinite(tensor.at(i))) return false;
  }
  return true;
}

/// By the result, or by a check of the op's own.
bool is_shown(const test::SampleGraph& made, const test::Feeds& feeds, const test::Symbols& symbols) {
  try {
    return !holds_only_finite(test::interpret(made.graph, feeds, symbols)[0]);
  } catch (const RunError&) {
    return true;
  }
}

void set(Tensor& tensor, std::int64_t flat, double value) {
  const auto at = static_cast<std::size_t>(flat);
  if (tensor.dtype() == f32) {
    tensor.data<float>()[at] = static_cast<float>(value);
  } else {
    tensor.data<double>()[at] = value;
  }
}

}  // namespace

TEST_CASE("checks stand where nothing behind them shows a NaN or infinity") {
  test::check_golden("assert_finite.txt",
                     [](const Graph& graph) { return assert_finite(graph, op::assert_all_finite); });
}

TEST_CASE("no NaN or infinity hides in the inputs that ops say show them") {
  constexpr std::int64_t size = 3;
  std::mt19937_64 random(1);
  std::size_t tried = 0;
  for (const Op* op : all_ops()) {
    for (const Sample& sample : op->samples()) {
      const auto made = test::graph_of(*op, sample);
      if (!is_float(made->outputs()[0].dtype())) continue;
      for (std::size_t input = 0; input < std::min(op->shows_nonfinite, sample.in.size()); ++input) {
        test::Feeds feeds = test::feeds_of(*made, sample, size, random);
        Tensor& tensor = feeds.at(made->inputs[input].name());
        if (!is_float(tensor.dtype())) continue;
        for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
          const std::int64_t place = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(tensor.size()));
          const double before = tensor.at(place);
          set(tensor, place, value);
          CAPTURE(op->name);
          CAPTURE(input);
          CAPTURE(value);
          CHECK(is_shown(*made, feeds, test::symbols_of(sample, size)));
          set(tensor, place, before);
          ++tried;
        }
      }
    }
  }
  CHECK(tried > 100);
}
