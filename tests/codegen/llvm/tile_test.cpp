#include <lathe/codegen/schedule.h>

#include "harness.h"

using namespace lathe;
using namespace lathe::loop;
using namespace lathe::test;

namespace {

/// out[i, j] = contract over k of a, b, in any of the four layouts.
Program matmul(const Dim& m, const Dim& k, const Dim& n, bool transpose_a, bool transpose_b, DType dtype = f32) {
  Builder b;
  const TensorId x = b.input(dtype, transpose_a ? Shape{k, m} : Shape{m, k});
  const TensorId w = b.input(dtype, transpose_b ? Shape{n, k} : Shape{k, n});
  const TensorId out = b.output(dtype, {m, n});
  const Index i = b.outer(m, "i");
  const Index j = b.outer(n, "j");
  const Index p = b.axis(k, "k");
  const Expr left = transpose_a ? b.load(x, {p, i}) : b.load(x, {i, p});
  const Expr right = transpose_b ? b.load(w, {j, p}) : b.load(w, {p, j});
  b.stage().yield(b.contract({p}, left, right), out, {i, j});
  b.finish_kernel();
  return b.program;
}

/// out[i, j] = sum over n and h of x[n, h, i] * w[n, h, j], and twice that: long sums over two axes.
Program double_sum(std::int64_t h, std::int64_t columns) {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, h, 20});
  const TensorId w = b.input(f32, {n, h, columns});
  const TensorId out = b.output(f32, {20, columns});
  const TensorId twice = b.output(f32, {20, columns});
  const Index i = b.outer(20, "i");
  const Index j = b.outer(columns, "j");
  const Index p = b.axis(n, "p");
  const Index q = b.axis(h, "q");
  const LocalId sum = b.local(f32);
  const Expr product = b.contract({p, q}, b.load(x, {p, q, i}), b.load(w, {p, q, j}));
  b.stage().yield(product, out, {i, j}).yield(product, sum);
  b.stage().yield(b.read(sum) + b.read(sum), twice, {i, j});
  b.finish_kernel();
  return b.program;
}

}  // namespace

TEST_CASE("an operand with a border, of which few columns are made") {
  // A convolution to one channel whose input has its border in the operand, as without padding made explicit.
  Builder b;
  const TensorId x = b.input(f32, {3, 16, 20, 3});
  const TensorId w = b.input(f32, {3, 3, 3});
  const TensorId out = b.output(f32, {3, 8, 10});
  const Index n = b.outer(3, "n");
  const Index i = b.outer(8, "i");
  const Index j = b.outer(10, "j");
  const Index p = b.axis(3, "p");
  const Index q = b.axis(3, "q");
  const Index c = b.axis(3, "c");
  const auto number = [&](std::int64_t value) { return b.pool().extent(value); };
  const Expr row = Expr(i) * number(2) + p;
  const Expr column = Expr(j) * number(2) + q;
  const Expr inside = (row < number(16)) & (column < number(20));
  const Expr loaded = b.load(x, {n, min(row, number(15)), min(column, number(19)), c});
  const Expr guarded = select(inside, loaded, b.pool().constant(f32, 0));
  b.stage().yield(b.contract({p, q, c}, guarded, b.load(w, {p, q, c})), out, {n, i, j});
  b.finish_kernel();
  check_against_interpreter(b.program, {.portable = false});
}

TEST_CASE("a sum that reads more than the cache holds goes on where its last slice stopped") {
  for (const std::int64_t columns : {24, 130}) {
    const Program program = double_sum(400, columns);
    const Schedule plan =
        schedule(program, std::get<Kernel>(program.steps.front()), machine_model(InstructionSet::avx512));
    CHECK(plan.slice > 0);
    CHECK(plan.slice < 5);
    check_against_interpreter(program, {.symbols = {{0}, {1}, {5}, {8}}, .portable = false});
  }
}

TEST_CASE("slices of a sum keep the chains that a long sum consists of") {
  const Program program = double_sum(2, 17);
  const Schedule plan =
      schedule(program, std::get<Kernel>(program.steps.front()), machine_model(InstructionSet::avx512));
  CHECK(plan.slice > 0);
  CHECK(plan.slice < contract_chunk);
  check_against_interpreter(program, {.symbols = {{4096}, {4097}, {9001}}, .portable = false});
}

TEST_CASE("a matrix product is the same chain of fused multiply-adds at every number of rows") {
  for (const std::int64_t n : {1, 10, 16, 32, 48, 50, 80, 128}) {
    check_against_interpreter(matmul(dim("m"), 21, n, false, false), {.symbols = each_size(), .portable = false});
  }
}

TEST_CASE("a matrix product is right at every number of columns") {
  for (const std::int64_t m : {1, 3, 8, 13}) {
    check_against_interpreter(matmul(m, 21, dim("n"), false, false), {.symbols = each_size(), .portable = false});
  }
}

