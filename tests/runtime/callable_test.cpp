#include <doctest/doctest.h>

#include <lathe/ops/gather.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/random.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

#include "../support/count_allocations.h"
#include "engines.h"

using namespace lathe;
using lathe::test::allocations;

namespace {

/// Least squares by plain gradient steps, written out: w += rate * x^T (y - x w).
struct Regression {
  Graph graph;
  Value x = placeholder(graph, "x", f32, {dim("batch"), 8});
  Value y = placeholder(graph, "y", f32, {dim("batch"), 1});
  Variable w = variable(graph, "w", Tensor(f32, {8, 1}));
  Value difference = y - matmul(x, w);
  Value loss = sum(difference * difference);
  Value train = assign_add(w, matmul(transpose(x), difference) * 0.01f);
};

Tensor counted(Extents shape) {
  Tensor tensor(f32, std::move(shape));
  float next = -1;
  for (float& element : tensor.data<float>()) element = next += 0.0625f;
  return tensor;
}

}  // namespace

TEST_CASE("a callable gives what the session's run gives") {
  on_every_engine([](const SessionOptions& options) {
    Regression model;
    Session prepared(model.graph, options);
    Session plain(model.graph, options);
    prepared.initialize();
    plain.initialize();
    Callable step = prepared.prepare({model.loss, model.train}, {model.y, model.x});
    for (const std::int64_t batch : {5, 1, 5, 0, 9}) {
      const Tensor x = counted({batch, 8});
      const Tensor y = counted({batch, 1});
      const std::span<const Tensor> results = step({y, x});
      const std::vector<Tensor> expected = plain.run({model.loss, model.train}, {{model.x, x}, {model.y, y}});
      REQUIRE(results.size() == 2);
      CHECK(results[0] == expected[0]);
      CHECK(results[1] == expected[1]);
    }
    CHECK(prepared.weights_hash() == plain.weights_hash());
    CHECK(prepared.statistics().back().runs == 5);
  });
}

TEST_CASE("a callable of compiled code allocates nothing once it has met its largest batch") {
  for (const int threads : {1, 2}) {
    CAPTURE(threads);
    Regression model;
    SessionOptions options;
    options.threads = threads;
    Session session(model.graph, options);
    session.initialize();
    Callable step = session.prepare({model.loss, model.difference, model.train}, {model.x, model.y});
    const Tensor x = counted({64, 8});
    const Tensor y = counted({64, 1});
    const Tensor small_x = counted({7, 8});
    const Tensor small_y = counted({7, 1});
    step({x, y});
    step({small_x, small_y});
    const long before = allocations;
    for (int i = 0; i < 50; ++i) {
      step({x, y});
      step({small_x, small_y});
    }
    CHECK(allocations == before);
    CHECK(before > 0);
  }
}

TEST_CASE("many steps in one call do what as many calls do") {
  on_every_engine([](const SessionOptions& options) {
    Regression model;
    Session at_once(model.graph, options);
    Session one_by_one(model.graph, options);
    at_once.initialize();
    one_by_one.initialize();
    const Value noise = random_uniform(model.graph, {});
    Callable steps = at_once.prepare({model.loss, noise, model.train}, {model.x, model.y});
    Callable step = one_by_one.prepare({model.loss, noise, model.train}, {model.x, model.y});
    const Tensor x = counted({3, 5, 8});  // a batch a step
    const Tensor y = counted({5, 1});     // the same every step
    const std::span<const Tensor> results = steps.run_steps(3, {x, y});
    REQUIRE(results.size() == 3);
    CHECK(results[0].shape() == Extents{3});
    CHECK(results[2].shape() == Extents{3, 8, 1});
    for (std::int64_t i = 0; i < 3; ++i) {
      const std::int64_t shape[] = {5, 8};
      const std::span<const Tensor> expected = step({{f32, shape, x.bytes().data() + i * 5 * 8 * 4}, y});
      CHECK(results[0].at(i) == expected[0].at(0));
      CHECK(results[1].at(i) == expected[1].at(0));
    }
    CHECK(at_once.weights_hash() == one_by_one.weights_hash());
    CHECK(at_once.statistics().back().runs == 3);
    CHECK(steps.run_steps(0, {counted({0, 5, 8}), y})[0].size() == 0);
    CHECK(at_once.weights_hash() == one_by_one.weights_hash());
  });
}

TEST_CASE("a stack of feeds has a row for every step") {
  Regression model;
  Session session(model.graph, {.interpret = true});
  session.initialize();
  Callable step = session.prepare({model.loss}, {model.x, model.y});
  CHECK_THROWS_WITH_AS(step.run_steps(-1, {counted({5, 8}), counted({5, 1})}), "-1 is not a number of steps", RunError);
  CHECK_THROWS_WITH_AS(step.run_steps(2, {counted({3, 5, 8}), counted({5, 1})}),
                       doctest::Contains("3 rows for 2 steps"), RunError);
  CHECK_THROWS_WITH_AS(step.run_steps(2, {counted({5, 8})}), "the callable takes 2 feeds, 1 given", RunError);
}

