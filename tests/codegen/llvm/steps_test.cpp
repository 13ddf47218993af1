#include "harness.h"

using namespace lathe;
using namespace lathe::loop;
using namespace lathe::test;

TEST_CASE("scatter-add adds every point in order, repeats included") {
  Builder b;
  const Dim n = dim("n");
  const TensorId base = b.input(f32, {6, 21});
  const TensorId which = b.input(u8, {n});
  const TensorId x = b.input(f32, {n, 21});
  const TensorId rows = b.output(f32, {6, 21});
  const TensorId counts = b.output(i32, {6});
  const TensorId zeros = b.input(i32, {6});
  const Index i = b.axis(n, "i");
  const Index j = b.axis(21, "j");
  const Expr row = mod(cast(i64, b.load(which, {i})), b.pool().extent(6));
  b.program.steps.emplace_back(
      ScatterKernel{"rows", base, rows, {i.axis, j.axis}, {row.id, j.id}, b.load(x, {i, j}).id});
  const Index k = b.axis(n, "k");
  const Expr at = mod(cast(i64, b.load(which, {k})), b.pool().extent(6));
  b.program.steps.emplace_back(ScatterKernel{"counts", zeros, counts, {k.axis}, {at.id}, b.pool().constant(i32, 1).id});
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("scatter-add into a variable that is its own base") {
  Builder b;
  const TensorId table = b.variable(f32, {6, 21});
  const TensorId which = b.input(u8, {dim("n")});
  const Index i = b.axis(dim("n"), "i");
  const Index j = b.axis(21, "j");
  const Expr row = mod(cast(i64, b.load(which, {i})), b.pool().extent(6));
  b.program.steps.emplace_back(
      ScatterKernel{"table", table, table, {i.axis, j.axis}, {row.id, j.id}, b.pool().constant(f32, 0.25).id});
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("a commit copies the new value over its variable") {
  Builder b;
  const Dim n = dim("n");
  const TensorId v = b.variable(f32, {n});
  const TensorId next = b.arena(f32, {n});
  const TensorId old = b.output(f32, {n});
  const Index i = b.outer(n, "i");
  b.stage().yield(b.load(v, {i}) * 2.0, next, {i});
  b.finish_kernel();
  const Index j = b.outer(n, "j");
  b.stage().yield(b.load(v, {j}), old, {j});
  b.finish_kernel();
  b.program.steps.emplace_back(CommitStep{next, v});
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("the host receives a tensor with the number of its step, and nothing when there is no host") {
  Builder b;
  const TensorId x = b.input(f32, {3});
  const TensorId sum = b.arena(f32, {3});
  const Index i = b.outer(3, "i");
  b.stage().yield(b.load(x, {i}) + 1.0, sum, {i});
  b.finish_kernel();
  b.program.steps.emplace_back(HostStep{"sum", sum});
  const auto executable = compile(b.program);
  Memory memory(b.program, {}, Fill::whole_numbers, 3);
  abi::Arguments arguments = memory.arguments();
  CHECK(executable->entry()(&arguments) == 0);
  struct Seen {
    std::int64_t step = -1;
    std::vector<float> values;
  } seen;
  arguments.host_context = &seen;
  arguments.host = [](void* context, std::int64_t step, const void* data) {
    auto& into = *static_cast<Seen*>(context);
    into.step = step;
    into.values.resize(3);
    std::memcpy(into.values.data(), data, 3 * sizeof(float));
  };
  CHECK(executable->entry()(&arguments) == 0);
  CHECK(seen.step == 1);
  for (std::size_t at = 0; at < 3; ++at) {
    float in = 0;
    std::memcpy(&in, memory.inputs.front().data() + at * sizeof(float), sizeof(float));
    CHECK(seen.values[at] == in + 1);
  }
}

TEST_CASE("a failed check stops the program before later steps, and reports the first failure") {
  Builder b;
  const Dim n = dim("n");
  const TensorId labels = b.input(i32, {n});
  const TensorId v = b.variable(f32, {n});
  const TensorId seen = b.arena(i32, {n});
  const CheckId small = b.pool().make_check({"node", "label {detail} at {index} is too large"});
  const CheckId large = b.pool().make_check({"node", "label {detail} at {index} is negative"});
  const Index i = b.outer(n, "i");
  const Expr label = b.load(labels, {i});
  const Expr detail = cast(i64, label);
  const Expr checked = b.pool().check(large, label >= -2.0, label, i, detail);
  b.stage().yield(b.pool().check(small, label < 3.0, checked, i, detail), seen, {i});
  b.finish_kernel();
  const Index j = b.outer(n, "j");
  b.stage().yield(b.load(v, {j}) + cast(f32, b.load(seen, {j})), v, {j});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
  check_against_interpreter(b.program, {.symbols = {{50'000}}});
}

TEST_CASE("checks in scalars, rows and tiles report as well") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, 18});
  const TensorId w = b.input(f32, {18, 20});
  const TensorId rows = b.output(f32, {n});
  const TensorId tiles = b.output(f32, {n, 20});
  const CheckId in_row = b.pool().make_check({"node", "row {index}"});
  const CheckId in_tile = b.pool().make_check({"node", "tile {index}"});
  const Index i = b.outer(n, "i");
  const LocalId m = b.local(f32);
  const Index c = b.axis(18, "c");
  b.stage().yield(b.reduce(ReduceOp::max, {c}, b.load(x, {i, c})), m);
  b.stage().yield(b.pool().check(in_row, b.read(m) < 3.0, b.read(m), i, cast(i64, b.read(m))), rows, {i});
  b.finish_kernel();
  const Index p = b.outer(n, "p");
  const Index q = b.outer(20, "q");
  const Index k = b.axis(18, "k");
  const LocalId sum = b.local(f32);
  b.stage().yield(b.contract({k}, b.load(x, {p, k}), b.load(w, {k, q})), sum);
  const Expr flat = p * b.pool().extent(20) + q;
  b.stage().yield(b.pool().check(in_tile, b.read(sum) < 20.0, b.read(sum), flat, p), tiles, {p, q});
  b.finish_kernel();
  for (const Fill fill : {Fill::numbers, Fill::whole_numbers}) {
    check_against_interpreter(b.program,
                              {.symbols = each_size(), .fill = fill, .portable = fill == Fill::whole_numbers});
  }
}
