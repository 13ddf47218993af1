#include <lathe/graph/graph.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "test_ops.h"

using namespace lathe;
using test::apply;
using test::input;

namespace {

/// The message of the GraphError that `f` throws.
template <class F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const GraphError& error) {
    return error.what();
  }
  return "no GraphError";
}

/// What the test op `op` requires of the shapes that it adds up.
const Op unify_then_fail{{.name = "test_unify_then_fail",
                          .doc = "For tests.",
                          .min_inputs = 2,
                          .max_inputs = 2,
                          .infer = [](const InferContext& context) -> std::vector<TensorType> {
                            context.unify(context.in(0).shape[0], context.in(1).shape[0], "rows differ");
                            context.fail("changed its mind");
                          },
                          .not_differentiable = test::no_gradient}};

const Op optional_input{{.name = "test_optional_input",
                         .doc = "For tests.",
                         .min_inputs = 1,
                         .max_inputs = 2,
                         .infer = test::like_first,
                         .not_differentiable = test::no_gradient}};

}  // namespace

TEST_CASE("a value knows its node, type and name") {
  Graph g;
  const Value x = input(g, "x", {dim("batch"), 784});
  CHECK_FALSE(x.empty());
  CHECK(Value().empty());
  CHECK(x.type() == TensorType{f32, {dim("batch"), 784}});
  CHECK(x.rank() == 2);
  CHECK(x.name() == "x");
  CHECK(x.node().where.file == "graph_test.cpp");
  const Value second(g, {apply(test::twice, {x}).id().node, 1});
  CHECK(second.name() == "test_twice:1");
  CHECK(second.dtype() == i64);
  CHECK(x == Value(g, x.id()));
}

TEST_CASE("names are unique, and scopes come before them") {
  Graph g;
  const auto name = [&] { return input(g, "w", {}).name(); };
  CHECK(name() == "w");
  CHECK(name() == "w_1");
  {
    const Graph::Scope dense(g, "dense");
    CHECK(name() == "dense/w");
    const Graph::Scope inner(g, "inner");
    CHECK(name() == "dense/inner/w");
  }
  {
    const Graph::Scope dense(g, "dense");
    CHECK(name() == "dense_1/w");
  }
  const Graph::Scope taken(g, "dense_1");
  CHECK(name() == "dense_1_1/w");
}

TEST_CASE("a name that was made unique does not collide with one that a user chose") {
  Graph g;
  input(g, "w_1", {});
  input(g, "w", {});
  CHECK(input(g, "w", {}).name() == "w_2");
  CHECK(g.find("w_1") == NodeId{0});
  CHECK_FALSE(g.find("w_3"));
}

TEST_CASE("errors name op, node and line") {
  Graph g;
  const Value a = input(g, "a", {dim("batch"), 784});
  const Value b = input(g, "b", {768, 128});
  const Graph::Scope scope(g, "dense_1");
  // Outside of CHECK, where compilers disagree about lines.
  const auto line = std::source_location::current().line() + 1;
  const std::string message = message_of([&] { apply(test::matmul, {a, b}); });
  CHECK(message == fmt::format("test_matmul 'dense_1/test_matmul' (graph_test.cpp:{}): inner dimensions differ", line));
}

TEST_CASE("wrong numbers of inputs are errors") {
  Graph g;
  const Value x = input(g, "x", {});
  const auto message = [&](const Op& op, Values inputs) {
    return message_of([&] { g.add({.op = op, .inputs = std::move(inputs), .where = SourceLine("f.cpp", 1)}); });
  };
  CHECK(message(test::neg, {}) == "test_neg 'test_neg' (f.cpp:1): takes 1 input, 0 given");
  CHECK(message(test::add, {x}) == "test_add 'test_add' (f.cpp:1): takes 2 inputs, 1 given");
  CHECK(message(test::concat, {}) == "test_concat 'test_concat' (f.cpp:1): takes at least 1 input, 0 given");
  CHECK(message(optional_input, {x, x, x}) ==
        "test_optional_input 'test_optional_input' (f.cpp:1): takes 1 to 2 inputs, 3 given");
}

TEST_CASE("inputs must be values of this graph") {
  Graph g;
  Graph other;
  const Value x = input(g, "x", {});
  const Value y = input(other, "y", {});
  const SourceLine where("f.cpp", 1);
  CHECK(message_of([&] {
          apply(test::add, {x, Value()}, where);
        }) == "test_add 'test_add' (f.cpp:1): an input is an empty Value, never set or moved from");
  CHECK(message_of([&] {
          apply(test::add, {x, y}, where);
        }) == "test_add 'test_add' (f.cpp:1): input 'y' belongs to another graph");
  CHECK(message_of([&] {
          apply(test::neg, {Value(g, {x.id().node, 7})}, where);
        }) == "test_neg 'test_neg' (f.cpp:1): an input is not a value of this graph");
  CHECK(message_of([&] { g.add({.op = test::print, .where = where, .control = {NodeId{9}}}); }) ==
        "test_print 'test_print' (f.cpp:1): a control node is not in this graph");
  CHECK_THROWS_WITH_AS((void)Value().type(), "an empty Value was used, never set or moved from", GraphError);
}

