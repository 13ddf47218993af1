// What is over is gone: steps and functions without end take no memory beyond their first ones.
#include <unistd.h>

#include <fstream>

#include <doctest/doctest.h>

#include <lathe/ops/math.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/optim/optimizers.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>
#include <lathe/runtime/eager/array.h>
#include <lathe/runtime/eager/function.h>
#include <lathe/runtime/eager/optimizer.h>
#include <lathe/runtime/eager/tape.h>

#include "../../support/sanitized.h"
#include "../../support/temporary_folder.h"

using namespace lathe;
using eager::Array;

namespace {

/// Bytes of the process that lie in memory.
std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t pages = 0;
  std::int64_t resident = 0;
  statm >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// A sanitizer keeps what was freed for a while, and takes its time.
constexpr std::int64_t allowed_bytes = std::int64_t{test::is_sanitized ? 512 : 4} << 20;
constexpr int part = test::is_sanitized ? 20 : 1;

}  // namespace

TEST_CASE("a hundred thousand eager steps hold resident memory flat") {
  eager::Context context({.threads = 1});
  const Variable w = variable(context, "w", Tensor(f32, {8, 4}));
  const Value x = fill(context, {16, 8}, 0.5);
  eager::Optimizer optimizer(context, optim::sgd());
  const auto step = [&](int number) {
    eager::GradientTape tape(context);
    const Value loss = mean(square(matmul(x, w) - static_cast<float>(number)));
    optimizer.apply_gradients(tape.gradient(loss, {w}), {w});
  };
  for (int number = 0; number < 2000; ++number) step(number);
  const std::int64_t before = resident_bytes();
  const std::uint64_t arrays = context.statistics().arrays;
  for (int number = 0; number < 100000 / part; ++number) step(number);
  CHECK(context.statistics().arrays <= arrays + 256);  // numbers that are kept for the next use
  CHECK(resident_bytes() - before < allowed_bytes);
}

TEST_CASE("a thousand traced functions, built and destroyed, hold resident memory flat") {
  const test::TemporaryFolder folder;
  eager::Context context({.threads = 1, .cache = {.folder = folder.path() / "programs"}});
  const Variable w = variable(context, "w", Tensor::scalar(1.0f));
  const Value x = context.array<float>({4}, {1, 2, 3, 4});
  const auto build = [&] {
    auto traced = function([&](Value y) {
      assign(w, w.value * 0.5f);
      return sum(exp(y) * w.value);
    });
    return Array(traced(x)).item<float>();
  };
  for (int built = 0; built < 100; ++built) build();
  const std::int64_t before = resident_bytes();
  const std::uint64_t arrays = context.statistics().arrays;
  for (int built = 0; built < 1000 / part; ++built) build();
  CHECK(context.statistics().arrays == arrays);
  CHECK(resident_bytes() - before < allowed_bytes);
}
