// What variables, effects and random numbers do over several runs.
#include <atomic>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <thread>

#include <doctest/doctest.h>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/effect.h>
#include <lathe/ops/gather.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/random.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

#include "engines.h"

using namespace lathe;

namespace {

Tensor vector(std::initializer_list<float> values) {
  return Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
}

}  // namespace

TEST_CASE("variables start with their initial values and keep what they are assigned") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Variable v = variable(g, "v", vector({1, 2}));
    const Value grow = assign_add(v, constant(g, vector({10, 10})));
    Session session(g, options);
    session.initialize();
    CHECK(session.variable("v") == vector({1, 2}));
    CHECK(session.run(grow) == vector({11, 12}));
    CHECK(session.run(v.value + 0.5f) == vector({11.5f, 12.5f}));
    CHECK(session.variable(v) == vector({11, 12}));
    session.initialize();
    CHECK(session.variable(v) == vector({1, 2}));
  });
}

TEST_CASE("reads see the value from before the run, and an assignment gives the new one") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Variable v = variable(g, "v", vector({1}));
    const Value update = assign(v, v.value * 3.0f);
    Session session(g, options);
    session.initialize();
    const std::vector<Tensor> results = session.run({v, update, v.value + 10.0f, update + 10.0f});
    CHECK(results[0] == vector({1}));
    CHECK(results[1] == vector({3}));
    CHECK(results[2] == vector({11}));
    CHECK(results[3] == vector({13}));
    CHECK(session.variable(v) == vector({3}));
  });
}

TEST_CASE("a large variable is row-major wherever it is seen, however it is stored") {
  on_every_engine([](SessionOptions options) {
    std::string printed;
    options.print = [&](std::string_view text) { printed = text; };
    const auto numbered = [](float first) {
      Tensor tensor(f32, {200, 192});
      for (float& element : tensor.data<float>()) element = first++;
      return tensor;
    };
    const Tensor start = numbered(0);
    Graph g;
    const Variable w = variable(g, "w", start);
    const Value show = print(w.value);
    const Value rows = constant(g, Tensor::from<std::int64_t>({3}, {7, 0, 7}));
    const Value picked = gather(w.value, rows);
    const Value sums = sum(w.value, {1});
    const Value turned = transpose(w.value);
    const Value add_to_rows = assign(w, scatter_add(w.value, rows, picked));
    std::vector<std::int64_t> backwards(200);
    std::iota(backwards.rbegin(), backwards.rend(), 0);
    const Value reverse = assign(w, gather(w.value, constant<std::int64_t>(g, backwards, {200})));
    Session session(g, options);
    session.initialize();
    CHECK(session.variable(w) == start);
    CHECK(session.run(w) == start);
    session.run(show);
    CHECK(printed == to_string(start));
    CHECK(session.run(turned).at(5 * 200 + 9) == start.at(9 * 192 + 5));
    CHECK(session.run(sums).at(2) == doctest::Approx(192.0 * (2 * 192) + 191 * 96));
    CHECK(session.run(picked).at(192 + 100) == 100);

    const Tensor other = numbered(1000);
    session.set_variable(w, other);
    CHECK(session.variable(w) == other);
    session.run(add_to_rows);
    const Tensor added = session.variable(w);
    CHECK(added.at(7 * 192 + 3) == 3 * other.at(7 * 192 + 3));
    CHECK(added.at(3) == 2 * other.at(3));
    CHECK(added.at(8 * 192 + 3) == other.at(8 * 192 + 3));
    const Tensor reversed = session.run(reverse);
    CHECK(reversed.shape() == Extents{200, 192});
    CHECK(reversed.at(3) == added.at(199 * 192 + 3));
    CHECK(session.variable(w) == reversed);
  });
}

TEST_CASE("what is scattered may be fetched more than once and assigned, too") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Variable v = variable(g, "v", vector({1, 2, 3}));
    const Value added = scatter_add(v.value, constant<std::int64_t>(g, {2, 0, 2}), constant(g, vector({10, 20, 30})));
    const Value update = assign(v, added);
    Session session(g, options);
    session.initialize();
    const std::vector<Tensor> results = session.run({added, added, update, v.value});
    const Tensor expected = vector({21, 2, 43});
    CHECK(results[0] == expected);
    CHECK(results[1] == expected);
    CHECK(results[2] == expected);
    CHECK(results[3] == vector({1, 2, 3}));
    CHECK(session.variable(v) == expected);
  });
}

TEST_CASE("two variables can be swapped") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Variable a = variable(g, "a", vector({1, 2}));
    const Variable b = variable(g, "b", vector({3, 4}));
    const Value swap = group({assign(a, b), assign(b, a)});
    Session session(g, options);
    session.initialize();
    session.run(swap);
    CHECK(session.variable(a) == vector({3, 4}));
    CHECK(session.variable(b) == vector({1, 2}));
    session.run(swap);
    CHECK(session.variable(a) == vector({1, 2}));
  });
}

TEST_CASE("three variables rotate, with a sum of all old values in one of them") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Variable a = variable(g, "a", vector({1}));
    const Variable b = variable(g, "b", vector({2}));
    const Variable c = variable(g, "c", vector({3}));
    const Value rotate = group({assign(a, b), assign(b, c), assign(c, a.value + b + c)});
    Session session(g, options);
    session.initialize();
    session.run({rotate});
    CHECK(session.variable(a) == vector({2}));
    CHECK(session.variable(b) == vector({3}));
    CHECK(session.variable(c) == vector({6}));
  });
}