TEST_CASE("a matrix product over a symbolic number of terms starts from zero") {
  check_against_interpreter(matmul(13, dim("k"), 48, true, false), {.symbols = each_size(), .portable = false});
}

TEST_CASE("all three extents may be symbols") {
  const Program program = matmul(dim("b"), dim("c"), dim("a"), false, false);
  check_against_interpreter(
      program, {.symbols = {{0, 3, 5}, {33, 17, 9}, {7, 0, 4}, {1, 1, 1}, {65, 40, 12}}, .portable = false});
}

TEST_CASE("operands may be transposed") {
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      const Program program = matmul(dim("m"), 19, 37, transpose_a, transpose_b);
      check_against_interpreter(program, {.symbols = each_size(), .portable = false});
    }
  }
}

TEST_CASE("a transposed operand is copied panel by panel, at every number of terms and columns") {
  for (const std::int64_t k : {1, 15, 16, 17, 33}) {
    for (const std::int64_t n : {1, 16, 63, 64, 130}) {
      CAPTURE(k);
      CAPTURE(n);
      const Program program = matmul(dim("m"), k, n, false, true);
      check_against_interpreter(program, {.symbols = {{0}, {1}, {9}, {40}}, .portable = false});
    }
  }
  check_against_interpreter(matmul(dim("m"), 20, dim("n"), false, true),
                            {.symbols = {{9, 0}, {9, 1}, {40, 70}}, .portable = false});
  check_against_interpreter(matmul(dim("m"), 19, 70, false, true, f64), {.symbols = each_size(), .portable = false});
}

TEST_CASE("a transposed operand is turned as the sum goes, for few rows and for sums of any length") {
  for (const std::int64_t m : {1, 3, 11}) {
    for (const std::int64_t n : {1, 16, 24, 63, 130}) {
      CAPTURE(m);
      CAPTURE(n);
      const Program program = matmul(m, dim("k"), n, false, true);
      check_against_interpreter(program, {.symbols = {{0}, {1}, {15}, {16}, {33}}, .portable = false});
    }
  }
  for (const std::int64_t columns : {1, 3, 8}) {
    check_against_interpreter(matmul(dim("m"), 67, columns, false, false),
                              {.symbols = {{0}, {1}, {16}, {24}, {49}}, .portable = false});
    check_against_interpreter(matmul(dim("m"), 67, columns, true, false), {.symbols = {{1}, {49}}, .portable = false});
  }
  check_against_interpreter(matmul(3, 4500, 20, false, true), {.portable = false});
  check_against_interpreter(matmul(2, 19, 70, false, true, f64), {.portable = false});
  check_against_interpreter(matmul(dim("m"), dim("k"), dim("n"), true, true),
                            {.symbols = {{9, 0, 20}, {40, 37, 70}}, .portable = false});
}

TEST_CASE("of a long sum each slice has a copy of its own") {
  for (const bool transpose_b : {false, true}) {
    CAPTURE(transpose_b);
    const std::int64_t n = transpose_b ? 70 : 520;  // lines far apart
    check_against_interpreter(matmul(dim("m"), dim("k"), n, false, transpose_b),
                              {.symbols = {{40, 0}, {40, 1}, {9, 1024}, {1, 1040}, {33, 2050}}, .portable = false});
    check_against_interpreter(matmul(270, dim("k"), n, false, transpose_b),
                              {.symbols = {{17}, {1030}}, .portable = false});
  }
  check_against_interpreter(matmul(40, 4200, 20, false, true), {.portable = false});
  check_against_interpreter(matmul(40, dim("k"), 20, false, true, f64), {.symbols = {{0}, {2049}}, .portable = false});
}

TEST_CASE("few rows take few terms at a time where each is in another page") {
  for (const std::int64_t m : {2, 11}) {
    check_against_interpreter(matmul(m, dim("k"), 1050, false, false),
                              {.symbols = {{0}, {1}, {16}, {50}}, .portable = false});
  }
  check_against_interpreter(matmul(3, 4200, 1024, false, false), {.portable = false});
  check_against_interpreter(matmul(3, 40, 512, true, false, f64), {.portable = false});
}

TEST_CASE("an operand whose lines lie far apart is copied too") {
  check_against_interpreter(matmul(dim("m"), 20, 1040, false, false),
                            {.symbols = {{0}, {1}, {9}, {33}}, .portable = false});
}

