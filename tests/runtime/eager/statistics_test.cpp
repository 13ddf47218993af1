#include <cstdint>

#include <doctest/doctest.h>

#include <lathe/ops/math.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/variable.h>
#include <lathe/runtime/eager/array.h>
#include <lathe/runtime/eager/function.h>

using namespace lathe;

TEST_CASE("the time of kernels is measured with the option profile alone, op by op and in a traced function") {
  for (const bool profile : {false, true}) {
    CAPTURE(profile);
    eager::Context context({.threads = 1, .profile = profile});
    const eager::Array x = context.array(Tensor(f32, {64, 64}));
    exp(x);
    const double one_op = context.statistics().kernel_microseconds;
    CHECK((one_op > 0) == profile);

    auto traced = function([](Value y) { return sum(exp(y)); });
    traced(x);
    CHECK((context.statistics().kernel_microseconds > one_op) == profile);
  }
}

TEST_CASE("a traced function explains each of its programs at the sizes of its last call") {
  eager::Context context({.threads = 1});
  auto doubled = function([](Value x) { return x * 2; });
  CHECK(doubled.explain().empty());
  for (const std::int64_t size : {3, 5}) {
    doubled(context.array(Tensor(f32, {size})));
    REQUIRE(doubled.explain().size() == 1);
    const Explanation explanation = doubled.explain().front();
    CHECK(explanation.sizes.ends_with("= " + std::to_string(size)));
    REQUIRE(explanation.steps.size() == 1);
    CHECK(explanation.steps.front().bytes == 2 * 4 * size);
  }
}

TEST_CASE("a traced program moves its arguments, its results and its variables, once for each read and assignment") {
  eager::Context context({.threads = 1});
  const Value weight = variable(context, "weight", Tensor(f32, {100}));
  auto update = function([&](Value x) {
    assign(weight, weight + x);
    return x * 2;
  });
  const eager::Array x = context.array(Tensor(f32, {100}));
  update(x);
  const std::uint64_t before = context.statistics().bytes_moved;
  update(x);
  CHECK(context.statistics().bytes_moved - before == 4 * 100 * 4);
}
