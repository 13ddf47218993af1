#include <lathe/ops/losses.h>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <lathe/ops/gradients.h>
#include <lathe/ops/softmax.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/session.h>

using namespace lathe;

TEST_CASE("losses give one number a row, or an element for sigmoid_cross_entropy") {
  Graph g;
  const Value logits = placeholder(g, "logits", f32, {dim("batch"), 10});
  const Value labels = placeholder(g, "labels", u8, {dim("batch")});
  const Value targets = placeholder(g, "targets", f32, {dim("batch"), 10});
  CHECK(to_string(sparse_softmax_cross_entropy(labels, logits).type()) == "f32 [batch]");
  CHECK(to_string(softmax_cross_entropy(targets, logits).type()) == "f32 [batch]");
  CHECK(to_string(sigmoid_cross_entropy(targets, logits).type()) == "f32 [batch, 10]");
  CHECK(to_string(mean_squared_error(targets, logits).type()) == "f32 [batch]");
}

TEST_CASE("losses refuse arguments that would only fit by broadcasting") {
  Graph g;
  const Value logits = placeholder(g, "logits", f32, {8, 10});
  CHECK_THROWS_WITH_AS(sparse_softmax_cross_entropy(placeholder(g, "a", i64, {8, 1}), logits),
                       doctest::Contains("labels [8, 1] do not match the rows of logits [8, 10]: one label a row"),
                       GraphError);
  CHECK_THROWS_WITH_AS(sparse_softmax_cross_entropy(placeholder(g, "b", i64, {7}), logits),
                       doctest::Contains("labels [7] do not match the rows of logits [8, 10]"), GraphError);
  CHECK_THROWS_WITH_AS(sparse_softmax_cross_entropy(placeholder(g, "c", f32, {8}), logits),
                       doctest::Contains("labels are integers, not f32"), GraphError);
  CHECK_THROWS_WITH_AS(mean_squared_error(placeholder(g, "d", f32, {8, 1}), logits),
                       doctest::Contains("targets is f32 [8, 1], predictions is f32 [8, 10]"), GraphError);
  CHECK_THROWS_WITH_AS(softmax_cross_entropy(placeholder(g, "e", i32, {8, 10}), logits),
                       doctest::Contains("labels is i32 [8, 10], logits is f32 [8, 10]"), GraphError);
}

TEST_CASE("nodes of a composite carry the line of its caller") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n"), 4});
  const std::size_t before = g.size();
  const Value y = softmax(x);
  const std::uint32_t line = __LINE__ - 1;
  CHECK(y.type() == x.type());
  REQUIRE(g.size() > before + 2);
  for (std::size_t i = before; i < g.size(); ++i) CHECK(g.node(static_cast<NodeId>(i)).where.line == line);
}

TEST_CASE("gradients of losses have the logits' type, and can be differentiated again") {
  Graph g;
  const Value logits = placeholder(g, "logits", f64, {dim("batch"), 4});
  const Value labels = placeholder(g, "labels", i32, {dim("batch")});
  const Value targets = placeholder(g, "targets", f64, {dim("batch"), 4});
  const Values losses = {sparse_softmax_cross_entropy(labels, logits),
                         softmax_cross_entropy(targets, logits),
                         sigmoid_cross_entropy(targets, logits),
                         mean_squared_error(targets, logits),
                         logsumexp(logits, {-1}),
                         log_softmax(logits, 0)};
  for (const Value& loss : losses) {
    const Value dz = gradients({loss}, {logits})[0];
    CHECK(dz.type() == logits.type());
    CHECK(gradients({dz}, {logits})[0].type() == logits.type());
  }
}

TEST_CASE("losses have the values of their formulas, at extreme logits too") {
  Graph g;
  const Value z = constant(g, {1.0, 2.0, 0.5, 1000.0, 0.0, -1000.0}, {2, 3});
  const Value label = constant(g, {std::int64_t{2}, std::int64_t{1}});
  const Value target = constant(g, {0.0, 0.0, 1.0, 0.0, 1.0, 0.0}, {2, 3});
  Session session(g, {.threads = 1, .interpret = true});
  const auto results = session.run({sparse_softmax_cross_entropy(label, z), softmax_cross_entropy(target, z),
                                    sigmoid_cross_entropy(target, z), mean_squared_error(target, z)});
  const double first = std::log(std::exp(1) + std::exp(2) + std::exp(0.5)) - 0.5;
  for (const int i : {0, 1}) {
    CHECK(results[static_cast<std::size_t>(i)].at(0) == doctest::Approx(first).epsilon(1e-12));
    CHECK(results[static_cast<std::size_t>(i)].at(1) == doctest::Approx(1000).epsilon(1e-12));
  }
  CHECK(results[2].at(0) == doctest::Approx(std::log1p(std::exp(1))).epsilon(1e-12));
  CHECK(results[2].at(2) == doctest::Approx(std::log1p(std::exp(-0.5))).epsilon(1e-12));
  CHECK(results[2].at(3) == doctest::Approx(1000).epsilon(1e-12));
  CHECK(results[2].at(5) == 0);
  CHECK(results[3].at(0) == doctest::Approx((1 + 4 + 0.25) / 3).epsilon(1e-12));
}

TEST_CASE("softmax sums to one at any scale, and logsumexp survives infinities") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  Graph g;
  const Value x = constant(g, {1e4, 1e4, 0.0, -inf, -1e4, -1e4, 0.0, 0.0}, {2, 4});
  const Value edges = constant(g, {-inf, -inf, 1.0, -inf, inf, 1.0}, {3, 2});
  Session session(g, {.threads = 1, .interpret = true});
  const auto results = session.run({softmax(x), log_softmax(x), logsumexp(edges, {-1}), logsumexp(edges, {0}, true)});
  const std::vector<double> expected = {0.5, 0.5, 0, 0, 0, 0, 0.5, 0.5};
  for (std::int64_t i = 0; i < 8; ++i) CHECK(results[0].at(i) == expected[static_cast<std::size_t>(i)]);
  CHECK(results[1].at(2) == doctest::Approx(-1e4 - std::log(2)).epsilon(1e-12));
  CHECK(results[2].at(0) == -inf);
  CHECK(results[2].at(1) == 1);
  CHECK(results[2].at(2) == inf);
  CHECK(results[3].at(0) == inf);
  CHECK(results[3].at(1) == doctest::Approx(1 + std::log(1)).epsilon(1e-12));
}

TEST_CASE("a label outside the classes fails the run and names the row") {
  Graph g;
  const Value logits = placeholder(g, "logits", f32, {dim("batch"), 10});
  const Value labels = placeholder(g, "labels", i64, {dim("batch")});
  const Value loss = sparse_softmax_cross_entropy(labels, logits);
  Session session(g, {.threads = 1, .interpret = true});
  const Tensor z(f32, {4, 10});
  const Tensor too_large = Tensor::from<std::int64_t>({4}, {0, 9, 3, 10});
  const Tensor negative = Tensor::from<std::int64_t>({4}, {0, -1, 3, 4});
  CHECK_THROWS_WITH_AS(session.run(loss, {{logits, z}, {labels, too_large}}),
                       doctest::Contains("label 10 at row 3 is outside [0, 10)"), RunError);
  CHECK_THROWS_WITH_AS(session.run(loss, {{logits, z}, {labels, negative}}),
                       doctest::Contains("label -1 at row 1 is outside [0, 10)"), RunError);
}