TEST_CASE("a step that fails leaves what the steps before it did") {
  Graph g;
  const Value row = placeholder(g, "row", i64, {});
  const Variable total = variable(g, "total", Tensor::scalar(0.0f));
  const Value table = constant(g, Tensor::from<float>({3}, {1, 10, 100}));
  const Value add = assign_add(total, gather(table, row));
  for (const bool interpret : {false, true}) {
    Session session(g, {.interpret = interpret});
    session.initialize();
    Callable step = session.prepare({add}, {row});
    const Tensor rows = Tensor::from<std::int64_t>({4}, {0, 1, 3, 2});
    CHECK_THROWS_WITH_AS(step.run_steps(4, {rows}), doctest::Contains("index 3"), RunError);
    CHECK(session.variable(total).item<float>() == 11);
  }
}

TEST_CASE("a session that profiles knows what each step of a program took") {
  Regression model;
  Session session(model.graph, {.threads = 1, .profile = true});
  session.initialize();
  Callable step = session.prepare({model.loss, model.train}, {model.x, model.y});
  CHECK_THROWS_WITH_AS(step.explain(), "explain() needs the sizes of a run: call the program before", RunError);
  for (int i = 0; i < 3; ++i) step({counted({64, 8}), counted({64, 1})});
  const ProgramStatistics known = step.statistics();
  REQUIRE(known.steps.size() == step.program().steps.size());
  double total = 0;
  for (const StepTime& time : known.steps) {
    CHECK(time.fastest >= 0);
    CHECK(time.fastest <= time.total);
    total += time.total;
  }
  CHECK(total > 0);
  const Explanation why = step.explain();
  CHECK(why.sizes == "batch = 64");
  REQUIRE(why.steps.size() == known.steps.size());
  CHECK(why.steps.front().measured_us == known.steps.front().fastest / 1000);
}

TEST_CASE("a callable takes as many tensors as it was prepared for") {
  Regression model;
  Session session(model.graph, {.interpret = true});
  session.initialize();
  Callable loss = session.prepare({model.loss}, {model.x, model.y});
  const Tensor x = counted({5, 8});
  CHECK_THROWS_WITH_AS(loss({x}), "the callable takes 2 feeds, 1 given", RunError);
}

TEST_CASE("a callable rejects its own results as feeds") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  Session session(g, {.interpret = true});
  Callable twice = session.prepare({x + x}, {x});
  const Tensor start = counted({4});
  const Tensor& result = twice({start})[0];
  CHECK_THROWS_WITH_AS(twice({result}),
                       "a tensor is fed that this callable returned and is about to overwrite: copy it first",
                       RunError);
  const Tensor copy = result;
  CHECK(twice({copy})[0].data<float>()[0] == 4 * start.data<float>()[0]);
}

TEST_CASE("a callable that is fed the same sizes again still looks at what it is fed") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n")});
    Session session(g, options);
    Callable twice = session.prepare({x + x}, {x});
    const Tensor four = counted({4});
    const Tensor three = counted({3});
    const Tensor integers(i32, {4});
    const TensorView nothing{f32, four.shape(), nullptr};
    const TensorView between{f32, three.shape(), four.bytes().data() + 1};
    for (int round = 0; round < 3; ++round) {
      const Tensor& result = twice({four})[0];
      CHECK(result.shape() == four.shape());
      CHECK(result.at(3) == 2 * four.at(3));
      CHECK_THROWS_WITH_AS(twice({result}), doctest::Contains("this callable returned"), RunError);
      CHECK_THROWS_WITH_AS(twice({nothing}), doctest::Contains("there is no data"), RunError);
      CHECK_THROWS_WITH_AS(twice({integers}), doctest::Contains("the elements are i32, not f32"), RunError);
      CHECK(twice({four})[0].at(0) == 2 * four.at(0));
      CHECK(twice({three})[0].shape() == three.shape());
      CHECK_THROWS_WITH_AS(twice({between}), doctest::Contains("not aligned to its elements"), RunError);
      CHECK(twice({three})[0].at(2) == 2 * three.at(2));
    }
  });
}

TEST_CASE("a callable outlives its session") {
  Graph g;
  const Variable counter = variable(g, "counter", Tensor::scalar<std::int64_t>(0));
  Callable count = [&] {
    Session session(g, {.interpret = true});
    session.initialize();
    return session.prepare({assign_add(counter, constant<std::int64_t>(g, 1))});
  }();
  CHECK(count({})[0].item<std::int64_t>() == 1);
  CHECK(count({})[0].item<std::int64_t>() == 2);
}
