// What a user gets wrong, and the exact words that tell it. Files are in tests/runtime/data.
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include <lathe/ops/concat.h>
#include <lathe/ops/effect.h>
#include <lathe/ops/losses.h>
#include <lathe/ops/math.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

#include "../support/message_of.h"
#include "engines.h"

using namespace lathe;
using lathe::test::message_of;

namespace {

/// A classifier of four pixels into ten classes.
struct Classifier {
  Graph graph;
  Value images = placeholder(graph, "images", f32, {dim("batch"), 4});
  Value labels = placeholder(graph, "labels", i32, {dim("batch")});
  Variable w = variable(graph, "w", Tensor(f32, {4, 10}));
  Value logits = matmul(images, w);
  Value loss = mean(sparse_softmax_cross_entropy(labels, logits));
  Value train = assign_add(w, w.value * 0.5f);

  std::vector<Feed> feeds(const Tensor& image_data, const Tensor& label_data) const {
    return {{images, image_data}, {labels, label_data}};
  }
};

Tensor some_labels(std::initializer_list<std::int32_t> values) {
  return Tensor::from<std::int32_t>({static_cast<std::int64_t>(values.size())}, values);
}

std::string line(const Value& value) {
  return describe(value.node());
}

std::string first_user(const Value& value) {
  const Graph& graph = value.graph();
  for (const NodeId id : graph.node_ids()) {
    for (const ValueId input : graph.node(id).inputs) {
      if (input == value.id()) return describe(graph.node(id));
    }
  }
  return "nobody";
}

}  // namespace

TEST_CASE("feeds that do not fit are errors that name the placeholder, its line, and what does not fit") {
  on_every_engine([](const SessionOptions& options) {
    Classifier model;
    Session session(model.graph, options);
    session.initialize();
    const auto fed = [&](const Tensor& images, const Tensor& labels) {
      return message_of<RunError>([&] { session.run(model.loss, model.feeds(images, labels)); });
    };
    const Tensor good(f32, {2, 4});
    const std::string images = "the " + line(model.images) + " is f32 [batch, 4]: ";
    CHECK(fed(Tensor(f32, {2, 3}), some_labels({0, 1})) == "fed [2, 3] but " + images + "axis 1 is 3, not 4");
    CHECK(fed(Tensor(f32, {2, 2, 2}), some_labels({0, 1})) ==
          "fed f32 [2, 2, 2] but " + images + "the rank is 3, not 2");
    CHECK(fed(Tensor(u8, {2, 4}), some_labels({0, 1})) ==
          "fed u8 [2, 4] but " + images + "the elements are u8, not f32");
    CHECK(fed(good, some_labels({0, 1, 2})) == "the feeds disagree about 'batch': it is 2 by axis 0 of the " +
                                                   line(model.images) + ", and 3 by axis 0 of the " +
                                                   line(model.labels));
    // Feeds are looked at before anything is compiled.
    CHECK(session.compilations() == 1);
    CHECK(message_of<RunError>([&] {
            session.run(model.loss, {{model.images, good}});
          }) == line(model.labels) + " is not fed, and " + first_user(model.labels) + " needs it");
  });
}

TEST_CASE("unknown names are errors with a suggestion") {
  Classifier model;
  Session session(model.graph, {.interpret = true});
  session.initialize();
  const Tensor good(f32, {2, 4});
  CHECK(message_of<RunError>([&] {
          session.run("matmull", {{model.images, good}});
        }) == "fetch 'matmull': the graph has nothing of that name; did you mean 'matmul'?");
  CHECK(message_of<RunError>([&] {
          session.run(model.logits, {{"image", good}});
        }) == "feed 'image': the graph has nothing of that name; did you mean 'images'?");
  CHECK(message_of<RunError>([&] { session.prepare({model.logits}, {"imgaes"}); }) ==
        "feed 'imgaes': the graph has nothing of that name; did you mean 'images'?");
  CHECK(message_of<RunError>([&] {
          session.run(model.logits, {{model.images, good}, {"images", good}});
        }) == "the " + line(model.images) + " is fed twice");
}

TEST_CASE("a label that no class has is an error that names the row, and changes no variable") {
  on_every_engine([](const SessionOptions& options) {
    Classifier model;
    Session session(model.graph, options);
    session.initialize();
    Tensor ones(f32, {4, 10});
    for (float& element : ones.data<float>()) element = 1;
    session.set_variable(model.w, ones);
    const std::uint64_t before = session.weights_hash();
    const auto labelled = [&](std::initializer_list<std::int32_t> labels) {
      const Tensor images(f32, {static_cast<std::int64_t>(labels.size()), 4});
      return message_of<RunError>([&] {
        session.run({model.loss, model.train}, model.feeds(images, some_labels(labels)));
      });
    };
    CHECK(labelled({0, 9, 10}).ends_with(": label 10 at row 2 is outside [0, 10)"));
    CHECK(labelled({-1, 3}).ends_with(": label -1 at row 0 is outside [0, 10)"));
    // Of several failures the first row's is told, whichever thread is first.
    CHECK(labelled({1, 77, 10, -5}).ends_with(": label 77 at row 1 is outside [0, 10)"));
    CHECK(labelled({10}).find("bad_input_test.cpp") != std::string::npos);
    CHECK(session.weights_hash() == before);
    CHECK(labelled({0, 9}) == "nothing was thrown");
    CHECK(session.weights_hash() != before);
  });
}

