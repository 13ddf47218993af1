#include <lathe/codegen/streaming.h>

#include "harness.h"

using namespace lathe;
using namespace lathe::loop;
using namespace lathe::test;

TEST_CASE("an element-wise kernel over one symbolic axis writes every element and nothing else") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n});
  const TensorId y = b.input(f32, {n});
  const TensorId out = b.output(f32, {n});
  const Index i = b.outer(n, "i");
  b.stage().yield(max(b.load(x, {i}) * b.load(y, {i}) + 1.0, b.load(x, {i})), out, {i});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
  check_against_interpreter(b.program, {.symbols = {{5000}, {100'001}}});
}

TEST_CASE("a bias is broadcast along rows, a column along columns") {
  for (const std::int64_t columns : {1, 3, 10, 16, 40}) {
    Builder b;
    const Dim n = dim("n");
    const TensorId x = b.input(f32, {n, columns});
    const TensorId bias = b.input(f32, {columns});
    const TensorId scale = b.input(f32, {n, 1});
    const TensorId out = b.output(f32, {n, columns});
    const Index i = b.outer(n, "i");
    const Index j = b.outer(columns, "j");
    b.stage().yield((b.load(x, {i, j}) + b.load(bias, {j})) * b.load(scale, {i, b.pool().extent(0)}), out, {i, j});
    b.finish_kernel();
    check_against_interpreter(b.program, {.symbols = each_size()});
  }
}

TEST_CASE("both axes may be symbols") {
  Builder b;
  const Dim n = dim("n");
  const Dim m = dim("m");
  const TensorId x = b.input(f32, {n, m});
  const TensorId bias = b.input(f32, {m});
  const TensorId out = b.output(f32, {n, m});
  const Index i = b.outer(n, "i");
  const Index j = b.outer(m, "j");
  b.stage().yield(b.load(x, {i, j}) - b.load(bias, {j}), out, {i, j});
  b.finish_kernel();
  std::vector<std::vector<std::int64_t>> sizes;
  for (const std::int64_t rows : {0, 1, 7, 33}) {
    for (const std::int64_t columns : awkward_sizes) sizes.push_back({rows, columns});
  }
  check_against_interpreter(b.program, {.symbols = sizes});
}

TEST_CASE("a load that runs along the rows is turned a square at a time, whatever is left at the edges") {
  for (const DType dtype : {u8, i32, i64, f32, f64}) {
    for (const std::int64_t rows : {8, 16, 21, 40}) {
      for (const std::int64_t columns : {3, 16, 37, 300}) {
        CAPTURE(rows);
        CAPTURE(columns);
        Builder b;
        const Dim n = dim("n");
        const TensorId x = b.input(dtype, {n, columns, rows});
        const TensorId y = b.input(dtype, {n, rows, columns});
        const TensorId out = b.output(dtype, {n, rows, columns});
        const Index p = b.outer(n, "p");
        const Index i = b.outer(rows, "i");
        const Index j = b.outer(columns, "j");
        b.stage().yield(b.load(x, {p, j, i}) + b.load(y, {p, i, j}), out, {p, i, j});
        b.finish_kernel();
        check_against_interpreter(b.program, {.symbols = {{0}, {2}}});
      }
    }
  }
}

TEST_CASE("a transposition of symbolic extents") {
  Builder b;
  const Dim n = dim("n");
  const Dim m = dim("m");
  const TensorId x = b.input(f32, {m, n});
  const TensorId out = b.output(f32, {n, m});
  const Index i = b.outer(n, "i");
  const Index j = b.outer(m, "j");
  b.stage().yield(b.load(x, {j, i}), out, {i, j});
  b.finish_kernel();
  std::vector<std::vector<std::int64_t>> sizes;
  for (const std::int64_t rows : {0, 1, 15, 16, 33}) {
    for (const std::int64_t columns : {0, 1, 16, 127, 128, 129, 400}) sizes.push_back({rows, columns});
  }
  check_against_interpreter(b.program, {.symbols = sizes});
}

TEST_CASE("transposed, strided, reversed and computed indices gather") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, 20});
  const TensorId table = b.input(f32, {30});
  const TensorId which = b.input(i32, {20, n});
  const TensorId out = b.output(f32, {20, n});
  const Index j = b.outer(20, "j");
  const Index i = b.outer(n, "i");
  const Expr index = mod(cast(i64, b.load(which, {j, i})), b.pool().extent(30));
  const Expr reversed = b.load(x, {b.pool().extent(n) - 1.0 - i, j});
  const Expr repeated = b.load(table, {mod(i * b.pool().extent(3), b.pool().extent(30))});
  b.stage().yield(b.load(x, {i, j}) + b.load(table, {index}) * reversed + repeated, out, {j, i});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("a checked index that is the same for all lanes") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {1, 1});
  const TensorId out = b.output(f32, {n});
  const CheckId inside = b.pool().make_check({"node", "index {detail} at {index}"});
  const Index i = b.outer(n, "i");
  const Expr zero = b.pool().extent(0);
  const Expr checked = b.pool().check(inside, zero >= 0.0, zero, i, zero);
  b.stage().yield(b.load(x, {zero, checked}) * 2.0, out, {i});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("lanes that lie a few elements apart, in either direction") {
  for (const DType dtype : {boolean, u8, i32, f32, f64}) {
    for (const std::int64_t step : {-5, -4, -3, -2, -1, 2, 3, 4, 5}) {
      CAPTURE(step);
      Builder b;
      const Dim n = dim("n");
      const Index i = b.outer(n, "i");
      const Index j = b.outer(75, "j");
      const auto number = [&](std::int64_t value) { return b.pool().extent(value); };
      const std::int64_t apart = std::abs(step);
      const TensorId x = b.input(dtype, {n, 74 * apart + 1});
      const TensorId y = b.output(dtype, {n, 75});
      const TensorId z = b.output(dtype, {n, 75});
      b.stage().yield(b.load(x, {i, Expr(j) * number(step) + number(step < 0 ? 74 * apart : 0)}), y, {i, j});
      const Expr inside = max(min(Expr(j) - number(20), number(30)), number(0));
      b.stage().yield(b.load(x, {i, inside * number(apart)}), z, {i, j});
      b.finish_kernel();
      check_against_interpreter(b.program, {.symbols = {{0}, {1}, {5}}});
    }
  }
}