TEST_CASE("arithmetic on what runs along rows is done a block of rows at a time") {
  for (const std::int64_t columns : {10, 64, 130}) {
    Builder b;
    const Dim m = dim("m");
    const TensorId x = b.input(u8, {m, 3, 7});
    const TensorId w = b.input(f32, {21, columns});
    const TensorId out = b.output(f32, {m, columns});
    const Index i = b.outer(m, "i");
    const Index j = b.outer(columns, "j");
    const Index k = b.axis(3, "k");
    const Index l = b.axis(7, "l");
    const Expr pixel = cast(f32, b.load(x, {i, k, l})) * 0.5;
    b.stage().yield(b.contract({k, l}, pixel, b.load(w, {Expr(k) * b.pool().extent(7) + Expr(l), j})), out, {i, j});
    b.finish_kernel();
    check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
  }
}

TEST_CASE("rows that an index picks are made as the sum goes") {
  for (const std::int64_t columns : {10, 64, 130}) {
    for (const bool transposed : {false, true}) {
      CAPTURE(columns);
      CAPTURE(transposed);
      Builder b;
      const Dim m = dim("m");
      const TensorId x = b.input(u8, {50, 37});
      const TensorId picked = b.input(u8, {m});
      const TensorId w = b.input(f32, {transposed ? m : Dim(37), columns});
      const TensorId out = b.output(f32, {transposed ? Dim(37) : m, columns});
      const Index i = b.outer(transposed ? Dim(37) : m, "i");
      const Index j = b.outer(columns, "j");
      const Index k = b.axis(transposed ? m : Dim(37), "k");
      const Expr row = mod(cast(i64, b.load(picked, {transposed ? k : i})), b.pool().extent(50));
      const Expr pixel = cast(f32, b.load(x, {row, transposed ? i : k})) * 0.5;
      b.stage().yield(b.contract({k}, pixel, b.load(w, {k, j})), out, {i, j});
      b.finish_kernel();
      check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
    }
  }
}

TEST_CASE("lines of rows are made slice by slice, for panels of columns that share them") {
  for (const std::int64_t rows : {5, 16, 45}) {
    for (const std::int64_t columns : {10, 64, 130}) {
      CAPTURE(rows);
      CAPTURE(columns);
      Builder b;
      const Dim n = dim("k");
      const TensorId x = b.input(u8, {n, rows});
      const TensorId w = b.input(f32, {2, n, columns});
      const TensorId out = b.output(f32, {2, rows, columns});
      const TensorId twice = b.output(f32, {2, rows, columns});
      const Index p = b.outer(2, "p");
      const Index i = b.outer(rows, "i");
      const Index j = b.outer(columns, "j");
      const Index k = b.axis(n, "k");
      const LocalId sum = b.local(f32);
      b.stage().yield(b.contract({k}, cast(f32, b.load(x, {k, i})) * 0.25, b.load(w, {p, k, j})), sum);
      b.stage().yield(b.read(sum), out, {p, i, j}).yield(b.read(sum) * 2.0, twice, {p, i, j});
      b.finish_kernel();
      check_against_interpreter(b.program, {.symbols = {{0}, {1}, {255}, {256}, {600}, {4097}}, .portable = false});
    }
  }
}

TEST_CASE("what lies in few sets of the cache is made in lines, beside panels of the other operand too") {
  check_against_interpreter(matmul(576, 270, 40, true, false), {.portable = false});
  check_against_interpreter(matmul(512, 258, 520, true, false), {.portable = false});
  check_against_interpreter(matmul(576, dim("k"), 24, true, false),
                            {.symbols = {{0}, {1}, {256}, {300}}, .portable = false});
  check_against_interpreter(matmul(576, dim("k"), 24, true, true),
                            {.symbols = {{0}, {1}, {256}, {1030}}, .portable = false});
}

TEST_CASE("a copy is made anew where the operand changes within a batch, and once where it does not") {
  for (const bool changes : {false, true}) {
    Builder b;
    const Dim n = dim("n");
    const TensorId x = b.input(f32, {n, 11, 20});
    const TensorId w = b.input(f32, {n, 70, 20});
    const TensorId out = b.output(f32, {n, 11, 70});
    const Index s = b.outer(n, "s");
    const Index i = b.outer(11, "i");
    const Index j = b.outer(70, "j");
    const Index k = b.axis(20, "k");
    const Expr right = changes ? b.load(w, {s, j, k}) : b.load(w, {b.pool().extent(0), j, k});
    b.stage().yield(b.contract({k}, b.load(x, {s, i, k}), right), out, {s, i, j});
    b.finish_kernel();
    check_against_interpreter(b.program, {.symbols = {{1}, {3}, {20}}, .portable = false});
  }
}

TEST_CASE("without fused multiply-add the portable set still adds in the same order") {
  for (const bool transpose_b : {false, true}) {
    check_against_interpreter(matmul(dim("m"), 19, 37, false, transpose_b),
                              {.symbols = each_size(), .fill = Fill::whole_numbers});
  }
}

