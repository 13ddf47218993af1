#include <cmath>
#include <functional>

#include <doctest/doctest.h>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/cast.h>
#include <lathe/ops/conv.h>
#include <lathe/ops/losses.h>
#include <lathe/ops/math.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/pool.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/softmax.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>
#include <lathe/runtime/eager/array.h>
#include <lathe/runtime/eager/tape.h>
#include <lathe/runtime/session.h>

#include "../../support/message_of.h"
#include "../../support/noise.h"

using namespace lathe;
using eager::Array;
using eager::GradientTape;
using lathe::test::message_of;
using lathe::test::noise;

namespace {

/// A scalar of several inputs.
struct Model {
  std::string name;
  std::vector<Extents> inputs;
  std::function<Value(const Values&)> loss;
};

std::vector<Model> models() {
  return {
      {"rows through two layers",
       {{6, 5}, {5, 7}, {7}, {7, 3}, {3}},
       [](const Values& v) {
         const Value logits = matmul(relu(matmul(v[0], v[1]) + v[2]), v[3]) + v[4];
         return mean(sparse_softmax_cross_entropy(cast(iota(v[0].graph(), 6) % 3, i32), logits));
       }},
      {"images through a convolution",
       {{2, 6, 6, 2}, {3, 3, 2, 4}, {4}},
       [](const Values& v) {
         const Value maps = max_pool2d(relu(conv2d(v[0], v[1]) + v[2]), 2);
         return sum(square(flatten(maps)));
       }},
      {"a normalised row",
       {{4, 9}, {9}},
       [](const Values& v) {
         const Value centred = v[0] - mean(v[0], {-1}, true);
         return sum(centred / sqrt(mean(square(centred), {-1}, true) + 1e-5f) * v[1]);
       }},
      {"a value used twice, sliced and transposed",
       {{3, 4}},
       [](const Values& v) {
         const Value part = slice(transpose(v[0]), {Range{1, 3}});
         return sum(part * exp(part) + tanh(part) / (square(part) + 1));
       }},
  };
}

std::vector<Tensor> tensors_of(const Model& model) {
  std::vector<Tensor> tensors;
  for (const Extents& shape : model.inputs) tensors.push_back(noise(shape, static_cast<std::uint32_t>(tensors.size())));
  return tensors;
}

/// The loss and its gradients, then those of the sum of the squared gradients, by a session.
std::vector<Tensor> symbolic(const Model& model) {
  Graph graph;
  Values inputs;
  std::vector<Feed> feeds;
  const std::vector<Tensor> tensors = tensors_of(model);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    inputs.push_back(placeholder(graph, "in", f32, to_shape(tensors[i].shape())));
    feeds.push_back({inputs.back(), tensors[i]});
  }
  const Value loss = model.loss(inputs);
  const Values first = gradients({loss}, inputs);
  Value norm = sum(square(first[0]));
  for (std::size_t i = 1; i < first.size(); ++i) norm = norm + sum(square(first[i]));
  Values fetches = {loss};
  for (const Values& more : {first, gradients({norm}, inputs)}) fetches.insert(fetches.end(), more.begin(), more.end());
  Session session(graph, {.threads = 1});
  return session.run(ValueRefs(fetches), feeds);
}

std::vector<Tensor> taped(const Model& model) {
  eager::Context context({.threads = 1});
  Values inputs;
  for (const Tensor& tensor : tensors_of(model)) inputs.push_back(context.array(tensor));
  GradientTape outer(context);
  for (const Value& input : inputs) outer.watch(input);
  GradientTape inner(context);
  for (const Value& input : inputs) inner.watch(input);
  const Value loss = model.loss(inputs);
  const Values first = inner.gradient(loss, inputs);
  Value norm = sum(square(first[0]));
  for (std::size_t i = 1; i < first.size(); ++i) norm = norm + sum(square(first[i]));
  Values results = {loss};
  for (const Values& more : {first, outer.gradient(norm, inputs)}) {
    results.insert(results.end(), more.begin(), more.end());
  }
  std::vector<Tensor> out;
  for (const Value& result : results) out.push_back(Array(result).tensor());
  return out;
}

}  // namespace

TEST_CASE("a tape's gradients, and those of gradients through a tape around it, have the bits of symbolic ones") {
  for (const Model& model : models()) {
    CAPTURE(model.name);
    const std::vector<Tensor> expected = symbolic(model);
    const std::vector<Tensor> actual = taped(model);
    REQUIRE(actual.size() == expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) {
      CAPTURE(i);
      CHECK(actual[i] == expected[i]);
    }
  }
}

TEST_CASE("trainable variables are watched by themselves, others and arrays when they are told to be") {
  eager::Context context({.threads = 1});
  const Variable w = variable(context, "w", Tensor::scalar(3.0f));
  const Variable fixed = variable(context, "fixed", Tensor::scalar(2.0f), {.trainable = false});
  GradientTape tape(context, {.persistent = true});
  tape.watch(fixed);
  const Value y = square(w.value) * fixed.value;
  const Values found = tape.gradient(y, {w, fixed});
  CHECK(Array(found[0]).item<float>() == 12);
  CHECK(Array(found[1]).item<float>() == 9);

  GradientTape blind(context, {.watch_variables = false});
  const Value z = square(w.value);
  CHECK(message_of([&] { blind.gradient(z, {w}); }) ==
        "gradient tape (HERE): 'w' f32 [] is not watched: call watch() before computing with it");
}

