#include <lathe/runtime/debug/stepwise.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <lathe/ops/effect.h>
#include <lathe/ops/losses.h>
#include <lathe/ops/math.h>
#include <lathe/ops/nn/layers.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/optim/optimizers.h>
#include <lathe/ops/random.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

#include "../../support/message_of.h"

using namespace lathe;
using lathe::test::message_of;

namespace {

bool go_on(const debug::NodeValue&) {
  return true;
}

Tensor vector(std::initializer_list<float> values) {
  return Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
}

/// A network with noise on its inputs, large enough that its weights are stored in panels.
struct Network {
  Graph graph;
  Value images = placeholder(graph, "images", f32, {dim("batch"), 200});
  Value labels = placeholder(graph, "labels", i32, {dim("batch")});
  Value noise = random_normal(graph, {dim("batch"), 200});
  Value hidden = nn::dense(images + noise, 128, {.activation = relu, .name = "hidden"});
  Value losses = sparse_softmax_cross_entropy(labels, nn::dense(hidden, 10, {.name = "logits"}));
  Value loss = sum(losses);
  Value train = optim::adam().minimize(mean(losses));
  Tensor image_data, label_data;

  std::vector<Feed> feeds(std::int64_t batch) {
    image_data = Tensor(f32, {batch, 200});
    label_data = Tensor(i32, {batch});
    int i = 0;
    for (float& pixel : image_data.data<float>()) pixel = static_cast<float>(++i % 7) / 7;
    for (std::int32_t& label : label_data.data<std::int32_t>()) label = static_cast<std::int32_t>(++i % 10);
    return {{labels, label_data}, {images, image_data}};
  }
};

}  // namespace

TEST_CASE("stepwise runs have the bits of a session's, and take turns with them") {
  Network model;
  Session whole(model.graph, {.threads = 1});
  Session mixed(model.graph, {.threads = 1});
  whole.initialize(5);
  mixed.initialize(5);
  std::vector<float> losses;
  for (const std::int64_t batch : {32, 1, 5, 0}) {  // the mean of none is NaN
    CAPTURE(batch);
    const std::vector<Feed> feeds = model.feeds(batch);
    for (const bool stepwise : {true, false}) {
      const std::vector<Tensor> expected = whole.run({model.loss, model.train}, feeds);
      const std::vector<Tensor> found = stepwise ? debug::run_stepwise(mixed, {model.loss, model.train}, feeds, go_on)
                                                 : mixed.run({model.loss, model.train}, feeds);
      CHECK(found == expected);
      CHECK(mixed.weights_hash() == whole.weights_hash());
      losses.push_back(found[0].item<float>());
    }
  }
  CHECK(losses[0] != losses[1]);  // other noise, other weights
  CHECK(mixed.compilations() == 2);
}

TEST_CASE("a session that never compiled runs stepwise") {
  Network model;
  Session session(model.graph, {.interpret = true});
  session.initialize(5);
  const std::size_t before = session.compilations();
  debug::run_stepwise(session, {model.loss}, model.feeds(2), go_on);
  CHECK(session.compilations() == before);
}

TEST_CASE("an observer sees every value with its node, in order, and the line and forward node of gradients") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  const Variable w = variable(g, "w", vector({2, 3}));
  const Value root = sqrt(x * w);
  const Value loss = sum(root);
  const Value train = optim::sgd({.learning_rate = 1}).minimize(loss);
  Session session(g, {.interpret = true});
  session.initialize();
  std::vector<std::string> ops;
  std::vector<std::string> gradients;
  debug::run_stepwise(session, {loss, train}, {{x, vector({2, 3})}}, [&](const debug::NodeValue& value) {
    ops.push_back(value.node.op->name);
    CHECK(value.tensor.type().dtype == value.node.outputs[value.output].dtype);
    if (value.node.name == x.node().name) CHECK(value.tensor == vector({2, 3}));
    if (value.node.name == w.value.node().name) CHECK(value.tensor == vector({2, 3}));
    if (value.node.name == root.node().name) {
      CHECK(value.tensor == vector({2, 3}));
      CHECK(value.node.where == root.node().where);
    }
    if (value.node.op->kind == Kind::assign && value.tensor.dtype() == f32) CHECK(value.tensor == vector({1.5f, 2.5f}));
    if (value.node.forward == root.node().name) {
      gradients.push_back(value.node.op->name);
      CHECK(value.node.where == root.node().where);
    }
    return true;
  });
  CHECK(std::find(ops.begin(), ops.end(), "placeholder") < std::find(ops.begin(), ops.end(), "sqrt"));
  CHECK(std::find(ops.begin(), ops.end(), "sqrt") < std::find(ops.begin(), ops.end(), "sum"));
  CHECK(std::find(ops.begin(), ops.end(), "sum") < std::find(ops.begin(), ops.end(), "assign"));
  CHECK(std::find(gradients.begin(), gradients.end(), "div") != gradients.end());
  CHECK(session.variable(w) == vector({1.5f, 2.5f}));
}

