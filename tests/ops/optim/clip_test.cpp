#include <lathe/ops/optim/clip.h>

#include <doctest/doctest.h>

#include <lathe/ops/source.h>
#include <lathe/runtime/session.h>

using namespace lathe;

namespace {

struct Setting {
  Graph g;
  Value a = constant(g, {3.0f, -4.0f});
  Value b = constant(g, {0.0, 12.0}, {1, 2});

  std::vector<Tensor> values(const Values& of) { return Session(g, {.threads = 1, .interpret = true}).run(of); }
};

void check_close(const Tensor& found, std::initializer_list<double> expected) {
  REQUIRE(found.size() == static_cast<std::int64_t>(expected.size()));
  std::int64_t i = 0;
  for (const double value : expected) CHECK(found.at(i++) == doctest::Approx(value).epsilon(1e-6));
}

}  // namespace

TEST_CASE("clipping by value limits each element") {
  Setting s;
  const std::vector<Tensor> clipped = s.values(optim::clip_by_value({s.a, s.b}, 3.5));
  check_close(clipped[0], {3, -3.5});
  check_close(clipped[1], {0, 3.5});
}

TEST_CASE("clipping by norm scales each value that is too long, and leaves the others") {
  Setting s;
  const std::vector<Tensor> clipped = s.values(optim::clip_by_norm({s.a, s.b}, 6));
  check_close(clipped[0], {3, -4});
  check_close(clipped[1], {0, 6});
}

TEST_CASE("clipping by the global norm scales all values alike, across dtypes") {
  Setting s;
  const std::vector<Tensor> clipped = s.values(optim::clip_by_global_norm({s.a, s.b}, 6.5));
  check_close(clipped[0], {1.5, -2});
  check_close(clipped[1], {0, 6});
  CHECK(clipped[0].dtype() == f32);
  check_close(s.values({optim::global_norm({s.a, s.b})})[0], {13});
}

TEST_CASE("a limit that is not positive is an error") {
  Setting s;
  CHECK_THROWS_WITH_AS(optim::clip_by_norm({s.a}, 0), doctest::Contains("the limit must be positive, not 0"),
                       GraphError);
  CHECK_THROWS_WITH_AS(optim::clip_by_global_norm({}, 1), doctest::Contains("there are no values"), GraphError);
}
