#include <lathe/codegen/loop/math.h>
#include <lathe/codegen/schedule.h>
#include <lathe/codegen/streaming.h>

#include "harness.h"

using namespace lathe;
using namespace lathe::loop;
using namespace lathe::test;

TEST_CASE("layer normalisation keeps its row in scratch") {
  for (const std::int64_t width : {1, 16, 50, 128}) {
    Builder b;
    const Dim n = dim("n");
    const TensorId x = b.input(f32, {n, width});
    const TensorId gamma = b.input(f32, {width});
    const TensorId out = b.output(f32, {n, width});
    const Index i = b.outer(n, "i");
    const LocalId mean = b.local(f32);
    const LocalId centred = b.local(f32, {width});
    const LocalId variance = b.local(f32);
    const Index c0 = b.axis(width, "c0");
    b.stage().yield(b.reduce(ReduceOp::sum, {c0}, b.load(x, {i, c0})), mean);
    const Index c1 = b.axis(width, "c1");
    b.stage({c1}).yield(b.load(x, {i, c1}) - b.read(mean) / static_cast<double>(width), centred, {c1});
    const Index c2 = b.axis(width, "c2");
    b.stage().yield(b.reduce(ReduceOp::sum, {c2}, b.read(centred, {c2}) * b.read(centred, {c2})), variance);
    const Index c3 = b.axis(width, "c3");
    b.stage({c3}).yield(b.read(centred, {c3}) / sqrt(b.read(variance) + 1e-5) * b.load(gamma, {c3}), out, {i, c3});
    b.finish_kernel();
    check_against_interpreter(b.program, {.symbols = each_size()});
  }
}

TEST_CASE("the first reduction of the next row joins the longest loop of this one") {
  for (const Dim& width : {Dim(1), Dim(16), Dim(37), dim("width")}) {
    for (const bool in_place : {false, true}) {
      CAPTURE(in_place);
      Builder b;
      const Dim n = dim("n");
      const TensorId x = in_place ? b.variable(f32, {n, width}) : b.input(f32, {n, width});
      const TensorId out = in_place ? x : b.output(f32, {n, width});
      const Index i = b.outer(n, "i");
      const LocalId largest = b.local(f32);
      const LocalId total = b.local(f32);
      const Index c1 = b.axis(width, "c1");
      b.stage().yield(b.reduce(ReduceOp::max, {c1}, b.load(x, {i, c1})), largest);
      const Index c2 = b.axis(width, "c2");
      b.stage().yield(b.reduce(ReduceOp::sum, {c2}, b.load(x, {i, c2}) - b.read(largest)), total);
      const Index c3 = b.axis(width, "c3");
      b.stage({c3}).yield((b.load(x, {i, c3}) - b.read(largest)) / b.read(total), out, {i, c3});
      b.finish_kernel();
      const Kernel& kernel = std::get<Kernel>(b.program.steps.front());
      // Rows that the kernel overwrites are read when their turn comes, and short ones in vectors of rows.
      const Schedule planned = schedule(b.program, kernel, machine_model(InstructionSet::avx512));
      const bool is_short = width == Dim(1) || (!in_place && width == Dim(16));
      CHECK(planned.across == (is_short ? 16 : 0));
      CHECK(planned.ahead.has_value() == (!in_place && !is_short));
      const bool symbolic = !width.is_constant();
      check_against_interpreter(
          b.program, {.symbols = symbolic ? std::vector<std::vector<std::int64_t>>{{1, 5}, {7, 40}, {3, 0}, {0, 3}}
                                          : each_size()});
    }
  }
}

TEST_CASE("a sum of what is the same everywhere, and for all points of a row") {
  for (const std::int64_t points : {3, 40}) {
    Builder b;
    const Dim n = dim("n");
    const TensorId x = b.input(f32, {n, points});
    const TensorId out = b.output(f32, {n, points});
    const Index i = b.outer(n, "i");
    const LocalId counts = b.local(f32, {points});
    const Index j = b.axis(points, "j");
    const Index k = b.axis(7, "k");
    b.stage({j}).yield(b.reduce(ReduceOp::sum, {k}, b.pool().constant(f32, 1)), counts, {j});
    const LocalId sums = b.local(f32);
    const Index l = b.axis(points, "l");
    b.stage().yield(b.reduce(ReduceOp::sum, {l}, b.load(x, {i, l})), sums);
    const Index p = b.axis(points, "p");
    b.stage({p}).yield(b.read(counts, {p}) * b.load(x, {i, p}) + b.read(sums), out, {i, p});
    b.finish_kernel();
    check_against_interpreter(b.program, {.symbols = each_size()});
  }
}

