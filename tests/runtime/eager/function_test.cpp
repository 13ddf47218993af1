#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <doctest/doctest.h>

#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/effect.h>
#include <lathe/ops/losses.h>
#include <lathe/ops/math.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/optim/optimizers.h>
#include <lathe/ops/random.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/softmax.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>
#include <lathe/runtime/eager/array.h>
#include <lathe/runtime/eager/function.h>
#include <lathe/runtime/eager/model.h>
#include <lathe/runtime/eager/optimizer.h>
#include <lathe/runtime/eager/tape.h>

#include "../../support/message_of.h"

using namespace lathe;
using eager::Array;
using eager::GradientTape;
using lathe::test::message_of;

namespace {

Tensor pictures(Extents shape, std::uint32_t seed) {
  std::mt19937 random(seed);
  Tensor tensor(u8, std::move(shape));
  for (std::uint8_t& pixel : tensor.data<std::uint8_t>()) pixel = static_cast<std::uint8_t>(random());
  return tensor;
}

Tensor labels(std::int64_t count, std::uint32_t seed) {
  Tensor tensor = pictures({count}, seed);
  for (std::uint8_t& label : tensor.data<std::uint8_t>()) label %= 10;
  return tensor;
}

/// A model with an optimizer, trained step by step.
struct Trainer {
  eager::Context context;
  eager::Model model;
  eager::Optimizer optimizer;

  Trainer(const std::vector<nn::Layer>& layers, int threads)
      : context({.threads = threads, .seed = 3}),
        model(context, layers),
        optimizer(context, optim::adam({.learning_rate = 0.01})) {}

  Value step(const Value& x, const Value& y) {
    GradientTape tape(context);
    const Value loss = mean(sparse_softmax_cross_entropy(y, model(x, true)));
    optimizer.apply_gradients(tape.gradient(loss, model.parameters()), model.parameters());
    return loss;
  }

  std::vector<Tensor> weights() const {
    std::vector<Tensor> out;
    for (const Value& parameter : model.parameters()) out.push_back(Array(parameter).tensor());
    for (const auto& [name, slot] : optimizer.slots()) out.push_back(Array(slot).tensor());
    return out;
  }
};

std::vector<nn::Layer> classifier() {
  return {nn::Rescaling{1.0 / 255}, nn::Flatten{}, nn::Dense{128, relu}, nn::Dense{10}};
}

std::vector<nn::Layer> convolutional() {
  return {nn::Rescaling{1.0 / 255}, nn::Conv2D{4, 3, relu}, nn::MaxPool2D{2}, nn::Flatten{}, nn::Dense{10}};
}

}  // namespace

TEST_CASE("a traced training has the bits of the one op by op, with one thread or two, whatever the batch") {
  const std::vector<std::pair<std::vector<nn::Layer> (*)(), Extents>> models = {{classifier, {0, 28, 28}},
                                                                                {convolutional, {0, 10, 10, 1}}};
  for (const auto& [layers, shape] : models) {
    for (const int threads : {1, 2}) {
      CAPTURE(threads);
      Trainer plain(layers(), 1);
      Trainer traced(layers(), threads);
      auto step = function([&](Value x, Value y) { return traced.step(x, y); });
      std::uint32_t seed = 0;
      for (const std::int64_t batch : {8, 1, 5, 8}) {
        CAPTURE(batch);
        Extents extents = shape;
        extents[0] = batch;
        const Tensor x = pictures(extents, ++seed);
        const Tensor y = labels(batch, seed);
        const Array expected = plain.step(plain.context.array(x), plain.context.array(y));
        const Array actual = step(traced.context.array(x), traced.context.array(y));
        CHECK(actual.tensor() == expected.tensor());
      }
      CHECK(step.traces() == 1);
      CHECK(traced.weights() == plain.weights());
    }
  }
}

