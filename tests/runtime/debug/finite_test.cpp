// What SessionOptions::assert_all_finite notices, what it says, and that it leaves everything else as it was.
#include <limits>
#include <string>
#include <utility>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/effect.h>
#include <lathe/ops/gradients.h>
#include <lathe/ops/losses.h>
#include <lathe/ops/math.h>
#include <lathe/ops/nn/layers.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/optim/optimizers.h>
#include <lathe/ops/pool.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

#include "../../support/message_of.h"
#include "../../support/temporary_folder.h"
#include "../engines.h"

using namespace lathe;
using lathe::test::message_of;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// Runs `test` on every engine, with the check.
template <class Test>
void with_check(Test test) {
  on_every_engine([&](SessionOptions options) {
    options.assert_all_finite = true;
    test(options);
  });
}

std::string line(const Value& value) {
  return describe(value.node());
}

Tensor vector(std::initializer_list<float> values) {
  return Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
}

/// A network large enough that its weights are stored in panels, and its training.
struct Network {
  Graph graph;
  Value images = placeholder(graph, "images", f32, {dim("batch"), 256});
  Value labels = placeholder(graph, "labels", i32, {dim("batch")});
  Value hidden = nn::dense(images, 128, {.activation = relu, .name = "hidden"});
  Value losses = sparse_softmax_cross_entropy(labels, nn::dense(hidden, 10, {.name = "logits"}));
  Value loss = sum(losses);
  Value train = optim::adam().minimize(loss);

  std::vector<Feed> feeds(const Tensor& image_data, const Tensor& label_data) const {
    return {{images, image_data}, {labels, label_data}};
  }
};

struct Batch {
  Tensor images, labels;
};

Batch batch_of(std::int64_t size) {
  Batch batch{Tensor(f32, {size, 256}), Tensor(i32, {size})};
  int i = 0;
  for (float& pixel : batch.images.data<float>()) pixel = static_cast<float>(++i % 7) / 7;
  for (std::int32_t& label : batch.labels.data<std::int32_t>()) label = static_cast<std::int32_t>(++i % 10);
  return batch;
}

}  // namespace

TEST_CASE("a NaN of the forward pass is named with its line and place, and leaves the variables alone") {
  with_check([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n"), 2});
    const Variable w = variable(g, "w", vector({1, 2}));
    const Value logarithm = log(x);
    const Value train = assign(w, w.value + sum(logarithm, {0}));
    Session session(g, options);
    session.initialize();
    const std::uint64_t before = session.weights_hash();
    const Tensor bad = Tensor::from<float>({2, 2}, {1, 2, 3, -4});
    CHECK(message_of<RunError>([&] {
            session.run({train}, {{x, bad}});
          }) == line(logarithm) + ": element [1, 1] is NaN");
    CHECK(line(logarithm).find("(finite_test.cpp:") != std::string::npos);
    CHECK(session.weights_hash() == before);
    session.run({train}, {{x, Tensor::from<float>({1, 2}, {1, 1})}});
    CHECK(session.weights_hash() == before);  // log 1 is 0
    session.run({train}, {{x, Tensor::from<float>({1, 2}, {2, 2})}});
    CHECK(session.weights_hash() != before);
  });
}

TEST_CASE("infinities have their sign, and scalars no index") {
  with_check([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {});
    const Value y = log(x);
    const Value z = 1.0f / x;
    Session session(g, options);
    const Tensor zero = Tensor::scalar(0.0f);
    CHECK(message_of<RunError>([&] { session.run(y, {{x, zero}}); }) == line(y) + ": its value is -infinity");
    CHECK(message_of<RunError>([&] { session.run(z, {{x, zero}}); }) == line(z) + ": its value is infinity");
  });
}

TEST_CASE("what later nodes hide is noticed all the same") {
  with_check([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n")});
    const Value none = placeholder(g, "none", f32, {dim("m")});
    const Value logarithm = log(x);
    const Value total = sum(logarithm);
    const Value large = exp(x);
    const Tensor empty(f32, {0});
    Session session(g, options);
    const auto says = [&](const Value& fetch, std::initializer_list<float> fed, const Value& bad, const char* what) {
      CHECK(message_of<RunError>([&] {
              session.run(fetch, {{x, vector(fed)}, {none, empty}});
            }) == line(bad) + ": element [1] is " + what);
    };
    says(select(x > 0.0f, logarithm, 0.0f), {1, 0, 2}, logarithm, "-infinity");
    says(maximum(logarithm, 0.0f), {1, 0, 2}, logarithm, "-infinity");
    says(relu(logarithm), {1, 0, 2}, logarithm, "-infinity");
    says(logarithm > 0.0f, {1, -1}, logarithm, "NaN");
    says(x / large, {1, 1000}, large, "infinity");
    says(total * none, {1, 0}, logarithm, "-infinity");
  });
}