TEST_CASE("the second to last of several short axes is summed") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, 5, 6});
  const TensorId out = b.output(f32, {n, 6});
  const Index i = b.outer(n, "i");
  const LocalId row = b.local(f32, {6});
  const Index j = b.axis(6, "j");
  const Index k = b.axis(5, "k");
  b.stage({j}).yield(b.reduce(ReduceOp::sum, {k}, b.load(x, {i, k, j})), row, {j});
  const Index l = b.axis(6, "l");
  b.stage({l}).yield(b.read(row, {l}) * 2.0, out, {i, l});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("rows of several outer axes, with two inner axes") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, 3, 4, 5});
  const TensorId scale = b.input(f32, {3});
  const TensorId out = b.output(f32, {3, n, 4, 5});
  const Index i = b.outer(n, "i");
  const Index j = b.outer(3, "j");
  const LocalId total = b.local(f32);
  const LocalId row = b.local(f32, {4, 5});
  const Index p = b.axis(4, "p");
  const Index q = b.axis(5, "q");
  b.stage().yield(b.reduce(ReduceOp::max, {p, q}, b.load(x, {i, j, p, q})), total);
  const Index r = b.axis(4, "r");
  const Index s = b.axis(5, "s");
  b.stage({r, s}).yield(b.load(x, {i, j, r, s}) * b.load(scale, {j}) - b.read(total), row, {r, s});
  const Index t = b.axis(4, "t");
  const Index u = b.axis(5, "u");
  const Expr turned = b.read(row, {b.pool().extent(3) - 0.0 - t, u});
  b.stage({t, u}).yield(b.read(row, {t, u}) + turned, out, {j, i, t, u});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("a reduction with inner axes keeps its lanes for each of them") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {4, n, 37});
  const TensorId out = b.output(f32, {4, 37});
  const TensorId largest = b.output(f32, {4});
  const Index i = b.outer(4, "i");
  const LocalId sums = b.local(f32, {37});
  const Index j = b.axis(37, "j");
  const Index k = b.axis(n, "k");
  const Expr sum = b.reduce(ReduceOp::sum, {k}, b.load(x, {i, k, j}));
  b.stage({j}).yield(sum, sums, {j}).yield(sum, out, {i, j});
  const Index c = b.axis(37, "c");
  b.stage().yield(b.reduce(ReduceOp::max, {c}, b.read(sums, {c})), largest, {i});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("groups of a row that lie side by side, or every so many elements") {
  // x - the mean of its group, channels first and channels last; groups of three, seven and eight channels of eleven
  // pixels.
  for (const DType dtype : {f32, f64}) {
    for (const std::int64_t channels : {3, 7, 8}) {
      for (const bool first : {false, true}) {
        CAPTURE(channels);
        CAPTURE(first);
        Builder b;
        const Dim n = dim("n");
        const std::int64_t all = 5 * channels;
        const auto shape = [&](const Dim& c, const Dim& p) { return first ? Shape{n, c, p} : Shape{n, p, c}; };
        const auto at = [&](Expr i, Expr c, Expr p) {
          return first ? std::vector<Expr>{i, c, p} : std::vector<Expr>{i, p, c};
        };
        const auto number = [&](std::int64_t value) { return b.pool().extent(value); };
        const TensorId x = b.input(dtype, shape(all, 11));
        const TensorId out = b.output(dtype, shape(all, 11));
        const Index i = b.outer(n, "i");
        const LocalId sums = b.local(dtype, {5});
        const Index g = b.axis(5, "g");
        const Index k = b.axis(first ? channels : 11, "k");
        const Index l = b.axis(first ? 11 : channels, "l");
        const Expr channel = Expr(g) * number(channels) + Expr(first ? k : l);
        const Expr sum = b.reduce(ReduceOp::sum, {k, l}, b.load(x, at(i, channel, first ? l : k)));
        b.stage({g}).yield(sum, sums, {g});
        const Index j = b.axis(1, "j");
        const Index p = b.axis(first ? all : 11, "p");
        const Index q = b.axis(first ? 11 : all, "q");
        const Expr c = first ? p : q;
        const Expr mean = b.read(sums, {floor_div(c, number(channels))}) / static_cast<double>(channels * 11);
        const std::vector<Expr> here = at(i, c, first ? q : p);
        b.stage({j, p, q}).yield(b.load(x, here) - mean, out, here);
        b.finish_kernel();
        check_against_interpreter(b.program, {.symbols = {{0}, {1}, {6}}});
      }
    }
  }
}

TEST_CASE("two contractions in a row: the second reads the row that the first left") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, 12});
  const TensorId u = b.input(f32, {12, 40});
  const TensorId v = b.input(f32, {40, 21});
  const TensorId out = b.output(f32, {n, 21});
  const Index i = b.outer(n, "i");
  const LocalId hidden = b.local(f32, {40});
  const LocalId active = b.local(f32, {40});
  const Index j = b.axis(40, "j");
  const Index k = b.axis(12, "k");
  b.stage({j}).yield(b.contract({k}, b.load(x, {i, k}), b.load(u, {k, j})), hidden, {j});
  const Index a = b.axis(40, "a");
  b.stage({a}).yield(max(b.read(hidden, {a}), b.pool().constant(f32, 0)), active, {a});
  const Index c = b.axis(21, "c");
  const Index l = b.axis(40, "l");
  b.stage({c}).yield(b.contract({l}, b.read(active, {l}), b.load(v, {l, c})), out, {i, c});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
}

