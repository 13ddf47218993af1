// Few results a row: in vectors of rows, beside stages that tile or go row by row.
#include <lathe/codegen/loop/math.h>
#include <lathe/codegen/schedule.h>

#include "harness.h"

using namespace lathe;
using namespace lathe::loop;
using namespace lathe::test;

TEST_CASE("logits, softmax, loss and gradient run in one pass over each row") {
  for (const std::int64_t classes : {1, 3, 10, 16, 17, 40}) {
    Builder b;
    const Dim n = dim("n");
    const Dim c(classes);
    const TensorId h = b.input(f32, {n, 20});
    const TensorId w = b.input(f32, {20, c});
    const TensorId bias = b.input(f32, {c});
    const TensorId labels = b.input(u8, {n});
    const TensorId loss = b.output(f32, {n});
    const TensorId dz = b.output(f32, {n, c});
    const Index i = b.outer(n, "i");
    const LocalId product = b.local(f32, {c});
    const LocalId z = b.local(f32, {c});
    const LocalId m = b.local(f32);
    const LocalId s = b.local(f32);
    const Index c0 = b.axis(c, "c0");
    const Index k = b.axis(20, "k");
    b.stage({c0}).yield(b.contract({k}, b.load(h, {i, k}), b.load(w, {k, c0})), product, {c0});
    const Index c1 = b.axis(c, "c1");
    b.stage({c1}).yield(b.read(product, {c1}) + b.load(bias, {c1}), z, {c1});
    const Index c2 = b.axis(c, "c2");
    b.stage().yield(b.reduce(ReduceOp::max, {c2}, b.read(z, {c2})), m);
    const Index c3 = b.axis(c, "c3");
    const Expr term = [&](const Expr& at) {
      const Expr shifted = b.read(z, {at}) - b.read(m);
      return shifted * shifted + 0.5;
    }(c3);
    b.stage().yield(b.reduce(ReduceOp::sum, {c3}, term), s);
    const Expr label = mod(cast(i64, b.load(labels, {i})), b.pool().extent(c));
    b.stage().yield(sqrt(b.read(s)) + b.read(m) - b.read(z, {label}), loss, {i});
    const Index c4 = b.axis(c, "c4");
    const Expr hot = select(equal(c4, label), b.pool().constant(f32, 1), b.pool().constant(f32, 0));
    b.stage({c4}).yield((b.read(z, {c4}) - b.read(m)) / b.read(s) - hot, dz, {i, c4});
    b.finish_kernel();
    const Kernel& kernel = std::get<Kernel>(b.program.steps.front());
    CHECK(schedule(b.program, kernel, machine_model(InstructionSet::avx512)).across == (classes <= 16 ? 16 : 0));
    CHECK(schedule(b.program, kernel, machine_model(InstructionSet::avx2)).across == 0);
    check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
  }
}

namespace {

/// Of each row: the class that scores best, whether that is the labelled one, the scores less the labelled one's, and
/// what the features make of those.
Program scores(DType dtype, std::int64_t classes, const Dim& n) {
  Builder b;
  const Dim c(classes);
  const TensorId x = b.input(dtype, {n, 24});
  const TensorId w = b.input(dtype, {24, c});
  const TensorId all_labels = b.input(u8, {dim("examples")});
  const TensorId rows = b.input(i64, {n});
  const TensorId best = b.output(i64, {n});
  const TensorId right = b.output(boolean, {n});
  const TensorId labels = b.output(u8, {n});
  const TensorId differences = b.output(dtype, {n, c});
  const TensorId turned = b.output(dtype, {c, n});
  const TensorId back = b.output(dtype, {n, 24});
  const Index i = b.outer(n, "i");
  const LocalId z = b.local(dtype, {c});
  const LocalId largest = b.local(dtype);
  const LocalId argmax = b.local(i64);
  const LocalId label = b.local(u8);
  const LocalId own = b.local(dtype);
  const LocalId d = b.local(dtype, {c});
  const LocalId product = b.local(dtype, {Dim(24)});
  const Index c0 = b.axis(c, "c0");
  const Index k = b.axis(24, "k");
  b.stage({c0}).yield(b.contract({k}, b.load(x, {i, k}), b.load(w, {k, c0})), z, {c0});
  const Expr row = mod(b.load(rows, {i}), b.pool().extent(dim("examples")));
  b.stage().yield(b.load(all_labels, {row}), label).yield(b.load(all_labels, {row}), labels, {i});
  const Index c1 = b.axis(c, "c1");
  b.stage().yield(b.reduce(ReduceOp::max, {c1}, b.read(z, {c1})), largest);
  const Index c2 = b.axis(c, "c2");
  const Expr at_best = select(equal(b.read(z, {c2}), b.read(largest)), Expr(c2), b.pool().extent(c));
  b.stage().yield(b.reduce(ReduceOp::min, {c2}, at_best), argmax);
  const Expr wanted = mod(cast(i64, b.read(label)), b.pool().extent(c));
  b.stage().yield(b.read(argmax), best, {i}).yield(equal(b.read(argmax), wanted), right, {i});
  const Index c3 = b.axis(c, "c3");
  const Expr none = b.pool().constant(dtype, 0);
  b.stage().yield(b.reduce(ReduceOp::sum, {c3}, select(equal(c3, wanted), b.read(z, {c3}), none)), own);
  const Index c4 = b.axis(c, "c4");
  const Expr difference = exp(b.read(z, {c4}) - b.read(own));
  b.stage({c4}).yield(difference, d, {c4}).yield(difference, differences, {i, c4}).yield(difference, turned, {c4, i});
  const Index j = b.axis(24, "j");
  const Index c5 = b.axis(c, "c5");
  b.stage({j}).yield(b.contract({c5}, b.read(d, {c5}), b.load(w, {j, c5})), product, {j});
  const Index m = b.axis(24, "m");
  b.stage({m}).yield(select(b.load(x, {i, m}) > 0.0, b.read(product, {m}), none), back, {i, m});
  b.finish_kernel();
  return b.program;
}

}  // namespace