TEST_CASE("one trace serves all sizes, and others follow only for dtypes, ranks and what is no array") {
  eager::Context context({.threads = 1});
  int calls = 0;
  auto scaled = function([&](Value x, int factor, const std::string& name) {
    ++calls;
    return name == "square" ? square(x) * factor : x * factor;
  });
  const auto call = [&](const Tensor& x, int factor, const std::string& name) {
    const Tensor result = Array(scaled(context.array(x), factor, name)).tensor();
    return result.size() == 0 ? 0.0 : result.at(0);
  };
  CHECK(call(Tensor::from<float>({1}, {3}), 2, "square") == 18);
  CHECK(call(Tensor::from<float>({2}, {4, 5}), 2, "square") == 32);
  CHECK(call(Tensor(f32, {0}), 2, "square") == 0);
  CHECK(calls == 1);
  CHECK(call(Tensor::from<double>({1}, {3}), 2, "square") == 18);
  CHECK(call(Tensor::from<double>({1, 1}, {3}), 2, "square") == 18);
  CHECK(call(Tensor::from<double>({1, 1}, {3}), 3, "square") == 27);
  CHECK(call(Tensor::from<double>({1, 1}, {3}), 3, "linear") == 9);
  CHECK(calls == 5);
  CHECK(call(Tensor::from<float>({3}, {4, 5, 6}), 2, "square") == 32);
  CHECK(calls == 5);
  CHECK(scaled.traces() == 5);
  const std::string text = scaled.explain_retraces();
  CAPTURE(text);
  CHECK(text.find("for (f32 [1], 2, square): the first call\n") != std::string::npos);
  CHECK(text.find("for (f64 [1], 2, square): array 0 is of f64, after f32\n") != std::string::npos);
  CHECK(text.find("for (f64 [1, 1], 2, square): array 0 has rank 2, after 1\n") != std::string::npos);
  CHECK(text.find("for (f64 [1, 1], 3, square): argument '3', after '2'\n") != std::string::npos);
  CHECK(text.find("for (f64 [1, 1], 3, linear): argument 'linear', after 'square'\n") != std::string::npos);
  CHECK(text.starts_with("trace 1 of the function (function_test.cpp:"));
}

TEST_CASE("a stretched 1 is traced as what it is") {
  eager::Context context({.threads = 1});
  auto add = function([](Value x, Value y) { return x + y; });
  const Value column = context.array<float>({2, 1}, {1, 2});
  const Value row = context.array<float>({1, 2}, {10, 20});
  const Value square = context.array<float>({2, 2}, {1, 2, 3, 4});
  CHECK(Array(add(square, square)).tensor() == Tensor::from<float>({2, 2}, {2, 4, 6, 8}));
  CHECK(Array(add(column, row)).tensor() == Tensor::from<float>({2, 2}, {11, 21, 12, 22}));
  CHECK(Array(add(square, row)).tensor() == Tensor::from<float>({2, 2}, {11, 22, 13, 24}));
  CHECK(add.traces() == 3);
  CHECK(add.explain_retraces().find("extents that the earlier traces depend on") != std::string::npos);
  const Value three = context.array<float>({1, 3}, {1, 2, 3});
  CHECK(message_of([&] { add(square, three); }).find("shapes [2, 2] and [1, 3] do not broadcast") != std::string::npos);
}

TEST_CASE("arrays and variables from outside are captured, and a read sees the assignments before it") {
  eager::Context context({.threads = 1});
  const Variable count = variable(context, "count", Tensor::scalar(1.0f));
  const Value step = context.scalar(2.0f);
  auto advance = function([&](Value x) {
    assign_add(count, step);
    const Value once = count.value * x;
    assign(count, count.value * 10);
    return std::tuple<Value, Value>{once, count.value + 0};
  });
  const auto [once, twice] = advance(context.scalar(100.0f));
  CHECK(Array(once).item<float>() == 300);
  CHECK(Array(twice).item<float>() == 30);
  CHECK(Array(count.value).item<float>() == 30);
  assign(count, context.scalar(0.0f));
  advance(context.scalar(1.0f));
  CHECK(Array(count.value).item<float>() == 20);
  CHECK(advance.traces() == 1);
}

TEST_CASE("a variable that is an argument too is seen as it was when the call began") {
  eager::Context context({.threads = 1});
  const Variable w = variable(context, "w", Tensor::from<float>({3}, {1, 2, 3}));
  auto advance = function([&](Value x) {
    assign(w, w.value * 10);
    return x + w.value;
  });
  CHECK(Array(advance(w.value)).tensor() == Tensor::from<float>({3}, {11, 22, 33}));
  CHECK(Array(advance(w.value)).tensor() == Tensor::from<float>({3}, {110, 220, 330}));
  CHECK(Array(w.value).tensor() == Tensor::from<float>({3}, {100, 200, 300}));
}

