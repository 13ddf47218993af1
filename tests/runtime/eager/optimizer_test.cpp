#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <lathe/ops/gradients.h>
#include <lathe/ops/math.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/optim/optimizers.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>
#include <lathe/runtime/eager/array.h>
#include <lathe/runtime/eager/function.h>
#include <lathe/runtime/eager/model.h>
#include <lathe/runtime/eager/optimizer.h>
#include <lathe/runtime/eager/tape.h>
#include <lathe/runtime/session.h>

#include "../../support/message_of.h"
#include "../../support/noise.h"

using namespace lathe;
using eager::Array;
using lathe::test::message_of;
using lathe::test::noise;

namespace {

/// Large enough to be stored in panels by compiled programs.
const Extents kernel = {160, 256};

Value loss_of(const Value& x, const Value& w, const Value& b) {
  return mean(square(tanh(matmul(x, w) + b) - 0.5f));
}

std::vector<Tensor> by_session(const optim::Optimizer& optimizer, int steps) {
  Graph graph;
  const Value x = placeholder(graph, "x", f32, {dim("n"), kernel[0]});
  const Variable w = variable(graph, "w", noise(kernel, 1));
  const Variable b = variable(graph, "b", noise({kernel[1]}, 2));
  const Value loss = loss_of(x, w, b);
  const Value train = optimizer.minimize(loss, {w, b});
  Session session(graph, {.threads = 1});
  session.initialize();
  for (int step = 0; step < steps; ++step) session.run({loss, train}, {{x, noise({4, kernel[0]}, 10)}});
  std::vector<Tensor> out = {session.variable(w), session.variable(b)};
  for (const std::string& name : session.variable_names()) {
    if (name != "w" && name != "b") out.push_back(session.variable(name));
  }
  return out;
}

std::vector<Tensor> eagerly(const optim::Optimizer& rule, int steps, bool traced) {
  eager::Context context({.threads = 1});
  const Variable w = variable(context, "w", noise(kernel, 1));
  const Variable b = variable(context, "b", noise({kernel[1]}, 2));
  eager::Optimizer optimizer(context, rule);
  const auto step = [&](Value x) {
    eager::GradientTape tape(context);
    optimizer.apply_gradients(tape.gradient(loss_of(x, w, b), {w, b}), {w, b});
  };
  auto traced_step = function(step);
  const Value x = context.array(noise({4, kernel[0]}, 10));
  for (int done = 0; done < steps; ++done) traced ? traced_step(x) : step(x);
  std::vector<Tensor> out = {Array(w.value).tensor(), Array(b.value).tensor()};
  for (const auto& [name, slot] : optimizer.slots()) out.push_back(Array(slot).tensor());
  return out;
}

}  // namespace

TEST_CASE("every optimizer updates arrays, op by op or traced, with the bits of a session, slots included") {
  const std::vector<optim::Optimizer> optimizers = {
      optim::sgd({.learning_rate = 0.1}),
      optim::sgd({.learning_rate = optim::exponential_decay({.decay_steps = 2}), .momentum = 0.9, .nesterov = true}),
      optim::adam(),
      optim::adamw({.exclude = {"b"}}),
      optim::rmsprop({.momentum = 0.5, .centered = true}),
      optim::adagrad(),
  };
  for (const optim::Optimizer& optimizer : optimizers) {
    CAPTURE(optimizer.name());
    const std::vector<Tensor> expected = by_session(optimizer, 3);
    CHECK(eagerly(optimizer, 3, false) == expected);
    CHECK(eagerly(optimizer, 3, true) == expected);
  }
}

TEST_CASE("slots are named after the optimizer and the variable, and variables of one name are told apart") {
  eager::Context context({.threads = 1});
  const Variable first = variable(context, "w", Tensor::scalar(1.0f));
  const Variable second = variable(context, "w", Tensor::scalar(2.0f));
  eager::Optimizer optimizer(context, optim::sgd({.momentum = 0.9}));
  const Value one = context.scalar(1.0f);
  optimizer.apply_gradients({one, one * 2}, {first, second});
  std::vector<std::string> names;
  for (const auto& [name, slot] : optimizer.slots()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"sgd/iteration", "sgd/momentum/w", "sgd/momentum/w_1"});
  CHECK(Array(optimizer.slots()[2].second).item<float>() == 2 * Array(optimizer.slots()[1].second).item<float>());
}

TEST_CASE("an optimizer of arrays refuses what the rule refuses, with the line of the call") {
  eager::Context context({.threads = 1});
  const Variable w = variable(context, "w", Tensor(f32, {2}));
  eager::Optimizer optimizer(context, optim::adam());
  const Value good = context.array<float>({2}, {1, 2});
  const Value bad = context.array<float>({3}, {1, 2, 3});
  CHECK(message_of([&] { optimizer.apply_gradients({bad}, {w}); }) ==
        "adam (HERE): variable 'w' is f32 [2], and its gradient f32 [3]");
  CHECK(message_of([&] { optimizer.apply_gradients({good}, {good}); }) == "adam (HERE): 'array' is not a variable");
  CHECK(message_of([&] { optimizer.apply_gradients({good}, {}); }) == "adam (HERE): 1 gradients for 0 variables");
  CHECK(message_of([&] {
          optimizer.apply_gradients({good, good}, {w, w});
        }) == "adam (HERE): variable 'w' is given twice");
  CHECK(Array(w.value).tensor() == Tensor(f32, {2}));
}

TEST_CASE("a model's layers make their parameters once, also in a function that is traced") {
  eager::Context context({.threads = 1});
  eager::Model model(context, {nn::Rescaling{0.5}, nn::Dense{3, relu}, nn::Dense{2}});
  CHECK(message_of([&] { static_cast<void>(model.parameters()); }).find("before it has seen an input") !=
        std::string::npos);
  auto call = function([&](Value x) { return model(x); });
  const Value x = context.array(noise({4, 5}, 1));
  const Tensor traced = Array(call(x)).tensor();
  const Values parameters = model.parameters();
  REQUIRE(parameters.size() == 4);
  CHECK(to_string(parameters[0].type()) == "f32 [5, 3]");
  CHECK(parameters[0].name() == "dense/kernel");
  CHECK(parameters[3].name() == "dense_1/bias");
  CHECK(Array(model(x)).tensor() == traced);
  CHECK(model.parameters() == parameters);
  CHECK(message_of([&] {
          model(context.array(noise({4, 6}, 1)));
        }).find("inner dimensions differ") != std::string::npos);
}
