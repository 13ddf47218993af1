#include <lathe/ops/conv.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/graph/passes/common_subexpressions.h>
#include <lathe/graph/passes/simplify.h>
#include <lathe/ops/gradients.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/source.h>

#include "../support/run_graph.h"

using namespace lathe;
using lathe::test::evaluate;

namespace {

Program optimised(Graph& g, const Values& outputs) {
  test::set_outputs(g, outputs);
  return test::program_of(eliminate_common_subexpressions(simplify(g)));
}

}  // namespace

TEST_CASE("a convolution correlates: the filter is not turned round") {
  Graph g;
  const Value x = constant(g, {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f, 7.0f, 8.0f, 9.0f}, {1, 3, 3, 1});
  const Value filter = constant(g, {1.0f, 10.0f, 100.0f, 1000.0f}, {2, 2, 1, 1});
  CHECK(to_string(evaluate(conv2d(x, filter))) == "f32 [1, 2, 2, 1] {5421, 6532, 8754, 9865}");
  CHECK(to_string(evaluate(conv2d(x, filter, {.strides = 2, .padding = Padding::same}))) ==
        "f32 [1, 2, 2, 1] {5421, 603, 87, 9}");
  CHECK(to_string(evaluate(conv2d(x, filter, {.dilations = 2}))) == "f32 [1, 1, 1, 1] {9731}");
}

TEST_CASE("extents of convolutions are as in TensorFlow") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("batch"), 28, 27, 3});
  const auto shape = [&](Shape filter, const Conv2dOptions& options) {
    return to_string(conv2d(x, placeholder(g, "filter", f32, std::move(filter)), options).shape());
  };
  CHECK(shape({3, 3, 3, 8}, {}) == "[batch, 26, 25, 8]");
  CHECK(shape({3, 3, 3, 8}, {.padding = Padding::same}) == "[batch, 28, 27, 8]");
  CHECK(shape({3, 3, 3, 8}, {.strides = 2}) == "[batch, 13, 13, 8]");
  CHECK(shape({3, 3, 3, 8}, {.strides = 2, .padding = Padding::same}) == "[batch, 14, 14, 8]");
  CHECK(shape({3, 5, 3, 8}, {.dilations = {1, 2}}) == "[batch, 26, 19, 8]");
  CHECK(shape({3, 3, 1, 6}, {.padding = Padding::by({1, 0}, {0, 2}), .groups = 3}) == "[batch, 27, 27, 6]");
}

TEST_CASE("heights and widths may be symbols where the number of windows is a polynomial") {
  Graph g;
  const Dim h = dim("h");
  const Value filter = placeholder(g, "filter", f32, {3, 3, 1, 2});
  const Value x = placeholder(g, "x", f32, {1, h, h * Dim(2), 1});
  CHECK(to_string(conv2d(x, filter).shape()) == "[1, h - 2, 2*h - 2, 2]");
  CHECK(to_string(conv2d(x, filter, {.strides = {1, 2}, .padding = Padding::same}).shape()) == "[1, h, h, 2]");
  const Value y = conv2d(x, filter, {.strides = {1, 2}});
  CHECK(to_string(y.shape()) == "[1, h - 2, h - 1, 2]");
  const Values grads = gradients({sum(square(y))}, {x, filter});
  CHECK(grads[0].type() == x.type());
  CHECK(grads[1].type() == filter.type());
  CHECK_THROWS_WITH_AS(
      conv2d(x, filter, {.strides = 2, .padding = Padding::same}),
      doctest::Contains("how far padding reaches around x [1, h, 2*h, 1] at strides of [2, 2] depends on more than a "
                        "polynomial says: give it as numbers, by Padding::by"),
      GraphError);
}

TEST_CASE("a convolution's error names the node, the user's line and both shapes") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("batch"), 28, 28, 3});
  const Value filter = placeholder(g, "filter", f32, {3, 3, 4, 8});
  const std::string expected = fmt::format(
      "conv2d 'conv2d' (conv_test.cpp:{}): channels differ: x [batch, 28, 28, 3] has 3, filter [3, 3, 4, 8] takes 4",
      __LINE__ + 1);
  CHECK_THROWS_WITH_AS(conv2d(x, filter), expected.c_str(), GraphError);
}

