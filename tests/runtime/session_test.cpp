#include <lathe/runtime/session.h>

#include <doctest/doctest.h>

#include <lathe/ops/arithmetic.h>
#include <lathe/ops/concat.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

#include "engines.h"

using namespace lathe;

namespace {

Tensor vector(std::initializer_list<float> values) {
  return Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
}

}  // namespace

TEST_CASE("a fetched value is computed from what is fed") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n")});
    Session session(g, options);
    CHECK(session.run(x * x + 1.0f, {{x, vector({1, 2, -3})}}) == vector({2, 5, 10}));
  });
}

TEST_CASE("fetches and feeds may be named, and results come in the order of the fetches") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n")});
    const Value y = placeholder(g, "y", f32, {dim("n")});
    const Value sum = add(x, y);
    const Value product = mul(x, y);
    Session session(g, options);
    const std::vector<Tensor> results = session.run({product, "add"}, {{"y", vector({3, 4})}, {x, vector({1, 2})}});
    REQUIRE(results.size() == 2);
    CHECK(results[0] == vector({3, 8}));
    CHECK(results[1] == vector({4, 6}));
    CHECK(session.run("add", {{"x", vector({1})}, {"y", vector({1})}}) == vector({2}));
    CHECK(sum.name() == "add");
  });
}

TEST_CASE("placeholders, constants, variables and the same value twice can be fetched") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n")});
    const Value c = constant(g, vector({5, 6}));
    const Variable v = variable(g, "v", vector({7}));
    Session session(g, options);
    session.initialize();
    const std::vector<Tensor> results = session.run({x, c, v, c, x}, {{x, vector({1, 2, 3})}});
    REQUIRE(results.size() == 5);
    CHECK(results[0] == vector({1, 2, 3}));
    CHECK(results[1] == vector({5, 6}));
    CHECK(results[2] == vector({7}));
    CHECK(results[3] == vector({5, 6}));
    CHECK(results[4] == vector({1, 2, 3}));
    CHECK(session.run(ValueRefs{}, {}).empty());
  });
}

TEST_CASE("any value can be fed, and what only it needed is not computed") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n")});
    const Value middle = x * 2.0f;
    const Value y = middle + 1.0f;
    const Variable v = variable(g, "v", vector({100}));
    Session session(g, options);
    CHECK(session.run(y, {{middle, vector({10, 20})}}) == vector({11, 21}));
    CHECK(session.run(v.value + 1.0f, {{v, vector({1})}}) == vector({2}));
    const Values parts = split(x, 0, Shape{1, dim("n") - 1});
    const std::vector<Tensor> results =
        session.run({parts[0] + 1.0f, parts[1]}, {{x, vector({1, 2, 3})}, {parts[0], vector({50})}});
    CHECK(results[0] == vector({51}));
    CHECK(results[1] == vector({2, 3}));
  });
}

TEST_CASE("one program serves every batch, and no order of feeds compiles it again") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("batch"), 3});
    const Value y = placeholder(g, "y", f32, {dim("batch")});
    const Value result = sum(x, {1}) + y;
    Session session(g, options);
    for (const std::int64_t batch : {32, 1, 7, 128, 0, 33}) {
      Tensor ones(f32, {batch, 3});
      for (float& element : ones.data<float>()) element = 1;
      const Tensor zeros(f32, {batch});
      const Tensor a = session.run(result, {{x, ones}, {y, zeros}});
      const Tensor b = session.run(result, {{y, zeros}, {x, ones}});
      CHECK(a == b);
      CHECK(a.shape() == Extents{batch});
      for (const float element : a.data<float>()) CHECK(element == 3);
    }
    CHECK(session.compilations() == 1);
    CHECK(session.statistics().at(0).runs == 12);
    session.run(y, {{y, vector({1})}});
    CHECK(session.compilations() == 2);
  });
}

TEST_CASE("the graph may grow between runs") {
  on_every_engine([](const SessionOptions& options) {
    Graph g;
    const Value x = placeholder(g, "x", f32, {dim("n")});
    const Variable a = variable(g, "a", vector({2}));
    Session session(g, options);
    session.initialize();
    CHECK(session.run(a.value * x, {{x, vector({3})}}) == vector({6}));
    const Variable b = variable(g, "b", vector({5}));
    session.set_variable(b, vector({7}));
    CHECK(session.run(a.value * x + b, {{x, vector({3})}}) == vector({13}));
    session.initialize();
    CHECK(session.run(a.value * x + b, {{x, vector({3})}}) == vector({11}));
  });
}

TEST_CASE("statistics tell what a program cost and holds") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 4});
  const Value w = constant(g, Tensor(f32, {4, 2}));
  const Value result = matmul(x, w);
  Session session(g);
  session.run(result, {{x, Tensor(f32, {3, 4})}});
  REQUIRE(session.statistics().size() == 1);
  const ProgramStatistics statistics = session.statistics()[0];
  CHECK(statistics.name == result.name());
  CHECK(statistics.kernels == 1);
  CHECK(statistics.runs == 1);
  CHECK(statistics.compile_milliseconds > 0);
  CHECK(statistics.phases.size() > 5);
  CHECK(statistics.arena_bytes >= 0);
  CHECK_FALSE(statistics.target.empty());
  Session interpreted(g, {.interpret = true});
  interpreted.run(result, {{x, Tensor(f32, {3, 4})}});
  CHECK(interpreted.statistics().at(0).target == "interpreter");
}

TEST_CASE("a program says what it does in a listing") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  Session session(g, {.interpret = true});
  const Callable callable = session.prepare({x + 1.0f}, {x});
  CHECK(to_string(callable.program()).find("kernel") != std::string::npos);
  CHECK(callable.statistics().kernels == 1);
}
