#include <lathe/codegen/strip_plan.h>

#include <doctest/doctest.h>

#include <lathe/codegen/lower.h>
#include <lathe/graph/passes/dead_code.h>
#include <lathe/ops/conv.h>
#include <lathe/ops/math.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/source.h>

#include "../support/run_graph.h"

using namespace lathe;
using namespace lathe::test;

TEST_CASE("a strip holds what fits into the cache, and whole items of all its kernels") {
  const MachineModel machine = machine_model(InstructionSet::avx512);
  Graph g;
  const Value weights = placeholder(g, "w", f32, {3, 3, 1, 24});
  Value y = placeholder(g, "x", f32, {dim("n"), 40, 40, 1});
  for (int layer = 0; layer < 3; ++layer) y = sum(relu(conv2d(y, weights, {.padding = Padding::same})), {3}, true);
  set_outputs(g, {y});
  const Program program = lower(eliminate_dead_code(g));
  REQUIRE(program.strips.size() == 1);
  const StripPlan plan = plan_strips(program, program.strips.front(), machine);
  REQUIRE(plan.runs.size() == 1);
  const StripRun& run = plan.runs.front();
  CHECK(run.count == 3);
  CHECK(run.points == (256 << 10) / (2 * 6400));
  for (const PointItems& items : run.items) CHECK(run.points * items.point % items.item == 0);

  Bindings sizes;
  sizes.bind(symbol("n"), 8 * run.points);
  CHECK(pays(run, sizes));
  Bindings too_few;
  too_few.bind(symbol("n"), 8 * run.points - 1);
  CHECK(!pays(run, too_few));
}