TEST_CASE("attributes are checked, and defaults filled in") {
  Graph g;
  const SourceLine where("f.cpp", 1);
  const auto with = [&](Attributes attributes) {
    return g.apply({.op = test::placeholder, .attributes = std::move(attributes), .where = where});
  };
  CHECK(with({{"shape", Shape{2}}}).dtype() == f32);
  CHECK(message_of([&] { with({}); }) ==
        "test_placeholder 'test_placeholder' (f.cpp:1): attribute 'shape' must be given");
  CHECK(message_of([&] {
          with({{"shape", Shape{}}, {"size", true}});
        }) == "test_placeholder 'test_placeholder' (f.cpp:1): has no attribute 'size'");
  CHECK(message_of([&] {
          with({{"shape", Shape{}}, {"dtype", true}});
        }) == "test_placeholder 'test_placeholder' (f.cpp:1): attribute 'dtype' must be of type dtype, not bool");
}

TEST_CASE("broadcasting stretches ones, unifies symbols, and never takes a symbol for a one") {
  Graph g;
  const Dim n = dim("n");
  const auto sum = [&](const Shape& a, const Shape& b) {
    return apply(test::add, {input(g, "a", a), input(g, "b", b)}, SourceLine("f.cpp", 1)).shape();
  };
  CHECK(sum({}, {3}) == Shape{3});
  CHECK(sum({3, 1}, {1, 4}) == Shape{3, 4});
  CHECK(sum({n, 4}, {4}) == Shape{n, 4});
  CHECK(sum({n}, {1}) == Shape{n});
  CHECK(sum({1}, {0}) == Shape{0});
  CHECK(sum({n}, {dim("p")}) == Shape{n});
  CHECK(sum({dim("q"), 1}, {1, dim("r")}) == Shape{dim("q"), dim("r")});
  CHECK(sum({n}, {7}) == Shape{7});
  CHECK(message_of([&] { sum({2, 3}, {4, 3}); }).ends_with("shapes [2, 3] and [4, 3] do not broadcast"));
  CHECK(message_of([&] { sum({n}, {8}); }).ends_with("do not broadcast"));
}

TEST_CASE("unifying gives a symbol one meaning throughout the graph") {
  Graph g;
  const Dim n = dim("n");
  const Dim m = dim("m");
  const Value x = input(g, "x", {n, m});
  CHECK(g.unify(n, m + 1));
  CHECK(x.shape() == Shape{m + 1, m});
  CHECK(g.unify(m, 4));
  CHECK(x.shape() == Shape{5, 4});
  CHECK(g.unify(n, 5));
  CHECK_FALSE(g.unify(n, 6));
  CHECK(g.resolve(n * m) == Dim(20));
  CHECK(g.equalities().size() == 2);
}

TEST_CASE("anonymous symbols give way to named ones, and symbols to numbers") {
  Graph g;
  const Dim fresh = g.fresh_symbol();
  CHECK(to_string(fresh) == "_0");
  CHECK(g.unify(dim("batch"), fresh));
  CHECK(g.resolve(fresh) == dim("batch"));
  const Dim other = g.fresh_symbol();
  CHECK(g.unify(other, dim("batch")));
  CHECK(g.resolve(other) == dim("batch"));
  CHECK(g.unify(3, fresh));
  CHECK(g.resolve(dim("batch")) == Dim(3));
}

TEST_CASE("common terms and factors cancel before extents are compared") {
  const Dim n = dim("n");
  const Dim m = dim("m");
  const auto meaning_of_n = [&](const Dim& a, const Dim& b) -> std::optional<Dim> {
    Graph g;
    if (!g.unify(a, b)) return std::nullopt;
    return g.resolve(n);
  };
  CHECK(meaning_of_n(n + 1, 5) == Dim(4));
  CHECK(meaning_of_n(n * 2, 6) == Dim(3));
  CHECK(meaning_of_n(n * 784, m * 784) == meaning_of_n(n, m));
  CHECK(meaning_of_n(n + 2, m + 2) == meaning_of_n(n, m));
  CHECK(meaning_of_n(5 + n * 3, 5 + m * 3) == meaning_of_n(n, m));
  CHECK_FALSE(meaning_of_n(n * 2, 7));
  CHECK_FALSE(meaning_of_n(n + m, 10));
}

