#include <lathe/graph/passes/fold_constants.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/graph/text.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/evaluate_node.h>

#include "../../support/golden.h"

using namespace lathe;

namespace {

/// The interpreter's word on one node.
std::vector<Tensor> interpret(const Graph& graph, NodeId id, std::span<const std::shared_ptr<const Tensor>> inputs) {
  std::vector<TensorView> views;
  for (const auto& input : inputs) views.push_back(*input);
  return evaluate_node(graph, id, views);
}

Graph fold(const Graph& graph) {
  return fold_constants(graph, interpret, op::constant);
}

}  // namespace

TEST_CASE("constants fold to what the interpreter computes, where that does not cost more than it saves") {
  test::check_golden("fold_constants.txt", fold);
}

TEST_CASE("no constant becomes larger than the limit") {
  const Graph graph = parse_text(
      "%0 = constant() {value = f32 [4] {1, 2, 3, 4}}\n"
      "%1 = neg(%0)\n"
      "output y = %1\n");
  const auto folds = [&](FoldOptions options) {
    return fold_constants(graph, interpret, op::constant, options).node(NodeId{1}).op == &op::constant;
  };
  CHECK(folds({.max_bytes = 16}));
  CHECK_FALSE(folds({.max_bytes = 15}));
  CHECK(folds({.max_growth_bytes = 0}));
  CHECK_FALSE(folds({.max_growth_bytes = -1}));
}

TEST_CASE("a graph without constants stays as it is, and nothing is evaluated") {
  const Graph graph = parse_text(
      "%0 = placeholder() {dtype = f32, shape = [2]}\n"
      "%1 = neg(%0)\n"
      "output y = %1\n");
  const Evaluator never = [](const Graph&, NodeId, std::span<const std::shared_ptr<const Tensor>>) {
    FAIL("evaluated");
    return std::vector<Tensor>{};
  };
  CHECK(same_structure(fold_constants(graph, never, op::constant), graph));
}