TEST_CASE("what a variable is assigned later does not change what was recorded") {
  eager::Context context({.threads = 1});
  const Variable w = variable(context, "w", Tensor::scalar(3.0f));
  GradientTape tape(context);
  const Value y = square(w.value);
  assign(w, context.scalar(100.0f));
  const Value z = y + square(w.value);
  CHECK(Array(tape.gradient(z, {w})[0]).item<float>() == 2 * 3 + 2 * 100);
}

TEST_CASE("a value that nothing watched leads to has a gradient of zeros, or none, or is an error") {
  eager::Context context({.threads = 1});
  const Value x = context.array<float>({2}, {1, 2});
  const Value other = context.array<float>({3}, {1, 2, 3});
  GradientTape tape(context, {.persistent = true});
  tape.watch(x);
  tape.watch(other);
  const Value y = sum(x);
  CHECK(Array(tape.gradient(y, {other})[0]).tensor() == Tensor(f32, {3}));
  CHECK(tape.gradient(y, {other}, {.unconnected = Unconnected::empty})[0].empty());
  CHECK(message_of([&] {
          tape.gradient(y, {other}, {.unconnected = Unconnected::error});
        }).find("the ys do not depend on x 'array'") != std::string::npos);
}

TEST_CASE("several ys are weighted by their grad_ys") {
  eager::Context context({.threads = 1});
  const Value x = context.array<float>({2}, {1, 2});
  GradientTape tape(context);
  tape.watch(x);
  const Value weights = context.array<float>({2}, {10, 100});
  const Values found = tape.gradient({square(x), exp(x * 0)}, {x}, {weights, Value()});
  CHECK(Array(found[0]).tensor() == Tensor::from<float>({2}, {20, 400}));
}

TEST_CASE("a tape is used up by its first gradient unless it is persistent") {
  eager::Context context({.threads = 1});
  const Value x = context.scalar(3.0f);
  {
    GradientTape tape(context);
    tape.watch(x);
    const Value y = square(x);
    tape.gradient(y, {x});
    CHECK(message_of([&] { tape.gradient(y, {x}); }) ==
          "gradient tape (HERE): gradient() was called before, which used the tape up: make it with {.persistent = "
          "true}");
    CHECK(message_of([&] { tape.watch(x); }) ==
          "gradient tape (HERE): it was used up by gradient(): make it persistent to go on");
  }
  GradientTape tape(context, {.persistent = true});
  tape.watch(x);
  const Value y = square(x);
  CHECK(Array(tape.gradient(y, {x})[0]).item<float>() == 6);
  const Value z = y * x;
  CHECK(Array(tape.gradient(z, {x})[0]).item<float>() == 27);
}

TEST_CASE("a tape refuses what it does not watch and what has no gradient") {
  eager::Context context({.threads = 1});
  const Value x = context.scalar(3.0f);
  const Value count = context.scalar(std::int32_t{3});
  GradientTape tape(context, {.persistent = true});
  const Value y = square(x);
  CHECK(message_of([&] { tape.gradient(y, {x}); }) ==
        "gradient tape (HERE): 'array' f32 [] is not watched: call watch() before computing with it");
  CHECK(message_of([&] { tape.watch(count); }) ==
        "gradient tape (HERE): 'array' is i32 [], and only floats have gradients");
  CHECK(message_of([&] { tape.watch(Value()); }) ==
        "gradient tape (HERE): an empty Value, never set or moved from, cannot be watched");
  eager::Context other({.threads = 1});
  const Value elsewhere = other.scalar(1.0f);
  CHECK(message_of([&] { tape.watch(elsewhere); }) ==
        "gradient tape (HERE): an array of another context cannot be watched");
}

TEST_CASE("an error in a gradient points to the line of the call that it differentiates") {
  eager::Context context({.threads = 1});
  const Value x = context.array<float>({2, 2}, {1, 2, 3, 4});
  GradientTape tape(context);
  tape.watch(x);
  const Value y = reduce_max(x, {0});
  const Value grad = context.array<float>({3}, {1, 2, 3});
  CHECK(
      message_of([&] { tape.gradient({y}, {x}, {grad}); }).starts_with("gradients (HERE): grad_y 'array' is f32 [3]"));
}

TEST_CASE("what a tape has recorded goes with it") {
  eager::Context context({.threads = 1});
  const Value x = context.array(noise({64, 64}, 1));
  const std::uint64_t before = context.statistics().arrays;
  {
    GradientTape tape(context);
    tape.watch(x);
    Value y = x;
    for (int i = 0; i < 10; ++i) y = tanh(y);
    CHECK(context.statistics().arrays >= before + 10);
    y = Value();
    CHECK(context.statistics().arrays >= before + 10);
  }
  CHECK(context.statistics().arrays == before);
}
