#include <lathe/ops/pool.h>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <lathe/graph/passes/fold_constants.h>
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

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

Value image(Graph& g, std::initializer_list<float> pixels, std::int64_t height, std::int64_t width) {
  return constant(g, pixels, {1, height, width, 1});
}

}  // namespace

TEST_CASE("pooling takes the largest element and the mean of each window") {
  Graph g;
  const Value x = image(g, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 3, 4);
  CHECK(to_string(evaluate(max_pool2d(x, 2))) == "f32 [1, 1, 2, 1] {6, 8}");
  CHECK(to_string(evaluate(avg_pool2d(x, 2))) == "f32 [1, 1, 2, 1] {3.5, 5.5}");
  CHECK(to_string(evaluate(max_pool2d(x, {2, 3}, {.strides = 1}))) == "f32 [1, 2, 2, 1] {7, 8, 11, 12}");
  CHECK(to_string(evaluate(avg_pool2d(x, {3, 4}))) == "f32 [1, 1, 1, 1] {6.5}");
}

TEST_CASE("padding is never the largest element and counts for no mean") {
  Graph g;
  const Value x = image(g, {-1, -2, -3, -4, -5, -6, -7, -8, -9}, 3, 3);
  const PoolOptions same{.padding = Padding::same};
  CHECK(to_string(evaluate(max_pool2d(x, 2, same))) == "f32 [1, 2, 2, 1] {-1, -3, -7, -9}");
  CHECK(to_string(evaluate(avg_pool2d(x, 2, same))) == "f32 [1, 2, 2, 1] {-3, -4.5, -7.5, -9}");
  const Value y =
      max_pool2d(placeholder(g, "x", f32, {dim("n"), 28, 27, 3}), 3, {.strides = 2, .padding = Padding::same});
  CHECK(to_string(y.type()) == "f32 [n, 14, 14, 3]");
}

TEST_CASE("of equal elements the first has the gradient, and of NaNs the first NaN") {
  Graph g;
  const auto gradient = [&](const Value& x, Size2d window, Size2d strides) {
    return to_string(evaluate(gradients({sum(max_pool2d(x, window, {.strides = strides}))}, {x})[0]));
  };
  CHECK(gradient(image(g, {1, 5, 5, 5}, 2, 2), 2, 2) == "f32 [1, 2, 2, 1] {0, 1, 0, 0}");
  CHECK(gradient(image(g, {1, not_a_number, 5, not_a_number}, 2, 2), 2, 2) == "f32 [1, 2, 2, 1] {0, 1, 0, 0}");
  CHECK(gradient(image(g, {0, 0, 0, 0, 0, 0}, 2, 3), 2, 1) == "f32 [1, 2, 3, 1] {1, 1, 0, 0, 0, 0}");
  CHECK(gradient(image(g, {1, 9, 1, 1, 1, 1}, 2, 3), 2, 1) == "f32 [1, 2, 3, 1] {0, 2, 0, 0, 0, 0}");
  CHECK(gradient(image(g, {1, 2, 3, 4, 5, 6}, 2, 3), 2, 2) == "f32 [1, 2, 3, 1] {0, 0, 0, 0, 1, 0}");
}

TEST_CASE("pooling with padding has gradients to second order") {
  Graph g;
  const Value x = placeholder(g, "x", f64, {1, 3, 3, 1});
  const PoolOptions same{.strides = 2, .padding = Padding::same};
  Tensor pixels(f64, {1, 3, 3, 1});
  for (std::int64_t i = 0; i < 9; ++i) pixels.data<double>()[static_cast<std::size_t>(i)] = static_cast<double>(i);
  const Value largest = max_pool2d(x, 2, same);  // 4, 5, 7, 8
  const Value slope = gradients({sum(largest * square(largest))}, {x})[0];
  CHECK(evaluate(slope, {{"x", pixels}}) == Tensor::from<double>({1, 3, 3, 1}, {0, 0, 0, 0, 48, 75, 0, 147, 192}));
  const Value curvature = gradients({sum(slope)}, {x})[0];
  CHECK(evaluate(curvature, {{"x", pixels}}) == Tensor::from<double>({1, 3, 3, 1}, {0, 0, 0, 0, 24, 30, 0, 42, 48}));
  const Value mean = avg_pool2d(x, 2, same);  // of 4, 2, 2 and 1 pixels
  const Value mean_slope = gradients({sum(mean)}, {x})[0];
  CHECK(evaluate(mean_slope, {{"x", pixels}}) ==
        Tensor::from<double>({1, 3, 3, 1}, {0.25, 0.25, 0.5, 0.25, 0.25, 0.5, 0.5, 0.5, 1}));
}

TEST_CASE("pooling's gradient stores no windows, and where windows lie side by side sums nothing") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 8, 8, 16});
  const Value y = max_pool2d(x, 2);
  test::set_outputs(g, {gradients({sum(square(y))}, {x})[0]});
  const Program program = test::program_of(simplify(g));
  const std::string listing = to_string(program);
  CAPTURE(listing);
  CHECK(listing.find("sum over") == std::string::npos);
  for (const ProgramTensor& tensor : program.tensors) {
    if (tensor.role != Role::arena) continue;
    CAPTURE(tensor.name);
    CHECK(loop::never_negative(element_count(y.shape()) - element_count(tensor.type.shape)));
  }
}

TEST_CASE("pooling says what is wrong with its input") {
  Graph g;
  CHECK_THROWS_WITH_AS(max_pool2d(placeholder(g, "a", f32, {28, 28}), 2),
                       doctest::Contains("takes images [N, H, W, C], and x [28, 28] has rank 2"), GraphError);
  CHECK_THROWS_WITH_AS(avg_pool2d(placeholder(g, "b", f32, {1, 2, 8, 1}), 3),
                       doctest::Contains("a window spans 3 along axis 1, x [1, 2, 8, 1] has 2 there"), GraphError);
  CHECK_THROWS_WITH_AS(max_pool2d(placeholder(g, "c", f32, {1, dim("h"), 8, 1}), 2, {.padding = Padding::same}),
                       doctest::Contains("how far padding reaches around x [1, h, 8, 1] at strides of [2, 2] depends"),
                       GraphError);
  CHECK_THROWS_WITH_AS(max_pool2d(placeholder(g, "d", f32, {1, 8, 8, 1}), 0),
                       doctest::Contains("'window' [0, 0] has to be two numbers of at least 1"), GraphError);
}