TEST_CASE("of several bad nodes the first in the graph's order is named, and of its elements the first") {
  with_check([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n")});
    const Value first = sqrt(x);
    const Value second = log(x);
    Session session(g, options);
    CHECK(message_of<RunError>([&] {
            session.run({second, first}, {{x, vector({1, 2, -1, -1})}});
          }) == line(first) + ": element [2] is NaN");
  });
}

TEST_CASE("a NaN in a gradient is named as the gradient of its node") {
  with_check([](const SessionOptions& options) {
    Graph g;
    const Variable w = variable(g, "w", vector({4, 0, 1}));
    const Value root = sqrt(w.value);
    const Value loss = sum(root);
    const Value train = optim::sgd({.learning_rate = 0.1}).minimize(loss);
    Session session(g, options);
    session.initialize();
    const std::string message = message_of<RunError>([&] { session.run({loss, train}); });
    CHECK(message == fmt::format("div 'gradients/div' ({}), in the gradient of 'sqrt': element [1] is infinity",
                                 describe(root.node().where)));
    CHECK(session.variable(w) == vector({4, 0, 1}));
    // The loss alone is finite.
    CHECK(session.run(loss).item<float>() == 3);
  });
}

TEST_CASE("an update that overflows is named by the optimizer's line") {
  with_check([](const SessionOptions& options) {
    Graph g;
    const Variable w = variable(g, "w", vector({1, 2e6f}));
    const Variable unharmed = variable(g, "unharmed", vector({1}));
    const Value loss = sum(square(w.value)) + sum(unharmed.value);
    const Value train = optim::sgd({.learning_rate = 1e33}).minimize(loss);
    Session session(g, options);
    session.initialize();
    const std::uint64_t before = session.weights_hash();
    const std::string message = message_of<RunError>([&] { session.run(train); });
    CHECK(message.find("sgd/") != std::string::npos);
    CHECK(message.find("finite_test.cpp:" + std::to_string(train.node().where.line)) != std::string::npos);
    CHECK(message.ends_with(": element [1] is infinity"));
    CHECK(session.weights_hash() == before);
  });
}

TEST_CASE("training with the check has the bits of training without it, at any size of a batch") {
  Network model;
  Session plain(model.graph, {.threads = 1});
  plain.initialize(3);
  std::vector<std::uint64_t> expected;
  for (const std::int64_t size : {32, 1, 0, 32}) {
    const Batch batch = batch_of(size);
    plain.run({model.loss, model.train}, model.feeds(batch.images, batch.labels));
    expected.push_back(plain.weights_hash());
  }
  with_check([&](const SessionOptions& options) {
    Session session(model.graph, options);
    session.initialize(3);
    std::vector<std::uint64_t> hashes;
    for (const std::int64_t size : {32, 1, 0, 32}) {
      const Batch batch = batch_of(size);
      session.run({model.loss, model.train}, model.feeds(batch.images, batch.labels));
      hashes.push_back(session.weights_hash());
    }
    CHECK(hashes == expected);
  });
}

TEST_CASE("a mean of nothing is NaN") {
  with_check([](const SessionOptions& options) {
    Network model;
    const Value average = mean(model.losses);
    const Value train = optim::sgd({.learning_rate = 0.1}).minimize(average);
    Session session(model.graph, options);
    session.initialize(3);
    const std::uint64_t before = session.weights_hash();
    const Batch none = batch_of(0);
    CHECK(message_of<RunError>([&] {
            session.run({average, train}, model.feeds(none.images, none.labels));
          }) == line(average) + ": its value is NaN");
    const Batch one = batch_of(1);
    CHECK(session.weights_hash() == before);
    session.run({average, train}, model.feeds(one.images, one.labels));
    CHECK(session.weights_hash() != before);
  });
}

TEST_CASE("a network whose step fails goes on as if the step had not been") {
  with_check([](const SessionOptions& options) {
    Network model;
    Session session(model.graph, options);
    session.initialize(3);
    Batch batch = batch_of(32);
    const auto step = [&] {
      session.run({model.loss, model.train}, model.feeds(batch.images, batch.labels));
      return session.weights_hash();
    };
    step();
    const std::uint64_t before = session.weights_hash();
    const float pixel = std::exchange(batch.images.data<float>()[256 * 7 + 5], not_a_number);
    const std::string message = message_of(step);
    CHECK(message.find(": element [7, 0] is NaN; its input " + line(model.images) + ": element [7, 5] is NaN") !=
          std::string::npos);
    CHECK(session.weights_hash() == before);
    batch.images.data<float>()[256 * 7 + 5] = pixel;

    Session unharmed(model.graph, options);
    unharmed.initialize(3);
    unharmed.run({model.loss, model.train}, model.feeds(batch.images, batch.labels));
    unharmed.run({model.loss, model.train}, model.feeds(batch.images, batch.labels));
    CHECK(step() == unharmed.weights_hash());
  });
}

