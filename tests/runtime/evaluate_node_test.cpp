#include <lathe/runtime/evaluate_node.h>

#include <array>

#include <doctest/doctest.h>

#include <lathe/ops/effect.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/source.h>

using namespace lathe;

TEST_CASE("a node runs alone, whatever stands for the extents that it knows of") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {3});
  const Value rows = broadcast_to(x, {dim("n"), 3});
  const Tensor row = Tensor::from<float>({3}, {1, 2, 3});
  for (const std::int64_t n : {0, 1, 2}) {
    Bindings bindings;
    bindings.bind(symbol("n"), n);
    const std::vector<Tensor> outputs = evaluate_node(g, rows.id().node, std::array<TensorView, 1>{row}, bindings);
    REQUIRE(outputs.size() == 1);
    CHECK(outputs[0].shape() == Extents{n, 3});
    for (std::int64_t i = 0; i < 3 * n; ++i) CHECK(outputs[0].at(i) == static_cast<double>(i % 3 + 1));
  }
}

TEST_CASE("a check of a node that runs alone names the node") {
  Graph g;
  const Value labels = placeholder(g, "labels", i32, {dim("n")});
  const Value checked = check_labels(labels, 10);
  const Tensor wrong = Tensor::from<std::int32_t>({2}, {3, 10});
  Bindings bindings;
  bindings.bind(symbol("n"), 2);
  const std::string expected = describe(checked.node()) + ": label 10 at row 1 is outside [0, 10)";
  CHECK_THROWS_WITH_AS(evaluate_node(g, checked.id().node, std::array<TensorView, 1>{wrong}, bindings),
                       expected.c_str(), RunError);
}