TEST_CASE("an assignment happens only in runs that depend on it") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Variable v = variable(g, "v", vector({1}));
    const Value update = assign(v, v.value + 1.0f);
    const Value x = placeholder(g, "x", f32, {1});
    const Value guarded = with_dependencies(x, {update});
    Session session(g, options);
    session.initialize();
    session.run(v.value + 1.0f);
    CHECK(session.variable(v) == vector({1}));
    CHECK(session.run(guarded, {{x, vector({9})}}) == vector({9}));
    CHECK(session.variable(v) == vector({2}));
    CHECK(session.run(group({update})).item<bool>());
    CHECK(session.variable(v) == vector({3}));
    session.run(v.value, {{update, vector({50})}});
    CHECK(session.variable(v) == vector({3}));
  });
}

TEST_CASE("two assignments to one variable in a run are an error that names them") {
  Graph g;
  const Variable v = variable(g, "v", vector({1}));
  const Value first = assign(v, v.value + 1.0f);
  const Value second = assign(v, v.value + 2.0f);
  Session session(g, {.interpret = true});
  session.initialize();
  CHECK_THROWS_AS(session.run({first, second}), CompileError);
  CHECK(session.run(second) == vector({3}));
}

TEST_CASE("a run that fails a check leaves every variable as it was") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n")});
    const Variable v = variable(g, "v", vector({1}));
    const Variable w = variable(g, "w", vector({2}));
    const Value update = group({assign(v, v.value + 1.0f), assign_add(w, v), assert_all_finite(x, "x went wrong")});
    Session session(g, options);
    session.initialize();
    const std::uint64_t before = session.weights_hash();
    const float infinity = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(session.run(update, {{x, vector({0, infinity, 0})}}), RunError);
    CHECK(session.weights_hash() == before);
    session.run(update, {{x, vector({0, 0})}});
    CHECK(session.variable(v) == vector({2}));
    CHECK(session.variable(w) == vector({3}));
  });
}

TEST_CASE("an initial value may be computed from other variables' initial values") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Variable a = variable(g, "a", vector({3}));
    const Variable b = variable(g, "b", a.value * 2.0f);
    const Variable c = variable(g, "c", b.value + a);
    Session session(g, options);
    session.initialize();
    CHECK(session.variable(c) == vector({9}));
    session.set_variable(a, vector({100}));
    session.initialize();
    CHECK(session.variable(c) == vector({9}));
  });
}

TEST_CASE("variables can be set, read and listed, and their hash tells them apart") {
  Graph g;
  const Variable b = variable(g, "b", vector({1, 2}));
  variable(g, "a", vector({3}));
  Session session(g, {.interpret = true});
  CHECK(session.variable_names() == std::vector<std::string>{"a", "b"});
  CHECK_THROWS_AS(session.weights_hash(), RunError);
  session.initialize();
  const std::uint64_t first = session.weights_hash();
  session.set_variable("b", vector({1, 3}));
  CHECK(session.variable(b) == vector({1, 3}));
  CHECK(session.weights_hash() != first);
  session.set_variable("b", vector({1, 2}));
  CHECK(session.weights_hash() == first);
}

TEST_CASE("random numbers differ from run to run and repeat from the same seed") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Value random = random_uniform(g, {100});
    const Variable v = variable(g, "v", random_normal(g, {100}));
    const Value plain = v.value + 0.0f;
    Session session(g, options);
    session.initialize(1);
    const Tensor weights = session.variable(v);
    const Tensor first = session.run(random);
    session.run(plain);  // draws nothing, and so leaves the sequence alone
    const Tensor second = session.run(random);
    CHECK(first != second);
    session.initialize(2);
    CHECK(session.variable(v) != weights);
    CHECK(session.run(random) != first);
    session.initialize(1);
    CHECK(session.variable(v) == weights);
    CHECK(session.run(random) == first);
    CHECK(session.run(random) == second);
  });
}

TEST_CASE("the seed of a run can be fed") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Value random = random_uniform(g, {10});
    Session session(g, options);
    const Tensor seed = Tensor::scalar<std::int64_t>(7);
    const Tensor first = session.run(random, {{"run_seed", seed}});
    CHECK(session.run(random, {{"run_seed", seed}}) == first);
  });
}

TEST_CASE("what is printed goes to the options' sink, with its message") {
  on_every_engine([](SessionOptions options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n")});
    std::vector<std::string> lines;
    options.print = [&](std::string_view text) { lines.emplace_back(text); };
    const Value printed = print(x * 2.0f, "doubled");
    Session session(g, options);
    CHECK(session.run(printed + 1.0f, {{x, vector({1, 2})}}) == vector({3, 5}));
    REQUIRE(lines.size() == 1);
    CHECK(lines[0] == "doubled: f32 [2] {2, 4}");
  });
}

TEST_CASE("what a sink throws leaves the run once it is complete") {
  on_every_engine([](SessionOptions options) {
    Graph g;
    const Variable v = variable(g, "v", vector({1}));
    options.print = [](std::string_view) { throw std::runtime_error("the sink is full"); };
    const Value update = assign(v, print(v.value + 1.0f));
    Session session(g, options);
    session.initialize();
    CHECK_THROWS_WITH_AS(session.run(update), "the sink is full", std::runtime_error);
    CHECK(session.variable(v) == vector({2}));
  });
}

TEST_CASE("several threads may run one session") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Variable counter = variable(g, "counter", Tensor::scalar<std::int64_t>(0));
    const Value count = assign_add(counter, constant<std::int64_t>(g, 1));
    const Value x = placeholder(g, "x", f32, {dim("n")});
    const Value shifted = x + 1.0f;
    Session session(g, options);
    session.initialize();
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) {
          session.run(count);
          if (session.run(shifted, {{x, vector({1, 2})}}) != vector({2, 3})) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(session.variable(counter).item<std::int64_t>() == 200);
  });
}