TEST_CASE("a loss that is not a number is an error that names the node, and changes no variable") {
  on_every_engine([](const SessionOptions& options) {
    Classifier model;
    const Value checked = assert_all_finite(model.loss, "the loss");
    Session session(model.graph, options);
    session.initialize();
    const std::uint64_t before = session.weights_hash();
    Tensor images(f32, {2, 4});
    images.data<float>()[5] = std::numeric_limits<float>::quiet_NaN();
    CHECK(message_of<RunError>([&] {
            session.run({checked, model.train}, model.feeds(images, some_labels({0, 1})));
          }) == line(checked) + ": the loss: element 0 is NaN or infinite");
    CHECK(session.weights_hash() == before);
  });
}

TEST_CASE("a variable without a value is an error that names it, unless the run only assigns it") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Variable v = variable(g, "v", Tensor(f32, {2}));
    const Value fresh = assign(v, constant(g, Tensor(f32, {2})));
    Session session(g, options);
    const std::string expected = line(v) + " has no value yet: call initialize() or set_variable() first";
    CHECK(message_of<RunError>([&] { session.run(v.value + 1.0f); }) == expected);
    CHECK(message_of<RunError>([&] { session.variable("v"); }) == expected);
    session.run(fresh);
    CHECK(session.run(v.value + 1.0f).data<float>()[0] == 1);
  });
}

TEST_CASE("tensors and names that fit no variable are errors") {
  Graph g;
  const Variable weights = variable(g, "weights", Tensor(f32, {2, 3}));
  const Value sum = weights.value + 1.0f;
  Session session(g, {.interpret = true});
  CHECK(message_of<RunError>([&] {
          session.set_variable("weights", Tensor(f32, {3, 2}));
        }) == line(weights) + " is f32 [2, 3], not f32 [3, 2]");
  CHECK(message_of<RunError>([&] {
          session.set_variable("weights", Tensor(f64, {2, 3}));
        }) == line(weights) + " is f32 [2, 3], not f64 [2, 3]");
  CHECK(message_of<RunError>([&] { session.variable("weight"); }) ==
        "the graph has no variable 'weight'; did you mean 'weights'?");
  CHECK(message_of<RunError>([&] { session.variable(sum); }) == line(sum) + " is not a variable");
}

TEST_CASE("a size that makes an extent negative is an error that names the node") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n")});
    const Values parts = split(x, 0, Shape{3, dim("n") - 3});
    Session session(g, options);
    CHECK(session.run(parts[1], {{x, Tensor(f32, {3})}}).size() == 0);
    const std::string message = message_of<RunError>([&] { session.run(parts[1], {{x, Tensor(f32, {2})}}); });
    CHECK(message == line(parts[1]) + ": axis 0 of its result would have the extent n - 3 = -1");
  });
}

TEST_CASE("a symbol that no feed determines is an error that says who needs it") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  const Value zeros = fill(g, {dim("rows"), dim("n")}, 0);
  const Value y = zeros + x;
  Session session(g, {.interpret = true});
  CHECK(message_of<RunError>([&] {
          session.run(y, {{x, Tensor(f32, {2})}});
        }) == "nothing that is fed says what 'rows' is, and the " + line(zeros) + " needs it");
}

TEST_CASE("graphs that cannot be built are errors that show both shapes") {
  Graph g;
  const Value a = placeholder(g, "a", f32, {dim("batch"), 784});
  const Value b = placeholder(g, "b", f32, {768, 128});
  CHECK_THROWS_AS(matmul(a, b), GraphError);
  CHECK_THROWS_AS(a + b, GraphError);
  CHECK_THROWS_AS(matmul(sum(a), b), GraphError);
}

TEST_CASE("a graph of another session's graph, and options that make no sense, are errors") {
  Graph g;
  Graph other;
  const Value foreign = placeholder(other, "foreign", f32, {2});
  Session session(g, {.interpret = true});
  CHECK(message_of<RunError>([&] { session.run(foreign, {}); }) ==
        "fetch 'foreign' belongs to another graph than the session's");
  CHECK_THROWS_WITH_AS(Session(g, {.threads = -2}), "-2 is not a number of threads", RunError);
}