TEST_CASE("few results a row are computed in vectors of rows") {
  for (const DType dtype : {f32, f64}) {
    const int lanes = dtype == f32 ? 16 : 8;
    for (const std::int64_t classes : {2, 7, 8, 10, 16, 20}) {
      CAPTURE(classes);
      const Program symbolic = scores(dtype, classes, dim("n"));
      const Kernel& kernel = std::get<Kernel>(symbolic.steps.front());
      const Schedule planned = schedule(symbolic, kernel, machine_model(InstructionSet::avx512));
      CHECK(planned.across == (classes <= lanes ? lanes : 0));
      // The last stage takes from registers what the one before it sums.
      CHECK(planned.followed.size() == (classes <= lanes ? 1 : 0));
      std::vector<std::vector<std::int64_t>> sizes;
      for (const std::int64_t n : awkward_sizes) sizes.push_back({n, 5});
      check_against_interpreter(symbolic, {.symbols = sizes, .portable = false});
      check_against_interpreter(symbolic, {.symbols = {{21, 3}}, .fill = Fill::specials, .portable = false});
    }
    for (const std::int64_t n : {3, 16, 20, 40}) {
      check_against_interpreter(scores(dtype, 10, n), {.symbols = {{5}}, .portable = false});
    }
  }
}

TEST_CASE("short rows are turned when they are loaded, and back when they are stored") {
  for (const DType dtype : {f32, f64, i32, u8}) {
    for (const std::int64_t columns : {2, 5, 8, 16}) {
      CAPTURE(columns);
      Builder b;
      const Dim n = dim("n");
      const Dim c(columns);
      const TensorId x = b.input(dtype, {3, n, c});
      const TensorId scale = b.input(f32, {c});
      const TensorId best = b.output(dtype, {3, n});
      const TensorId out = b.output(f32, {3, n, c});
      const Index s = b.outer(3, "s");
      const Index i = b.outer(n, "i");
      const LocalId largest = b.local(dtype);
      const LocalId total = b.local(f32);
      const Index c1 = b.axis(c, "c1");
      b.stage().yield(b.reduce(ReduceOp::max, {c1}, b.load(x, {s, i, c1})), largest);
      b.stage().yield(b.read(largest), best, {s, i});
      const Index c2 = b.axis(c, "c2");
      const Expr difference = cast(f32, b.load(x, {s, i, c2})) - cast(f32, b.read(largest));
      b.stage().yield(b.reduce(ReduceOp::sum, {c2}, difference * b.load(scale, {c2})), total);
      const Index c3 = b.axis(c, "c3");
      b.stage({c3}).yield(cast(f32, b.load(x, {s, i, c3})) * b.read(total), out, {s, i, c3});
      b.finish_kernel();
      const Kernel& kernel = std::get<Kernel>(b.program.steps.front());
      const int lanes = dtype == f64 ? 8 : 16;
      const Schedule planned = schedule(b.program, kernel, machine_model(InstructionSet::avx512));
      CHECK(planned.across == (columns <= lanes ? lanes : 0));
      check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
      check_against_interpreter(b.program, {.symbols = {{21}}, .fill = Fill::specials, .portable = false});
    }
  }
}

