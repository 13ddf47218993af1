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
