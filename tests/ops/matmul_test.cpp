#include <lathe/ops/matmul.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/ops/gradients.h>
#include <lathe/ops/source.h>

using namespace lathe;

TEST_CASE("matmul's error names the node, the user's line and both shapes") {
  Graph g;
  const Value a = placeholder(g, "a", f32, {dim("batch"), 784});
  const Value b = placeholder(g, "b", f32, {768, 128});
  const Graph::Scope scope(g, "dense_1");
  const std::string expected = fmt::format(
      "matmul 'dense_1/matmul' (matmul_test.cpp:{}): inner dimensions differ: a [batch, 784] has 784 columns, "
      "b [768, 128] has 768 rows",
      __LINE__ + 1);
  CHECK_THROWS_WITH_AS(matmul(a, b), expected.c_str(), GraphError);
}

TEST_CASE("matmul learns what a symbol means from the other side") {
  Graph g;
  const Value a = placeholder(g, "a", f32, {2, None});
  const Value b = placeholder(g, "b", f32, {5, 3});
  CHECK(to_string(matmul(a, b).type()) == "f32 [2, 3]");
  CHECK(to_string(a.type()) == "f32 [2, 5]");
}

TEST_CASE("matmul broadcasts leading dimensions and obeys the transpose flags") {
  Graph g;
  const Value a = placeholder(g, "a", f64, {4, 1, 3, 2});
  const Value b = placeholder(g, "b", f64, {5, 7, 3});
  CHECK(to_string(matmul(a, b, {.transpose_a = true, .transpose_b = true}).type()) == "f64 [4, 5, 2, 7]");
}

TEST_CASE("gradients of matmul have their operands' types for all flags and batch dimensions") {
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      for (const Shape& batch_a : {Shape{}, Shape{dim("n")}, Shape{1}, Shape{2, 1}}) {
        for (const Shape& batch_b : {Shape{}, Shape{3}}) {
          if (batch_a == Shape{dim("n")} && !batch_b.empty()) continue;  // would make n 3
          Graph g;
          Shape shape_a = batch_a;
          for (const int extent : transpose_a ? std::vector{4, 2} : std::vector{2, 4}) shape_a.emplace_back(extent);
          Shape shape_b = batch_b;
          for (const int extent : transpose_b ? std::vector{5, 4} : std::vector{4, 5}) shape_b.emplace_back(extent);
          const Value a = placeholder(g, "a", f32, shape_a);
          const Value b = placeholder(g, "b", f32, shape_b);
          const Value c = matmul(a, b, {.transpose_a = transpose_a, .transpose_b = transpose_b});
          const Values grads = gradients({c}, {a, b});
          CHECK(grads[0].type() == a.type());
          CHECK(grads[1].type() == b.type());
        }
      }
    }
  }
}

TEST_CASE("a weight shared by a stack of matrices gets its gradient from one product, not one a matrix") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 6, 4});
  const Value w = placeholder(g, "w", f32, {4, 5});
  const Value dw = gradients({matmul(x, w)}, {w})[0];
  CHECK(dw.node().op == &op::matmul);
}
