#include <lathe/ops/windows.h>

#include <doctest/doctest.h>

#include <lathe/ops/gradients.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/source.h>

#include "../support/run_graph.h"

using namespace lathe;
using lathe::test::counted;
using lathe::test::evaluate;

namespace {

/// x[i] = i as an image of one channel.
Value image(Graph& g, std::int64_t height, std::int64_t width) {
  Tensor x(f32, {1, height, width, 1});
  for (std::int64_t i = 0; i < x.size(); ++i) x.data<float>()[static_cast<std::size_t>(i)] = static_cast<float>(i);
  return constant(g, std::move(x));
}

std::string amounts(const Padding& padding, const Shape& image, const Extents& spans, const Extents& strides) {
  const auto found = padding.amounts(image, spans, strides);
  return found ? to_string(found->low) + " " + to_string(found->high) : "unknown";
}

}  // namespace

TEST_CASE("windows are views of the image, one after the other") {
  Graph g;
  CHECK(to_string(evaluate(windows(image(g, 2, 4), 2, {1, 2}))) == "f32 [1, 1, 2, 2, 2, 1] {0, 1, 4, 5, 2, 3, 6, 7}");
  CHECK(
      to_string(windows(placeholder(g, "x", f32, {dim("n"), dim("h"), dim("w") * Dim(2), 3}), {3, 2}, {1, 2}).type()) ==
      "f32 [n, h - 2, w, 3, 2, 3]");
}

TEST_CASE("an element's gradient counts the windows it is in") {
  Graph g;
  const Value x = image(g, 3, 5);
  const auto counts = [&](Size2d window, Size2d strides) {
    return evaluate(gradients({sum(windows(x, window, strides))}, {x})[0]);
  };
  const Extents shape = {1, 3, 5, 1};
  CHECK(counts(2, 1) == Tensor::from<float>(shape, {1, 2, 2, 2, 1, 2, 4, 4, 4, 2, 1, 2, 2, 2, 1}));
  CHECK(counts({3, 2}, {1, 2}) == Tensor::from<float>(shape, {1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0}));
  CHECK(counts(1, {2, 3}) == Tensor::from<float>(shape, {1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0}));
}

TEST_CASE("padding is as in TensorFlow") {
  CHECK(amounts(Padding::valid, {28, 28}, {3, 3}, {1, 1}) == "[0, 0] [0, 0]");
  CHECK(amounts(Padding::same, {28, 28}, {3, 5}, {1, 1}) == "[1, 2] [1, 2]");
  CHECK(amounts(Padding::same, {28, 28}, {2, 4}, {1, 1}) == "[0, 1] [1, 2]");
  CHECK(amounts(Padding::same, {28, 27}, {3, 3}, {2, 2}) == "[0, 1] [1, 1]");
  CHECK(amounts(Padding::same, {7, 8}, {1, 2}, {3, 3}) == "[0, 0] [0, 0]");
  CHECK(amounts(Padding::by({1, 2}, {3, 4}), {7, 7}, {1, 1}, {1, 1}) == "[1, 2] [3, 4]");
}

TEST_CASE("padding of symbolic extents is known where it is the same for all of them") {
  const Dim n = dim("n");
  CHECK(amounts(Padding::same, {n, n}, {3, 2}, {1, 1}) == "[1, 0] [1, 1]");
  CHECK(amounts(Padding::same, {n * Dim(2), n * Dim(2) + Dim(1)}, {3, 3}, {2, 2}) == "[0, 1] [1, 1]");
  CHECK(amounts(Padding::same, {n, n}, {3, 3}, {2, 2}) == "unknown");
}
