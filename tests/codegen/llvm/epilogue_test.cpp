// What tiles do with their sums: at once, or while the next one sums.
#include <lathe/codegen/schedule.h>

#include "harness.h"

using namespace lathe;
using namespace lathe::loop;
using namespace lathe::test;

TEST_CASE("bias and activation follow in registers") {
  Builder b;
  const Dim m = dim("m");
  const TensorId x = b.input(f32, {m, 30});
  const TensorId w = b.input(f32, {30, 50});
  const TensorId bias = b.input(f32, {50});
  const TensorId out = b.output(f32, {m, 50});
  const TensorId positive = b.output(boolean, {m, 50});
  const Index i = b.outer(m, "i");
  const Index j = b.outer(50, "j");
  const Index k = b.axis(30, "k");
  const LocalId sum = b.local(f32);
  b.stage().yield(b.contract({k}, b.load(x, {i, k}), b.load(w, {k, j})), sum);
  const Expr z = b.read(sum) + b.load(bias, {j});
  b.stage().yield(max(z, b.pool().constant(f32, 0)), out, {i, j}).yield(z > 0.0, positive, {i, j});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
}

TEST_CASE("a parameter is updated from its gradient, which never reaches memory") {
  Builder b;
  const Dim batch = dim("batch");
  const TensorId x = b.input(f32, {batch, 24});
  const TensorId dh = b.input(f32, {batch, 40});
  const TensorId rate = b.input(f32, {});
  const TensorId m = b.variable(f32, {24, 40});
  const TensorId v = b.variable(f32, {24, 40});
  const TensorId w = b.variable(f32, {24, 40});
  const Index p = b.outer(24, "p");
  const Index j = b.outer(40, "j");
  const Index i = b.axis(batch, "i");
  const LocalId gradient = b.local(f32);
  b.stage().yield(b.contract({i}, b.load(x, {i, p}), b.load(dh, {i, j})), gradient);
  const Expr g = b.read(gradient);
  b.stage().yield(b.load(m, {p, j}) + (g - b.load(m, {p, j})) * 0.1, m, {p, j});
  b.yield(b.load(v, {p, j}) + (g * g - b.load(v, {p, j})) * 0.001, v, {p, j});
  b.stage().yield(b.load(w, {p, j}) - b.load(rate, {}) * b.load(m, {p, j}) / (sqrt(abs(b.load(v, {p, j}))) + 1e-7), w,
                  {p, j});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
}

TEST_CASE("a long epilogue loops over the rows of its tile") {
  Builder b;
  const Dim m = dim("m");
  const TensorId x = b.input(f32, {m, 9});
  const TensorId w = b.input(f32, {9, 32});
  const TensorId out = b.output(f32, {m, 32});
  const TensorId squares = b.output(f32, {m, 32});
  const Index i = b.outer(m, "i");
  const Index j = b.outer(32, "j");
  const Index k = b.axis(9, "k");
  const LocalId sum = b.local(f32);
  const LocalId row_sum = b.local(f32);
  b.stage().yield(b.contract({k}, b.load(x, {i, k}), b.load(w, {k, j})), sum);
  const Index q = b.axis(9, "q");
  b.stage().yield(b.reduce(ReduceOp::sum, {q}, b.load(x, {i, q})), row_sum);
  Expr z = b.read(sum);
  for (int step = 0; step < 60; ++step) z = z * 0.5 + b.read(row_sum);
  b.stage().yield(z, out, {i, j}).yield(b.read(sum) * b.read(sum), squares, {i, j});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
}

TEST_CASE("an epilogue that reads a matrix or is long runs once for each tile, while the next one sums") {
  for (const DType dtype : {f32, f64}) {
    for (const bool made : {false, true}) {
      for (const int operations : {0, 40}) {
        for (const std::int64_t columns : {32, 128}) {
          CAPTURE(made);
          CAPTURE(operations);
          CAPTURE(columns);
          Builder b;
          const Dim n = dim("n");
          const TensorId x = b.input(made ? u8 : dtype, {n, 48});
          const TensorId w = b.input(dtype, {2, n, columns});
          const TensorId state = b.variable(dtype, {2, 48, columns});
          const Index p = b.outer(2, "p");
          const Index i = b.outer(48, "i");
          const Index j = b.outer(columns, "j");
          const Index k = b.axis(n, "k");
          const LocalId sum = b.local(dtype);
          const Expr left = made ? cast(dtype, b.load(x, {k, i})) * 0.25 : b.load(x, {k, i});
          b.stage().yield(b.contract({k}, left, b.load(w, {p, k, j})), sum);
          Expr z = b.read(sum);
          for (int operation = 0; operation < operations; ++operation) z = z * 0.5 + b.read(sum);
          b.stage().yield(b.load(state, {p, i, j}) + z, state, {p, i, j});
          b.finish_kernel();
          const auto& kernel = std::get<Kernel>(b.program.steps.front());
          CHECK(schedule(b.program, kernel, machine_model(InstructionSet::avx512)).delays);
          check_against_interpreter(b.program, {.symbols = {{0}, {1}, {5}, {256}, {600}, {4097}}, .portable = false});
        }
      }
    }
  }
}

