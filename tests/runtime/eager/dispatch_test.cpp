// What a call of an op costs beside its work: allocations, memory, kernels.
#include <doctest/doctest.h>

#include <lathe/ops/cast.h>
#include <lathe/ops/compare.h>
#include <lathe/ops/math.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/source.h>
#include <lathe/ops/variable.h>
#include <lathe/runtime/eager/array.h>

#include "../../support/count_allocations.h"
#include "../../support/temporary_folder.h"

using namespace lathe;
using eager::Array;
using lathe::test::allocations;

namespace {

Value ramp(eager::Context& context, std::int64_t size) {
  return cast(iota(context, size), f32);
}

}  // namespace

TEST_CASE("after its first calls an op allocates nothing") {
  eager::Context context({.threads = 1});
  const Value x = ramp(context, 16);
  const Value y = ramp(context, 16);
  Value z;
  const auto call = [&] { z = exp(x + y) * 0.5f - select(x > y, x, y); };
  for (int warm = 0; warm < 3; ++warm) call();
  const long before = allocations;
  for (int i = 0; i < 100; ++i) call();
  CHECK(allocations == before);
}

TEST_CASE("temporaries lie in the memory of those before them") {
  eager::Context context({.threads = 1});
  Value x = ramp(context, 1000);
  for (int i = 0; i < 3; ++i) x = x * 0.5f + 1;
  const eager::Statistics before = context.statistics();
  for (int i = 0; i < 100; ++i) x = x * 0.5f + 1;
  const eager::Statistics after = context.statistics();
  CHECK(after.arrays == before.arrays);
  CHECK(after.live_bytes == before.live_bytes);
  CHECK(after.held_bytes == before.held_bytes);
  CHECK(after.dispatches == before.dispatches + 200);
  CHECK(after.kernels == before.kernels + 200);
  CHECK(after.bytes_moved == before.bytes_moved + 200 * (2 * 4000 + 4));
  CHECK(after.peak_bytes >= 3 * 4000);
  context.reset_peak();
  CHECK(context.statistics().peak_bytes == after.live_bytes);
  x = Value();
  CHECK(context.statistics().live_bytes < after.live_bytes);
  context.trim();
  CHECK(context.statistics().held_bytes == context.statistics().live_bytes);
}

TEST_CASE("one kernel serves all sizes, attributes with extents included") {
  eager::Context context({.threads = 1, .cache = {.enabled = false}});
  const auto use = [&](std::int64_t rows, std::int64_t columns) {
    const Value x = fill(context, {rows, columns}, 2);
    const Value y = matmul(x, fill(context, {columns, 3}, 1)) + 1;
    return Array(sum(slice(y, {Range{}, Range{1, {}}}), {0})).tensor();
  };
  CHECK(use(2, 4) == Tensor::from<float>({2}, {18, 18}));
  const std::uint64_t compilations = context.statistics().compilations;
  CHECK(use(5, 3) == Tensor::from<float>({2}, {35, 35}));
  CHECK(use(1, 1) == Tensor::from<float>({2}, {3, 3}));
  CHECK(use(0, 7) == Tensor::from<float>({2}, {0, 0}));
  CHECK(use(33, 100) == Tensor::from<float>({2}, {6633, 6633}));
  CHECK(context.statistics().compilations == compilations);
}

TEST_CASE("another shape of the same elements needs no kernel and no memory") {
  eager::Context context({.threads = 1});
  const Array x = ramp(context, 24);
  const eager::Statistics before = context.statistics();
  const Array y = reshape(x, {2, 3, 4});
  const Array z = squeeze(expand_dims(y, 0));
  const Array part = slice(z, {Range{1, 2}});
  CHECK(y.view().data == x.view().data);
  CHECK(z.view().data == x.view().data);
  CHECK(part.view().data == x.view().data + 12 * sizeof(float));
  CHECK(context.statistics().kernels == before.kernels);
  CHECK(context.statistics().live_bytes == before.live_bytes);
}

TEST_CASE("kernels are found in the cache on disk by the next context") {
  const test::TemporaryFolder folder;
  const SessionOptions options{.threads = 1, .cache = {.folder = folder.path() / "programs"}};
  const auto use = [&] {
    eager::Context context(options);
    const Array y = tanh(ramp(context, 5));
    return std::pair(y.tensor(), context.statistics());
  };
  const auto [first, compiled] = use();
  const auto [second, found] = use();
  CHECK(first == second);
  CHECK(compiled.compilations == 3);
  CHECK(compiled.found == 0);
  CHECK(found.compilations == 0);
  CHECK(found.found == 3);
}

TEST_CASE("a dump has a folder a kernel") {
  const test::TemporaryFolder folder;
  eager::Context context({.threads = 1, .dump = folder.path()});
  tanh(ramp(context, 5));
  CHECK(std::filesystem::exists(folder.path() / "kernel_000_iota" / "kernels.txt"));
  CHECK(std::filesystem::exists(folder.path() / "kernel_002_tanh" / "module.s"));
}

TEST_CASE("arrays outlive their context") {
  Array kept;
  {
    eager::Context context({.threads = 1});
    kept = ramp(context, 3) * 2;
  }
  CHECK(kept.tensor() == Tensor::from<float>({3}, {0, 2, 4}));
  const Array sum_of_kept = sum(kept);
  kept = Array();
  CHECK(sum_of_kept.item<float>() == 6);
}

TEST_CASE("interpreted and with threads, ops give the same bits") {
  const auto use = [](const SessionOptions& options) {
    eager::Context context(options);
    const Value x = reshape(ramp(context, 300 * 200), {300, 200});
    return Array(matmul(sin(x), cos(x), {.transpose_b = true})).tensor();
  };
  const Tensor expected = use({.threads = 1});
  CHECK(use({.threads = 2}) == expected);
  const auto small = [](const SessionOptions& options) {
    eager::Context context(options);
    return Array(exp(sin(ramp(context, 33)))).tensor();
  };
  CHECK(small({.threads = 1, .interpret = true}) == small({.threads = 1}));
}