TEST_CASE("an operand to copy may be another at each point of a batch") {
  for (const bool changes : {false, true}) {
    for (const std::int64_t rows : {3, 16, 45}) {
      CAPTURE(rows);
      Builder b;
      const Dim n = dim("n");
      const TensorId q = b.input(f32, {n, rows, 24});
      const TensorId k = b.input(f32, {n, 40, 24});
      const TensorId v = b.input(f32, {n, 40, 20});
      const TensorId out = b.output(f32, {n, rows, 20});
      const Index p = b.outer(n, "p");
      const Index i = b.outer(rows, "i");
      const Expr which = changes ? Expr(p) : b.pool().extent(0);
      const LocalId scores = b.local(f32, {40});
      const LocalId largest = b.local(f32);
      const Index l = b.axis(40, "l");
      const Index c = b.axis(24, "c");
      b.stage({l}).yield(b.contract({c}, b.load(q, {p, i, c}), b.load(k, {which, l, c})), scores, {l});
      const Index m = b.axis(40, "m");
      b.stage().yield(b.reduce(ReduceOp::max, {m}, b.read(scores, {m})), largest);
      const LocalId weights = b.local(f32, {40});
      const Index w = b.axis(40, "w");
      b.stage({w}).yield(b.read(scores, {w}) - b.read(largest), weights, {w});
      const Index j = b.axis(20, "j");
      const Index t = b.axis(40, "t");
      b.stage({j}).yield(b.contract({t}, b.read(weights, {t}), b.load(v, {which, t, j})), out, {p, i, j});
      b.finish_kernel();
      check_against_interpreter(b.program, {.symbols = {{1}, {2}, {7}}, .portable = false});
      CHECK(schedule(b.program, std::get<Kernel>(b.program.steps.front()), machine_model(InstructionSet::avx512))
                .packed.size() == 1);
    }
  }
}

TEST_CASE("a row of booleans and one of doubles share a kernel") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f64, {n, 19});
  const TensorId out = b.output(i64, {n});
  const TensorId any = b.output(boolean, {n});
  const Index i = b.outer(n, "i");
  const LocalId mask = b.local(boolean, {19});
  const Index p = b.axis(19, "p");
  b.stage({p}).yield(b.load(x, {i, p}) > 0.5, mask, {p});
  const Index q = b.axis(19, "q");
  b.stage().yield(b.reduce(ReduceOp::sum, {q}, cast(i64, b.read(mask, {q}))), out, {i});
  const Index r = b.axis(19, "r");
  b.stage().yield(b.reduce(ReduceOp::any, {r}, b.read(mask, {r})), any, {i});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("rows of a large result go past the caches") {
  constexpr std::int64_t width = 16 * 9;  // not in groups of vectors only
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, width});
  const TensorId out = b.output(f32, {n, width});
  const Index i = b.outer(n, "i");
  const LocalId total = b.local(f32);
  const Index c1 = b.axis(width, "c1");
  b.stage().yield(b.reduce(ReduceOp::sum, {c1}, b.load(x, {i, c1})), total);
  const Index c2 = b.axis(width, "c2");
  b.stage({c2}).yield(b.load(x, {i, c2}) - b.read(total), out, {i, c2});
  b.finish_kernel();
  const std::int64_t enough = streamed_bytes / (4 * width) + 1;
  check_against_interpreter(b.program, {.symbols = {{40}, {enough}}});
}

TEST_CASE("vectors in step take in what the ones before left, NaN too") {
  for (const ReduceOp op : {ReduceOp::max, ReduceOp::min, ReduceOp::sum}) {
    for (const std::int64_t width : {16 * 4, 16 * 6 + 5, 16 * 7}) {
      Builder b;
      const Dim n = dim("n");
      const TensorId x = b.input(f32, {n, width});
      const TensorId out = b.output(f32, {n, width});
      const Index i = b.outer(n, "i");
      const LocalId extreme = b.local(f32);
      const Index c1 = b.axis(width, "c1");
      b.stage().yield(b.reduce(op, {c1}, b.load(x, {i, c1})), extreme);
      const Index c2 = b.axis(width, "c2");
      b.stage({c2}).yield(exp(b.load(x, {i, c2}) - b.read(extreme)) + b.load(x, {i, c2}), out, {i, c2});
      b.finish_kernel();
      const Kernel& kernel = std::get<Kernel>(b.program.steps.front());
      CHECK(schedule(b.program, kernel, machine_model(InstructionSet::avx512)).ahead.has_value());
      check_against_interpreter(b.program, {.symbols = {{0}, {1}, {9}}, .portable = false});
      check_against_interpreter(b.program, {.symbols = {{40}}, .fill = Fill::specials, .portable = false});
    }
  }
}