TEST_CASE("a callable fails as a run does, and many steps keep those before the one that failed") {
  with_check([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {2});
    const Variable w = variable(g, "w", vector({0, 0}));
    const Value root = sqrt(x);
    const Value train = assign_add(w, root);
    Session session(g, options);
    session.initialize();
    Callable step = session.prepare({train}, {x});
    CHECK(step({vector({1, 4})})[0] == vector({1, 2}));
    CHECK(message_of<RunError>([&] { step({vector({1, -4})}); }) == line(root) + ": element [1] is NaN");
    CHECK(session.variable(w) == vector({1, 2}));
    const Tensor rows = Tensor::from<float>({4, 2}, {1, 1, 4, 4, -1, 9, 1, 1});
    CHECK(message_of<RunError>([&] { step.run_steps(4, {rows}); }) == line(root) + ": element [0] is NaN");
    CHECK(session.variable(w) == vector({4, 5}));
    const Tensor good = Tensor::from<float>({3, 2}, {1, 1, 4, 4, 9, 9});
    CHECK(step.run_steps(3, {good})[0] == Tensor::from<float>({3, 2}, {5, 6, 7, 8, 10, 11}));
    CHECK(session.variable(w) == vector({10, 11}));
    CHECK_NOTHROW(step.explain());
  });
}

TEST_CASE("what is fed or held may be infinite as long as arithmetic does not reach it") {
  with_check([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {3});
    const Value masked = select(x < 10.0f, x, 0.0f) + 1.0f;
    const Value doubled = x * 2.0f;
    Session session(g, options);
    const Tensor fed = vector({1, infinity, not_a_number});
    CHECK(session.run(masked, {{x, fed}}) == vector({2, 1, 1}));
    CHECK(message_of<RunError>([&] {
            session.run(doubled, {{x, fed}});
          }) == line(doubled) + ": element [1] is infinity; its input " + line(x) + ": element [1] is infinity");
    // The padding of a maximum is -infinity.
    const Value image = placeholder(g, "image", f32, {1, 3, 3, 1});
    const Value pooled = max_pool2d(image, {2, 2}, {.padding = Padding::same});
    CHECK(session.run(pooled, {{image, Tensor(f32, {1, 3, 3, 1})}}) == Tensor(f32, {1, 2, 2, 1}));
  });
}

TEST_CASE("what is known before the run is checked in the run") {
  with_check([](const SessionOptions& options) {
    Graph g;
    const Value root = sqrt(constant(g, vector({4, -4})));
    const Value y = select(constant(g, Tensor::from<bool>({2}, {true, false})), root, 0.0f);
    const Value masked = constant(g, vector({-infinity, 3}));
    Session session(g, options);
    CHECK(message_of<RunError>([&] { session.run(y); }) == line(root) + ": element [1] is NaN");
    CHECK(session.run(masked) == vector({-infinity, 3}));
  });
}

TEST_CASE("an initial value that is not finite fails initialize()") {
  with_check([](const SessionOptions& options) {
    Graph g;
    const Value bad = log(fill(g, {2}, -1.0));
    variable(g, "w", bad);
    Session session(g, options);
    CHECK(message_of<RunError>([&] { session.initialize(); }).ends_with("element [0] is NaN"));
    CHECK(message_of<RunError>([&] { session.variable("w"); }).find("has no value yet") != std::string::npos);
  });
}

TEST_CASE("a failed check of the user's own says what it says") {
  with_check([](const SessionOptions& options) {
    Graph g;
    const Value labels = placeholder(g, "labels", i32, {dim("n")});
    const Value checked = check_labels(labels, 10);
    Session session(g, options);
    CHECK(message_of<RunError>([&] {
            session.run(checked, {{labels, Tensor::from<std::int32_t>({2}, {3, 12})}});
          }) == line(checked) + ": label 12 at row 1 is outside [0, 10)");
  });
}

TEST_CASE("sessions with and without the check have programs of their own in the cache") {
  const test::TemporaryFolder folder;
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  const Variable w = variable(g, "w", vector({0}));
  const Value y = log(x);
  const Value train = assign_add(w, sum(y));
  const Tensor bad = vector({1, -1});
  for (const bool again : {false, true}) {
    for (const bool check : {true, false}) {
      CAPTURE(check);
      Session session(g, {.cache = {.folder = folder.path()}, .assert_all_finite = check});
      session.set_variable(w, vector({0}));
      const std::string message = message_of<RunError>([&] { session.run(train, {{x, bad}}); });
      CHECK(message == (check ? line(y) + ": element [1] is NaN" : "nothing was thrown"));
      CHECK(session.statistics().front().cache.hit == again);
      if (check) CHECK(session.variable(w) == vector({0}));
    }
  }
}