TEST_CASE("with padding made explicit, contractions choose nothing, and have the same bits") {
  const std::vector<Conv2dOptions> all = {{.padding = Padding::by({1, 2}, {0, 1})},
                                          {.padding = Padding::by({-1, 1}, {2, -1})},
                                          {.strides = {2, 3}, .padding = Padding::same},
                                          {.strides = {3, 1}, .padding = Padding::same, .dilations = {1, 2}}};
  for (const Conv2dOptions& options : all) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n"), 6, 5, 3});
    const Value filter = placeholder(g, "filter", f32, {3, 2, 3, 4});
    const Value y = conv2d(x, filter, options);
    Values outputs = {y};
    for (const Value& dx : gradients({sum(square(y))}, {x, filter})) outputs.push_back(dx);
    test::set_outputs(g, outputs);
    test::Feeds feeds = {{"x", Tensor(f32, {2, 6, 5, 3})}, {"filter", Tensor(f32, {3, 2, 3, 4})}};
    for (auto& [name, tensor] : feeds) {
      float number = 0.3f;
      for (float& element : tensor.data<float>()) element = number = 3.9f * number * (1 - number);
    }
    const std::vector<Tensor> expected = test::interpret(g, feeds);
    const test::Runnable explicitly = test::compiled(optimised(g, outputs));
    CHECK(explicitly.run(feeds).outputs == expected);

    const std::string listing = to_string(explicitly.program());
    CAPTURE(listing);
    std::size_t contractions = 0;
    for (std::size_t at = 0; (at = listing.find("contract over", at)) != std::string::npos; ++at, ++contractions) {
      CHECK(listing.substr(at, listing.find('\n', at) - at).find("select") == std::string::npos);
    }
    CHECK(contractions >= 3);
  }
}

TEST_CASE("the gradient of strides multiplies each element of dy by each element of the filter once") {
  const auto contractions = [](const Conv2dOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n"), 8, 8, 16});
    const Value dx = gradients({sum(conv2d(x, placeholder(g, "filter", f32, {3, 3, 16, 16}), options))}, {x})[0];
    const std::string listing = to_string(optimised(g, {dx}));
    std::string found;
    for (std::size_t at = 0; (at = listing.find("contract over kh: ", at)) != std::string::npos; ++at) {
      found += fmt::format("{}x{} ", listing[at + 18], listing[at + 25]);
    }
    return found;
  };
  CHECK(contractions({.padding = Padding::same}) == "3x3 ");
  CHECK(contractions({.strides = 2, .padding = Padding::same}) == "2x2 2x1 1x2 1x1 ");
  CHECK(contractions({.strides = {3, 1}, .padding = Padding::same}) == "1x3 1x3 1x3 ");
  CHECK(contractions({.strides = 4}) == "1x1 1x1 1x1 1x1 1x1 1x1 1x1 1x1 1x1 ");
  CHECK(contractions({.strides = {2, 1}, .dilations = {2, 1}}) == "3x3 ");
}

TEST_CASE("no tensor of all windows is stored, forwards or backwards, to second order") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("batch"), 14, 14, 8});
  const Value filter = placeholder(g, "filter", f32, {5, 5, 8, 16});
  const Value y = conv2d(x, filter, {.padding = Padding::same});
  Values outputs = gradients({sum(square(tanh(y)))}, {x, filter});
  for (const Value& ddx : gradients({sum(square(outputs[0])) + sum(square(outputs[1]))}, {x, filter})) {
    outputs.push_back(ddx);
  }
  const Program program = optimised(g, outputs);
  // All windows would be batch * 14 * 14 * 5 * 5 * 8.
  const Dim largest = dim("batch") * Dim(18 * 18 * 16) + Dim(5 * 5 * 8 * 16);
  for (const ProgramTensor& tensor : program.tensors) {
    if (tensor.role != Role::arena) continue;
    CAPTURE(tensor.name);
    CAPTURE(to_string(tensor.type));
    CHECK(loop::never_negative(largest - element_count(tensor.type.shape)));
  }
}