TEST_CASE("indices that are kept inside an axis run along it, rest at its ends, or do both within a vector") {
  for (const DType dtype : {boolean, u8, f32, f64}) {
    for (const std::int64_t extent : {1, 5, 16, 40}) {
      CAPTURE(extent);
      Builder b;
      const Dim n = dim("n");
      const Index i = b.outer(n, "i");
      const Index j = b.outer(75, "j");
      const TensorId x = b.input(dtype, {n, extent});
      const auto number = [&](std::int64_t value) { return b.pool().extent(value); };
      for (const std::int64_t shift : {-60, -17, -3, 0, 2, 20}) {
        const TensorId out = b.output(dtype, {n, 75});
        const Expr inside = max(min(Expr(j) + number(shift), number(extent - 1)), number(0));
        b.stage().yield(b.load(x, {i, inside}), out, {i, j});
      }
      for (const std::int64_t run : {3, 4, 8, 9, 16, 40}) {
        const TensorId runs = b.input(dtype, {(74 + 5) / run + 1});
        const TensorId out = b.output(dtype, {n, 75});
        b.stage().yield(b.load(runs, {floor_div(Expr(j) + number(5), number(run))}), out, {i, j});
      }
      b.finish_kernel();
      check_against_interpreter(b.program, {.symbols = {{0}, {1}, {5}}});
    }
  }
}

TEST_CASE("pieces of a row: whole vectors within one, and vectors that several meet in") {
  for (const DType dtype : {boolean, u8, f32, f64}) {
    Builder b;
    const Dim n = dim("n");
    const Index i = b.outer(n, "i");
    const Index j = b.outer(100, "j");
    const TensorId x = b.input(dtype, {n, 100});
    const TensorId y = b.input(dtype, {n, 100});
    const Expr here = b.load(x, {i, j});
    const Expr there = b.load(y, {i, j});
    const Expr none = b.pool().constant(dtype, 0);
    for (const std::int64_t end : {0, 1, 16, 21, 100, 120}) {
      const TensorId before = b.output(dtype, {n, 100});
      const TensorId after = b.output(dtype, {n, 100});
      const TensorId falling = b.output(dtype, {n, 100});
      const TensorId narrow = b.output(dtype, {n, 100});
      const Expr limit = b.pool().extent(end);
      const Expr from_end = b.pool().extent(99) - j;
      b.stage()
          .yield(select(Expr(j) < limit, here, there), before, {i, j})
          .yield(select(Expr(j) >= limit, here, none), after, {i, j})
          .yield(select(from_end < limit, none, there), falling, {i, j})
          .yield(select((Expr(j) >= limit) & (Expr(j) < limit + b.pool().extent(5)), here, there), narrow, {i, j});
    }
    b.finish_kernel();
    check_against_interpreter(b.program, {.symbols = {{0}, {1}, {4}}});
  }
}

