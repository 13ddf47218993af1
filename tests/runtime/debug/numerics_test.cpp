#include <lathe/runtime/debug/numerics.h>

#include <limits>
#include <string>

#include <doctest/doctest.h>

#include <lathe/ops/compare.h>
#include <lathe/ops/gradients.h>
#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>

using namespace lathe;

namespace {

const debug::ValueNumerics& entry(const debug::Numerics& numerics, const Value& value) {
  for (const debug::ValueNumerics& found : numerics) {
    if (found.name == value.name()) return found;
  }
  FAIL("nothing is told of '" << value.name() << "'");
  return numerics.front();
}

}  // namespace

TEST_CASE("numerics tell of each value where it comes from and what its elements are like") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  const Value y = log(x);
  Session session(g, {.interpret = true});
  const debug::Numerics numerics = debug::numerics(session, {y}, {{x, Tensor::from<float>({5}, {1, 0, -1, 1, 2})}});
  REQUIRE(numerics.size() == 2);

  const debug::ValueNumerics& fed = entry(numerics, x);
  CHECK(fed.op == "placeholder");
  CHECK(fed.where == x.node().where);
  CHECK(fed.shape == Extents{5});
  CHECK(fed.min == -1);
  CHECK(fed.max == 2);
  CHECK(*fed.mean == doctest::Approx(0.6));
  CHECK(fed.zeros == 1);
  CHECK(fed.share_of_zeros() == doctest::Approx(0.2));
  CHECK(fed.nans + fed.infinities == 0);

  const debug::ValueNumerics& computed = entry(numerics, y);
  CHECK(computed.op == "log");
  CHECK(computed.nans == 1);
  CHECK(computed.infinities == 1);
  CHECK(computed.zeros == 2);
  CHECK(computed.min == 0);
  CHECK(*computed.max == doctest::Approx(0.6931472));
  CHECK(*computed.mean == doctest::Approx(0.6931472 / 3));
}

TEST_CASE("numerics of no elements, and of none that is finite, have no least, largest or mean") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  const Value y = sqrt(x);
  Session session(g, {.interpret = true});
  const auto of = [&](const Tensor& fed) { return entry(debug::numerics(session, {y}, {{x, fed}}), y); };
  const debug::ValueNumerics empty = of(Tensor(f32, {0}));
  CHECK_FALSE(empty.min.has_value());
  CHECK_FALSE(empty.mean.has_value());
  CHECK(empty.share_of_zeros() == 0);
  const debug::ValueNumerics bad = of(Tensor::from<float>({1}, {-1}));
  CHECK_FALSE(bad.max.has_value());
  CHECK(bad.nans == 1);
}

TEST_CASE("numerics are of a run, which makes its assignments") {
  Graph g;
  const Variable w = variable(g, "w", Tensor::from<float>({2}, {3, 4}));
  const Value loss = sum(square(w.value));
  const Value slope = gradients({loss}, {w.value})[0];
  const Value train = assign(w, w.value - slope * 0.5f);
  Session session(g, {.interpret = true});
  session.initialize();
  const debug::Numerics numerics = debug::numerics(session, {train});
  CHECK(session.variable(w) == Tensor(f32, {2}));
  CHECK(entry(numerics, w.value).max == 4);  // from before the run
  CHECK(entry(numerics, train).share_of_zeros() == 1);
  bool gradient_seen = false;
  for (const debug::ValueNumerics& value : numerics) gradient_seen = gradient_seen || value.forward.has_value();
  CHECK(gradient_seen);
}

TEST_CASE("numerics as a table are aligned, with whole numbers whole and what is not finite marked") {
  Graph g;
  const Value x = placeholder(g, "x", f32, {dim("n")});
  const Value count = placeholder(g, "count", i64, {});
  const Value y = log(x);
  const Value positive = x > 0.5f;
  Session session(g, {.interpret = true});
  const std::string table = to_string(debug::numerics(
      session, {y, positive, count},
      {{x, Tensor::from<float>({4}, {1, 0, 0.25f, 1})}, {count, Tensor::scalar<std::int64_t>(123456789)}}));
  const auto line = [](const Value& value) { return describe(value.node().where) + "\n"; };
  CHECK(table ==
        "   node      op           type            min        max        mean  zeros  NaN  inf  line\n"
        "   x         placeholder  f32 [4]           0          1      0.5625  25.0%    0    0  " +
            line(x) + "   count     placeholder  i64 []    123456789  123456789  1.2346e+08   0.0%    0    0  " +
            line(count) + "!  log       log          f32 [4]     -1.3863          0     -0.4621  50.0%    0    1  " +
            line(y) + "   constant  constant     f32 []          0.5        0.5         0.5   0.0%    0    0  " +
            line(positive) + "   greater   greater      bool [4]          0          1         0.5  50.0%    0    0  " +
            line(positive));
}