TEST_CASE("a map takes from registers what a tile sums, if it alone reads that, and where it is") {
  enum class Reads { here, elsewhere, twice };
  for (const Reads reads : {Reads::here, Reads::elsewhere, Reads::twice}) {
    Builder b;
    const Dim n = dim("n");
    const TensorId x = b.input(f32, {n, 12});
    const TensorId w = b.input(f32, {12, 5});
    const TensorId out = b.output(f32, {n, 37});
    const TensorId again = b.output(f32, {n, 37});
    const TensorId v = b.input(f32, {5, 37});
    const Index i = b.outer(n, "i");
    const LocalId z = b.local(f32, {5});
    const LocalId largest = b.local(f32);
    const LocalId scaled = b.local(f32, {5});
    const LocalId product = b.local(f32, {Dim(37)});
    const Index c0 = b.axis(5, "c0");
    const Index k = b.axis(12, "k");
    b.stage({c0}).yield(b.contract({k}, b.load(x, {i, k}), b.load(w, {k, c0})), z, {c0});
    const Index c1 = b.axis(5, "c1");
    b.stage().yield(b.reduce(ReduceOp::max, {c1}, b.read(z, {c1})), largest);
    const Index c2 = b.axis(5, "c2");
    b.stage({c2}).yield(b.read(z, {c2}) / b.read(largest), scaled, {c2});
    const Index j = b.axis(37, "j");
    const Index c3 = b.axis(5, "c3");
    b.stage({j}).yield(b.contract({c3}, b.read(scaled, {c3}), b.load(v, {c3, j})), product, {j});
    const Index m = b.axis(37, "m");
    const Expr at = reads == Reads::elsewhere ? b.pool().extent(36) - m : Expr(m);
    b.stage({m}).yield(b.read(product, {at}) + b.read(largest), out, {i, m});
    if (reads == Reads::twice) {
      const Index q = b.axis(37, "q");
      b.stage({q}).yield(b.read(product, {q}) * 0.5, again, {i, q});
    }
    b.finish_kernel();
    const Kernel& kernel = std::get<Kernel>(b.program.steps.front());
    const Schedule planned = schedule(b.program, kernel, machine_model(InstructionSet::avx512));
    CHECK(planned.across == 16);
    CHECK(planned.followed.size() == (reads == Reads::here ? 1 : 0));
    check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
  }
}

TEST_CASE("tiles beside stages that run across rows store no rows that are not there") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, 24});
  const TensorId w = b.input(f32, {24, 40});
  const TensorId product = b.output(f32, {n, 40});
  const TensorId sums = b.output(f32, {n, 4});
  const Index i = b.outer(n, "i");
  const LocalId row = b.local(f32, {24});
  const Index a = b.axis(24, "a");
  b.stage({a}).yield(b.load(x, {i, a}) * b.load(x, {i, a}), row, {a});
  const Index j = b.axis(40, "j");
  const Index k = b.axis(24, "k");
  b.stage({j}).yield(b.contract({k}, b.read(row, {k}), b.load(w, {k, j})), product, {i, j});
  const Index part = b.axis(4, "part");
  const Index t = b.axis(6, "t");
  b.stage({part}).yield(b.reduce(ReduceOp::sum, {t}, b.read(row, {part * 6 + t})), sums, {i, part});
  b.finish_kernel();
  const Kernel& kernel = std::get<Kernel>(b.program.steps.front());
  CHECK(schedule(b.program, kernel, machine_model(InstructionSet::avx512)).across == 16);
  check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
}

TEST_CASE("few results a row, of a matrix in each row") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, 3, 20});
  const TensorId w = b.input(f32, {20, 5});
  const TensorId out = b.output(f32, {n, 3});
  const Index i = b.outer(n, "i");
  const LocalId product = b.local(f32, {3, 5});
  const Index l = b.axis(3, "l");
  const Index p = b.axis(5, "p");
  const Index k = b.axis(20, "k");
  b.stage({l, p}).yield(b.contract({k}, b.load(x, {i, l, k}), b.load(w, {k, p})), product, {l, p});
  const Index l2 = b.axis(3, "l2");
  const Index p2 = b.axis(5, "p2");
  b.stage({l2}).yield(b.reduce(ReduceOp::max, {p2}, b.read(product, {l2, p2})), out, {i, l2});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
}