TEST_CASE("a function may return nothing, several values or none of its own, and may need its context told") {
  std::vector<std::string> lines;
  eager::Context context({.threads = 1, .print = [&](std::string_view line) { lines.emplace_back(line); }});
  const Variable w = variable(context, "w", Tensor::scalar(1.0f));
  auto nothing = function(context, [&] { assign(w, w.value + 1); });
  nothing();
  nothing();
  CHECK(Array(w.value).item<float>() == 3);
  auto many = function([](Value x) { return Values{x, x + 1, square(x)}; });
  const Values three = many(context.scalar(4.0f));
  REQUIRE(three.size() == 3);
  CHECK(Array(three[0]).item<float>() == 4);
  CHECK(Array(three[2]).item<float>() == 16);
  auto loud = function([](Value x) {
    print(x, "seen");
    return x;
  });
  loud(context.scalar(5.0f));
  loud(context.scalar(6.0f));
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].find("6") != std::string::npos);
  auto lost = function([] { return Values(); });
  CHECK(message_of([&] { lost(); }).find("must be told its context") != std::string::npos);
}

TEST_CASE("a branch on a symbolic value is an error that names its line and what to use instead") {
  eager::Context context({.threads = 1});
  auto branching = function([](Value x) {
    if (sum(x) > 0) return x;
    return -x;
  });
  const std::string message = message_of([&] { branching(context.scalar(1.0f)); });
  CHECK(message.find("greater 'greater' (function_test.cpp:") != std::string::npos);
  CHECK(message.find("use select(condition, a, b)") != std::string::npos);
  auto choosing = function([](Value x) { return select(sum(x) > 0, x, -x); });
  CHECK(Array(choosing(context.scalar(-2.0f))).item<float>() == 2);
}

TEST_CASE("an error in a call points to the function's line, and leaves variables as they were") {
  eager::Context context({.threads = 1});
  const Variable w = variable(context, "w", Tensor::scalar(1.0f));
  auto checked = function([&](Value x) {
    assign(w, w.value + 1);
    assert_all_finite(x, "x");
  });
  checked(context.scalar(1.0f));
  const std::string message = message_of([&] { checked(context.scalar(1.0f) / 0); });
  CHECK(message.find("assert_all_finite 'assert_all_finite' (function_test.cpp:") != std::string::npos);
  CHECK(message.find("x: element 0 is NaN or infinite") != std::string::npos);
  CHECK(Array(w.value).item<float>() == 2);
}

TEST_CASE("a function called by another one, or under a tape, is part of it") {
  eager::Context context({.threads = 1});
  auto inner = function([](Value x) { return square(x); });
  auto outer = function([&](Value x) { return inner(x) + 1; });
  CHECK(Array(outer(context.scalar(3.0f))).item<float>() == 10);
  CHECK(inner.traces() == 0);
  GradientTape tape(context);
  const Value x = context.scalar(3.0f);
  tape.watch(x);
  CHECK(Array(tape.gradient(outer(x), {x})[0]).item<float>() == 6);
}

TEST_CASE("random ops of a traced function draw anew at each call") {
  eager::Context context({.threads = 1});
  auto draw = function(context, [&] { return random_uniform(context, {4}); });
  context.set_seed(1);
  const Tensor first = Array(draw()).tensor();
  const Tensor second = Array(draw()).tensor();
  CHECK_FALSE(first == second);
  context.set_seed(1);
  CHECK(Array(draw()).tensor() == first);
  CHECK(draw.traces() == 1);
}

TEST_CASE("a traced function cannot make variables, and what it leaves behind is of no use outside") {
  eager::Context context({.threads = 1});
  auto making = function([&](Value x) { return x + variable(context, "w", Tensor::scalar(1.0f)).value; });
  CHECK(message_of([&] { making(context.scalar(1.0f)); }).find("variable 'w' (function_test.cpp:") !=
        std::string::npos);
  Value kept;
  auto leaking = function([&](Value x) { return kept = x + 1; });
  leaking(context.scalar(1.0f));
  CHECK(message_of([&] { context.scalar(1.0f) + kept; }).find("of another context or graph") != std::string::npos);
  kept = Value();
}