TEST_CASE("a transposed store scatters") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, 20});
  const TensorId y = b.input(f32, {n, 20});
  const TensorId out = b.output(f32, {20, n});
  const TensorId same = b.output(f32, {n, 20});
  const Index i = b.outer(n, "i");
  const Index j = b.outer(20, "j");
  const Expr sum = b.load(x, {i, j}) + b.load(y, {i, j});
  b.stage().yield(sum, out, {j, i}).yield(sum, same, {i, j});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("stages update variables in place, each reading what the one before wrote") {
  Builder b;
  const Dim n = dim("n");
  const TensorId g = b.input(f32, {n, 12});
  const TensorId step = b.input(f32, {});
  const TensorId m = b.variable(f32, {n, 12});
  const TensorId v = b.variable(f32, {n, 12});
  const TensorId w = b.variable(f32, {n, 12});
  const Index i = b.outer(n, "i");
  const Index j = b.outer(12, "j");
  const Expr gradient = b.load(g, {i, j});
  const Expr rate = sqrt(abs(b.load(step, {}))) / (abs(b.load(step, {})) + 1.0);
  b.stage().yield(b.load(m, {i, j}) + (gradient - b.load(m, {i, j})) * 0.1, m, {i, j});
  b.yield(b.load(v, {i, j}) + (gradient * gradient - b.load(v, {i, j})) * 0.001, v, {i, j});
  b.stage().yield(b.load(w, {i, j}) - rate * b.load(m, {i, j}) / (sqrt(abs(b.load(v, {i, j}))) + 1e-7), w, {i, j});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("values of different dtypes meet in one kernel") {
  Builder b;
  const Dim n = dim("n");
  const TensorId pixels = b.input(u8, {n});
  const TensorId labels = b.input(i32, {n});
  const TensorId flags = b.input(boolean, {n});
  const TensorId wide = b.input(f64, {n});
  const TensorId scaled = b.output(f32, {n});
  const TensorId hot = b.output(boolean, {n});
  const TensorId sum = b.output(f64, {n});
  const TensorId big = b.output(i64, {n});
  const Index i = b.outer(n, "i");
  const Expr index = i * b.pool().extent(3);
  b.stage().yield(cast(f32, b.load(pixels, {i})) / 255.0, scaled, {i});
  b.yield(equal(cast(i64, b.load(labels, {i})), i) | b.load(flags, {i}), hot, {i});
  b.yield(select(b.load(flags, {i}), b.load(wide, {i}), cast(f64, b.load(labels, {i}))), sum, {i});
  b.yield(index + cast(i64, b.load(pixels, {i})), big, {i});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("constants are part of the program, small ones and large ones") {
  for (const std::int64_t size : {12, 40'000}) {
    Tensor value(f32, {size});
    for (std::size_t i = 0; i < static_cast<std::size_t>(size); ++i)
      value.data<float>()[i] = 0.25F * static_cast<float>(i);
    Builder b;
    const TensorId c = b.constant(value);
    const TensorId x = b.input(f32, {dim("n"), size});
    const TensorId out = b.output(f32, {dim("n"), size});
    const Index i = b.outer(dim("n"), "i");
    const Index j = b.outer(size, "j");
    b.stage().yield(b.load(x, {i, j}) * b.load(c, {j}), out, {i, j});
    b.finish_kernel();
    check_against_interpreter(b.program, {.symbols = {{0}, {1}, {3}}});
  }
}

TEST_CASE("intermediate results pass through the arena, offsets being sums of symbols") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, 3});
  const TensorId first = b.arena(f32, {n, 3});
  const TensorId second = b.arena(f32, {3, n});
  const TensorId out = b.output(f32, {3, n});
  const Index i = b.outer(n, "i");
  const Index j = b.outer(3, "j");
  b.stage().yield(b.load(x, {i, j}) * b.load(x, {i, j}), first, {i, j});
  b.finish_kernel();
  const Index q = b.outer(3, "q");
  const Index p = b.outer(n, "p");
  b.stage().yield(b.load(first, {p, q}) + 1.0, second, {q, p});
  b.finish_kernel();
  const Index s = b.outer(3, "s");
  const Index r = b.outer(n, "r");
  b.stage().yield(b.load(second, {s, r}) - b.load(x, {r, s}), out, {s, r});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("a kernel without axes computes scalars") {
  Builder b;
  const TensorId x = b.variable(i64, {});
  const TensorId y = b.input(f32, {});
  const TensorId out = b.output(f32, {});
  b.stage().yield(b.load(x, {}) + b.pool().extent(1), x, {});
  b.yield(sqrt(b.load(y, {}) * b.load(y, {})) + cast(f32, b.load(x, {})), out, {});
  b.finish_kernel();
  check_against_interpreter(b.program, {});
}

TEST_CASE("more coefficients than registers do no harm") {
  for (const DType dtype : {f32, f64}) {
    Builder b;
    const TensorId x = b.input(dtype, {dim("n")});
    const TensorId out = b.output(dtype, {dim("n")});
    const Index i = b.outer(dim("n"), "i");
    const Expr at = b.load(x, {i});
    Expr sum = at;
    for (int k = 0; k < 40; ++k) sum = fma(sum, at * 0.01, constant_like(at, 1.0 / (k + 3)));
    b.stage().yield(sum, out, {i});
    b.finish_kernel();
    check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
  }
}

TEST_CASE("large results go past the caches, and all of them arrive") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n});
  const TensorId first = b.output(f32, {n});
  const TensorId second = b.output(f32, {n});
  const Index i = b.outer(n, "i");
  b.stage()
      .yield(b.load(x, {i}) * 3.0, first, {i})
      .yield(select(b.load(x, {i}) > 0.0, b.load(x, {i}), b.load(x, {i}) - 1.0), second, {i});
  b.finish_kernel();
  const std::int64_t enough = streamed_bytes / 4;
  check_against_interpreter(b.program, {.symbols = {{enough - 1}, {enough + 77}}});
}