TEST_CASE("extents that no size makes equal do not unify, and neither do those that only an odd size would") {
  Graph g;
  const Dim n = dim("n");
  const Dim m = dim("m");
  CHECK_FALSE(g.unify(3, 4));
  CHECK_FALSE(g.unify(n, n + 1));
  CHECK_FALSE(g.unify(n, -1));
  CHECK_FALSE(g.unify(n + 5, 3));
  CHECK_FALSE(g.unify(n, n * 2));
  CHECK_FALSE(g.unify(n + m, n));
  CHECK(g.equalities().empty());
  CHECK_THROWS_AS(g.unify(None, n), std::logic_error);
}

TEST_CASE("a failed add leaves the graph as it was") {
  Graph g;
  const Value a = input(g, "a", {dim("p"), dim("q")});
  const Value b = input(g, "b", {dim("r")});
  CHECK(message_of([&] { apply(unify_then_fail, {a, b}); }).ends_with("changed its mind"));
  CHECK(g.size() == 2);
  CHECK(g.equalities().empty());
  CHECK(b.shape() == Shape{dim("r")});
  CHECK(g.users(a.id().node).empty());
  CHECK_FALSE(g.find("test_unify_then_fail"));
  CHECK(apply(test::add, {a, a}).name() == "test_add");
}

TEST_CASE("shapes compute with symbols") {
  Graph g;
  const Value joined = apply(test::concat, {input(g, "a", {dim("n")}), input(g, "b", {dim("m")}), input(g, "c", {2})});
  CHECK(to_string(joined.type()) == "f32 [m + n + 2]");
}

TEST_CASE("users of a node are known, inputs and control alike") {
  Graph g;
  const Value x = input(g, "x", {});
  const Value y = apply(test::add, {x, x});
  const NodeId print = g.add({.op = test::print, .inputs = {y}, .control = {x.id().node}});
  const auto users = g.users(x.id().node);
  CHECK(std::vector<Edge>(users.begin(), users.end()) ==
        std::vector<Edge>{{y.id().node, 0}, {y.id().node, 1}, {print, 1}});
  for (const Edge edge : users) CHECK(g.used(edge) == x.id().node);
  CHECK(g.users(print).empty());
}

TEST_CASE("gradient nodes carry the line and name of what they differentiate") {
  Graph g;
  const Value x = input(g, "x", {}, SourceLine("model.cpp", 41));
  const Value y = apply(test::neg, {x}, SourceLine("model.cpp", 42));
  Value dx;
  {
    const Graph::Origin origin(g, y.id().node);
    dx = apply(test::neg, {y});
  }
  CHECK(describe(dx.node()) == "test_neg 'test_neg_1' (model.cpp:42), in the gradient of 'test_neg'");
  CHECK_FALSE(apply(test::neg, {x}).node().forward);
}

TEST_CASE("a copy of a graph is a graph of its own") {
  Graph g;
  const Value x = input(g, "x", {dim("n")});
  Graph copy = g;
  const Value in_copy(copy, x.id());
  apply(test::neg, {in_copy});
  copy.unify(dim("n"), 3);
  CHECK(g.size() == 1);
  CHECK(x.shape() == Shape{dim("n")});
  CHECK(in_copy.shape() == Shape{3});
  CHECK(g.users(x.id().node).empty());
}

TEST_CASE("nodes stay where they are as the graph grows") {
  Graph g;
  const Value x = input(g, "x", {});
  const Node* before = &x.node();
  Value y = x;
  for (int i = 0; i < 1000; ++i) y = apply(test::neg, {y});
  CHECK(&x.node() == before);
  CHECK(g.size() == 1001);
}

TEST_CASE("outputs must be values of the graph") {
  Graph g;
  const Value x = input(g, "x", {});
  g.set_outputs({{"x", x.id()}});
  CHECK(g.outputs().size() == 1);
  CHECK(message_of([&] { g.set_outputs({{"loss", {NodeId{5}, 0}}}); }) == "output 'loss' is not a value of this graph");
  CHECK(message_of([&] {
          g.set_outputs({{"loss", {x.id().node, 1}}});
        }) == "output 'loss' is not a value of this graph");
  CHECK(g.outputs().size() == 1);
}

TEST_CASE("random streams never repeat") {
  Graph g;
  CHECK(g.next_stream() == 0);
  CHECK(g.next_stream() == 1);
  Graph next;
  next.adopt_symbols(g);
  CHECK(next.next_stream() == 2);
}