TEST_CASE("a run that its observer stops returns nothing and changes nothing") {
  Network model;
  Session session(model.graph, {.interpret = true});
  session.initialize(5);
  const std::uint64_t before = session.weights_hash();
  const std::vector<Feed> feeds = model.feeds(2);
  std::vector<Tensor> noise;
  const auto stop_after_noise = [&](const debug::NodeValue& value) {
    const bool found = value.node.op == &op::random_normal;
    if (found) noise.push_back(value.tensor);
    return !found;
  };
  CHECK(debug::run_stepwise(session, {model.loss, model.train}, feeds, stop_after_noise).empty());
  CHECK(debug::run_stepwise(session, {model.loss, model.train}, feeds, stop_after_noise).empty());
  CHECK_THROWS_AS(debug::run_stepwise(session, {model.train}, feeds,
                                      [](const debug::NodeValue&) -> bool { throw std::logic_error("enough"); }),
                  std::logic_error);
  CHECK(session.weights_hash() == before);
  REQUIRE(noise.size() == 2);
  CHECK(noise[0] == noise[1]);  // nothing counts as drawn
  CHECK(session.run(model.noise, feeds) == noise[0]);
}

TEST_CASE("any value may be fed, and what only it needed is not run") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  const Value y = exp(x);
  const Value z = y + 1.0f;
  Session session(g, {.interpret = true});
  std::vector<std::string> names;
  const auto result = debug::run_stepwise(session, {z, y}, {{y, vector({1, 2})}}, [&](const debug::NodeValue& value) {
    names.push_back(value.node.name);
    return true;
  });
  CHECK(result == std::vector<Tensor>{vector({2, 3}), vector({1, 2})});
  CHECK(std::find(names.begin(), names.end(), "x") == names.end());
}

TEST_CASE("a stepwise run prints what a run prints") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  const Value y = print(x, "x is") * 2.0f;
  std::vector<std::string> printed;
  Session session(g, {.interpret = true, .print = [&](std::string_view text) { printed.emplace_back(text); }});
  session.run(y, {{x, vector({1, 2})}});
  debug::run_stepwise(session, {y}, {{x, vector({1, 2})}}, go_on);
  REQUIRE(printed.size() == 2);
  CHECK(printed[0] == printed[1]);
}

TEST_CASE("what is wrong with a stepwise run is said as a run says it") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 2});
  const Value labels = placeholder(g, "labels", i32, {dim("n")});
  const Variable w = variable(g, "w", vector({1, 2}));
  const Value y = sum(x * w.value, {1});
  const Value train = assign_add(w, sum(x, {0}));
  const Value checked = check_labels(labels, 10);
  Session session(g, {.interpret = true});
  const auto same = [&](const ValueRefs& fetches, const std::vector<Feed>& feeds) {
    const std::string expected = message_of<RunError>([&] { session.run(fetches, feeds); });
    CHECK(expected != "nothing was thrown");
    CHECK(message_of<RunError>([&] { debug::run_stepwise(session, fetches, feeds, go_on); }) == expected);
    return expected;
  };
  const Tensor good(f32, {3, 2});
  CHECK(same({y}, {{x, good}}) ==
        describe(w.value.node()) + " has no value yet: call initialize() or set_variable() first");
  session.initialize();
  CHECK(same({y}, {}).starts_with(describe(x.node()) + " is not fed"));
  same({y}, {{x, Tensor(f32, {3, 3})}});
  same({y}, {{"xx", good}});
  same({"yy"}, {{x, good}});
  const Tensor ones = Tensor::from<float>({1, 2}, {1, 1});
  CHECK(same({train, checked}, {{x, ones}, {labels, Tensor::from<std::int32_t>({1}, {10})}}) ==
        describe(checked.node()) + ": label 10 at row 0 is outside [0, 10)");
  CHECK(session.variable(w) == vector({1, 2}));
}

TEST_CASE("a session that asserts finite values does so stepwise, after it has shown the bad one") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  const Value y = log(x);
  const Value z = relu(y);
  Session session(g, {.interpret = true, .assert_all_finite = true});
  std::string last;
  const std::string message = message_of<RunError>([&] {
    debug::run_stepwise(session, {z}, {{x, vector({1, 0})}}, [&](const debug::NodeValue& value) {
      last = value.node.name;
      return true;
    });
  });
  CHECK(message == describe(y.node()) + ": element [1] is -infinity");
  CHECK(last == y.node().name);
}