TEST_CASE("what an epilogue divides may wait for the row after") {
  enum class Update { adam, alone, scaled, nested, reads_moment, reads_index, divides_sum };
  for (const DType dtype : {f32, f64}) {
    for (const Update update : {Update::adam, Update::alone, Update::scaled, Update::nested, Update::reads_moment,
                                Update::reads_index, Update::divides_sum}) {
      CAPTURE(static_cast<int>(update));
      Builder b;
      const Dim n = dim("n");
      const TensorId x = b.input(u8, {n, 48});
      const TensorId dh = b.input(dtype, {2, n, 64});
      const TensorId rows = b.input(dtype, {48});
      const TensorId columns = b.input(dtype, {64});
      const TensorId rate = b.input(dtype, {});
      const TensorId w = b.variable(dtype, {2, 48, 64});
      const TensorId m = b.variable(dtype, {2, 48, 64});
      const TensorId v = b.variable(dtype, {2, 48, 64});
      const Index p = b.outer(2, "p");
      const Index i = b.outer(48, "i");
      const Index j = b.outer(64, "j");
      const Index k = b.axis(n, "k");
      const LocalId sum = b.local(dtype);
      b.stage().yield(b.contract({k}, cast(dtype, b.load(x, {k, i})) * 0.25, b.load(dh, {p, k, j})), sum);
      const Expr g = b.read(sum);
      const Expr old_m = b.load(m, {p, i, j});
      const Expr old_v = b.load(v, {p, i, j});
      const Expr new_m = old_m + (g - old_m) * 0.125;
      const Expr new_v = old_v + (g * g - old_v) * 0.25;
      Expr step = b.load(rate, {}) * new_m / (sqrt(new_v) + 0.5);
      if (update == Update::scaled) step = step * b.load(rows, {i}) + b.load(columns, {j});
      if (update == Update::nested) step = step / (g * g / (new_v + 2.0) + 1.0);
      if (update == Update::reads_moment) step = step + old_m;
      if (update == Update::divides_sum) step = g / (sqrt(new_v) + 0.5) + g;
      if (update == Update::reads_index) step = step * cast(dtype, Expr(i));
      b.stage();
      if (update != Update::alone) b.yield(new_m, m, {p, i, j}).yield(new_v, v, {p, i, j});
      b.yield(b.load(w, {p, i, j}) - step, w, {p, i, j});
      b.finish_kernel();
      const auto& kernel = std::get<Kernel>(b.program.steps.front());
      CHECK(schedule(b.program, kernel, machine_model(InstructionSet::avx512)).delays);
      check_against_interpreter(b.program, {.symbols = {{0}, {1}, {5}, {256}, {600}, {4097}}, .portable = false});
    }
  }
}

TEST_CASE("what is divided does not wait where the first half stores in the place of what it reads") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, 48});
  const TensorId dh = b.input(f32, {n, 64});
  const TensorId before = b.input(f32, {48, 64});
  const TensorId old = b.arena(f32, {48, 64});
  const TensorId made = b.arena(f32, {48, 64});
  b.program.tensors.at(static_cast<std::size_t>(made)).arena_offset_bytes = b.program.tensor(old).arena_offset_bytes;
  const TensorId out = b.output(f32, {48, 64});
  const Index r = b.outer(48, "r");
  const Index c = b.outer(64, "c");
  b.stage().yield(b.load(before, {r, c}) * 2.0, old, {r, c});
  b.finish_kernel();
  const Index i = b.outer(48, "i");
  const Index j = b.outer(64, "j");
  const Index k = b.axis(n, "k");
  const LocalId sum = b.local(f32);
  b.stage().yield(b.contract({k}, b.load(x, {k, i}), b.load(dh, {k, j})), sum);
  const Expr step = b.read(sum) / (b.load(old, {i, j}) * b.load(old, {i, j}) + 1.0);
  b.stage().yield(b.read(sum) * 3.0, made, {i, j}).yield(step + b.load(old, {i, j}), out, {i, j});
  b.finish_kernel();
  const auto& kernel = std::get<Kernel>(b.program.steps.back());
  CHECK(schedule(b.program, kernel, machine_model(InstructionSet::avx512)).delays);
  check_against_interpreter(b.program, {.symbols = {{1}, {5}, {256}}, .portable = false});
}

TEST_CASE("an epilogue does not wait where tiles differ, or where sums read what it stores") {
  const auto delays = [](std::int64_t rows, std::int64_t columns, bool reads_state) {
    Builder b;
    const TensorId x = b.input(f32, {rows, 20});
    const TensorId state = b.variable(f32, {rows, columns});
    const TensorId w = b.input(f32, {20, columns});
    const Index i = b.outer(rows, "i");
    const Index j = b.outer(columns, "j");
    const Index k = b.axis(20, "k");
    const LocalId sum = b.local(f32);
    const Expr left = reads_state ? b.load(state, {i, k}) : b.load(x, {i, k});
    b.stage().yield(b.contract({k}, left, b.load(w, {k, j})), sum);
    Expr z = b.read(sum);
    for (int step = 0; step < 40; ++step) z = z * 0.5 + b.read(sum);
    b.stage().yield(z, state, {i, j});
    b.finish_kernel();
    const auto& kernel = std::get<Kernel>(b.program.steps.front());
    return schedule(b.program, kernel, machine_model(InstructionSet::avx512)).delays;
  };
  CHECK(delays(32, 64, false));
  CHECK(delays(33, 64, false));  // tiles of 3 rows
  CHECK(!delays(32, 10, false));
  CHECK(!delays(31, 64, false));
  CHECK(!delays(32, 72, false));
  CHECK(!delays(32, 64, true));
  CHECK(!delays(1, 64, false));
}
