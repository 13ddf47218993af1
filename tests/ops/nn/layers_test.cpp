#include <lathe/ops/nn/layers.h>

#include <doctest/doctest.h>

#include <lathe/ops/math.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

using namespace lathe;

namespace {

std::vector<std::string> names(const Values& values) {
  std::vector<std::string> result;
  for (const Value& value : values) result.push_back(value.name());
  return result;
}

}  // namespace

TEST_CASE("dense layers name their parameters after themselves, and tell each other apart") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("batch"), 784});
  const Value h = nn::dense(x, 128, {.activation = relu});
  const Value logits = nn::dense(h, 10);
  CHECK(to_string(logits.type()) == "f32 [batch, 10]");
  CHECK(names(trainable_variables(g)) ==
        std::vector<std::string>{"dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"});
  CHECK(to_string(trainable_variables(g)[0].type()) == "f32 [784, 128]");
  CHECK(to_string(trainable_variables(g)[3].type()) == "f32 [10]");
}

TEST_CASE("dense works on stacks of rows, in f64, and without a bias") {
  Graph g;
  const Value x = placeholder(g, "x", f64, {dim("n"), 7, 4});
  CHECK(to_string(nn::dense(x, 3, {.use_bias = false, .name = "head"}).type()) == "f64 [n, 7, 3]");
  CHECK(names(trainable_variables(g)) == std::vector<std::string>{"head/kernel"});
}

TEST_CASE("dense says what is wrong with its input") {
  Graph g;
  CHECK_THROWS_WITH_AS(nn::dense(placeholder(g, "a", u8, {2, 3}), 4),
                       doctest::Contains("takes floats, and x is u8: cast it first"), GraphError);
  CHECK_THROWS_WITH_AS(nn::dense(placeholder(g, "b", f32, {2, dim("n")}), 4),
                       doctest::Contains("sizes its kernel by the last axis of x [2, n], which must be a number"),
                       GraphError);
  CHECK_THROWS_WITH_AS(nn::dense(placeholder(g, "c", f32, {3}), 4),
                       doctest::Contains("takes rows [.., n], and x is [3]"), GraphError);
  CHECK_THROWS_WITH_AS(nn::dense(placeholder(g, "d", f32, {2, 3}), 0),
                       doctest::Contains("needs at least one unit, 0 given"), GraphError);
}

TEST_CASE("convolutions name their parameters, whose shapes follow from image, window and groups") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("batch"), 28, 28, 4});
  const Value h = nn::conv2d(x, 32, 3, {.activation = relu, .padding = Padding::same});
  CHECK(to_string(h.type()) == "f32 [batch, 28, 28, 32]");
  const Value y = nn::conv2d(nn::max_pool2d(h, 2), 64, {3, 5}, {.strides = 2, .groups = 8, .use_bias = false});
  CHECK(to_string(y.type()) == "f32 [batch, 6, 5, 64]");
  CHECK(names(trainable_variables(g)) == std::vector<std::string>{"conv2d/kernel", "conv2d/bias", "conv2d_1/kernel"});
  CHECK(to_string(trainable_variables(g)[0].type()) == "f32 [3, 3, 4, 32]");
  CHECK(to_string(trainable_variables(g)[1].type()) == "f32 [32]");
  CHECK(to_string(trainable_variables(g)[2].type()) == "f32 [3, 5, 4, 64]");
}

TEST_CASE("a convolution says what is wrong with its input") {
  Graph g;
  CHECK_THROWS_WITH_AS(nn::conv2d(placeholder(g, "a", u8, {1, 8, 8, 1}), 4, 3),
                       doctest::Contains("conv2d 'conv2d' (layers_test.cpp:"), GraphError);
  CHECK_THROWS_WITH_AS(nn::conv2d(placeholder(g, "b", f32, {1, 8, 8}), 4, 3),
                       doctest::Contains("takes images [N, H, W, C] with C a number, and x is [1, 8, 8]"), GraphError);
  CHECK_THROWS_WITH_AS(nn::conv2d(placeholder(g, "c", f32, {1, 8, 8, 3}), 0, 3),
                       doctest::Contains("needs at least one filter, 0 given"), GraphError);
  CHECK_THROWS_WITH_AS(nn::conv2d(placeholder(g, "d", f32, {1, 8, 8, 3}), 4, 3, {.groups = 2}),
                       doctest::Contains("cannot make 2 groups of the 3 channels of x [1, 8, 8, 3]"), GraphError);
}

TEST_CASE("activations are given by function, by name or as a lambda") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {2, 3});
  CHECK(nn::Activation(relu)(x).node().op == &op::relu);
  CHECK(nn::Activation("tanh")(x).node().op == &op::tanh);
  CHECK(nn::Activation([](Value v) { return exp(v); })(x).node().op == &op::exp);
  CHECK(nn::Activation("linear")(x) == x);
  CHECK(nn::Activation().is_linear());
  CHECK(to_string(nn::Activation("softmax")(x).type()) == "f32 [2, 3]");
  CHECK_THROWS_WITH_AS(
      nn::Activation("rellu"),
      doctest::Contains("there is no 'rellu'; there are linear, relu, sigmoid, tanh, softplus, softmax"), GraphError);
}