TEST_CASE("doubles and integers contract too") {
  check_against_interpreter(matmul(dim("m"), 19, 37, false, false, f64), {.symbols = each_size(), .portable = false});
  check_against_interpreter(matmul(dim("m"), 19, 37, false, false, i32), {.symbols = each_size()});
  check_against_interpreter(matmul(dim("m"), 19, 37, false, false, i64), {.symbols = each_size()});
}

TEST_CASE("a long contraction is cut into chains, which are then added up") {
  for (const std::int64_t k : {4095, 4096, 4097, 8192, 10'000}) {
    check_against_interpreter(matmul(3, k, 20, false, false), {.portable = false});
  }
  const Program program = matmul(3, dim("k"), 20, true, false);
  check_against_interpreter(program, {.symbols = {{4096}, {4097}, {9000}}, .portable = false});
}

TEST_CASE("batched products and convolutions are contractions like any other") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, 6, 7});
  const TensorId y = b.input(f32, {n, 7, 18});
  const TensorId out = b.output(f32, {n, 6, 18});
  const Index s = b.outer(n, "s");
  const Index i = b.outer(6, "i");
  const Index j = b.outer(18, "j");
  const Index k = b.axis(7, "k");
  b.stage().yield(b.contract({k}, b.load(x, {s, i, k}), b.load(y, {s, k, j})), out, {s, i, j});
  b.finish_kernel();
  const TensorId image = b.input(f32, {n, 8, 9, 3});
  const TensorId filter = b.input(f32, {3, 3, 3, 20});
  const TensorId map = b.output(f32, {n, 6, 7, 20});
  const Index t = b.outer(n, "t");
  const Index r = b.outer(6, "r");
  const Index c = b.outer(7, "c");
  const Index f = b.outer(20, "f");
  const Index u = b.axis(3, "u");
  const Index v = b.axis(3, "v");
  const Index channel = b.axis(3, "channel");
  b.stage().yield(
      b.contract({u, v, channel}, b.load(image, {t, r + u, c + v, channel}), b.load(filter, {u, v, channel, f})), map,
      {t, r, c, f});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = {{0}, {1}, {2}, {5}}, .portable = false});
}

TEST_CASE("operands may be expressions: a cast, a mask, a gather") {
  Builder b;
  const Dim m = dim("m");
  const TensorId pixels = b.input(u8, {m, 30});
  const TensorId mask = b.input(boolean, {m, 20});
  const TensorId w = b.input(f32, {30, 20});
  const TensorId rows = b.input(u8, {m});
  const TensorId out = b.output(f32, {m, 20});
  const Index i = b.outer(m, "i");
  const Index j = b.outer(20, "j");
  const Index k = b.axis(30, "k");
  const Expr row = mod(cast(i64, b.load(rows, {i})), b.pool().extent(30));
  const Expr weight = select(b.load(mask, {i, j}), b.load(w, {k, j}), b.load(w, {row, j}));
  b.stage().yield(b.contract({k}, cast(f32, b.load(pixels, {i, k})) / 255.0, weight), out, {i, j});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
}

TEST_CASE("a product with a vector contracts along rows") {
  Builder b;
  const Dim m = dim("m");
  const TensorId x = b.input(f32, {m, 30});
  const TensorId w = b.input(f32, {30});
  const TensorId out = b.output(f32, {m});
  const TensorId total = b.output(f32, {});
  const Index i = b.outer(m, "i");
  const Index k = b.axis(30, "k");
  b.stage().yield(b.contract({k}, b.load(x, {i, k}), b.load(w, {k})), out, {i});
  b.finish_kernel();
  const Index q = b.axis(30, "q");
  b.stage().yield(b.contract({q}, b.load(w, {q}), b.load(w, {q})), total, {});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
}

TEST_CASE("two contractions share one tile") {
  Builder b;
  const Dim m = dim("m");
  const TensorId x = b.input(f32, {m, 11});
  const TensorId y = b.input(f32, {m, 5});
  const TensorId u = b.input(f32, {11, 24});
  const TensorId v = b.input(f32, {5, 24});
  const TensorId out = b.output(f32, {m, 24});
  const TensorId second = b.output(f32, {m, 24});
  const Index i = b.outer(m, "i");
  const Index j = b.outer(24, "j");
  const Index k = b.axis(11, "k");
  const Index l = b.axis(5, "l");
  const LocalId p = b.local(f32);
  const LocalId q = b.local(f32);
  b.stage().yield(b.contract({k}, b.load(x, {i, k}), b.load(u, {k, j})), p);
  const Expr product = b.contract({l}, b.load(y, {i, l}), b.load(v, {l, j}));
  b.stage().yield(product, second, {i, j}).yield(product, q);
  b.stage().yield(b.read(p) * b.read(q), out, {i, j});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
}
