#include "harness.h"

using namespace lathe;
using namespace lathe::loop;
using namespace lathe::test;

namespace {

std::vector<ReduceOp> reductions_of(DType dtype) {
  if (dtype == boolean) return {ReduceOp::any, ReduceOp::all, ReduceOp::max, ReduceOp::min};
  return {ReduceOp::sum, ReduceOp::prod, ReduceOp::max, ReduceOp::min};
}

constexpr DType all_dtypes[] = {boolean, u8, i32, i64, f32, f64};

}  // namespace

TEST_CASE("a reduction along rows fills the lanes of one vector") {
  for (const DType dtype : all_dtypes) {
    for (const ReduceOp op : reductions_of(dtype)) {
      Builder b;
      const Dim k = dim("k");
      const TensorId x = b.input(dtype, {5, k});
      const TensorId out = b.output(dtype, {5});
      const Index i = b.outer(5, "i");
      const Index r = b.axis(k, "r");
      b.stage().yield(b.reduce(op, {r}, b.load(x, {i, r})), out, {i});
      b.finish_kernel();
      check_against_interpreter(b.program, {.symbols = each_size()});
    }
  }
}

TEST_CASE("a reduction down columns keeps all lanes of every column") {
  for (const DType dtype : all_dtypes) {
    for (const ReduceOp op : reductions_of(dtype)) {
      Builder b;
      const Dim k = dim("k");
      const TensorId x = b.input(dtype, {k, 45});
      const TensorId out = b.output(dtype, {45});
      const Index j = b.outer(45, "j");
      const Index r = b.axis(k, "r");
      b.stage().yield(b.reduce(op, {r}, b.load(x, {r, j})), out, {j});
      b.finish_kernel();
      check_against_interpreter(b.program, {.symbols = each_size()});
    }
  }
}

TEST_CASE("a reduction down a symbolic number of columns") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {21, n});
  const TensorId out = b.output(f32, {n});
  const Index j = b.outer(n, "j");
  const Index r = b.axis(21, "r");
  b.stage().yield(b.reduce(ReduceOp::sum, {r}, b.load(x, {r, j}) * b.load(x, {r, j})), out, {j});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("a whole array reduces to a scalar, over one axis or two") {
  for (const ReduceOp op : {ReduceOp::sum, ReduceOp::max}) {
    Builder b;
    const Dim n = dim("n");
    const TensorId x = b.input(f32, {n, 21});
    const TensorId out = b.output(f32, {});
    const TensorId doubled = b.output(f32, {});
    const Index p = b.axis(n, "p");
    const Index q = b.axis(21, "q");
    b.stage().yield(b.reduce(op, {p, q}, b.load(x, {p, q})), out, {});
    b.finish_kernel();
    const Index r = b.axis(n, "r");
    const LocalId first = b.local(f32);
    b.stage().yield(b.reduce(op, {r}, b.load(x, {r, b.pool().extent(4)})), first);
    b.stage().yield(b.read(first) * 2.0, doubled, {});
    b.finish_kernel();
    check_against_interpreter(b.program, {.symbols = each_size()});
  }
}

TEST_CASE("several axes reduce in order, across and along") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {3, n, 18});
  const TensorId across = b.output(f32, {18});
  const TensorId along = b.output(f32, {n});
  const Index j = b.outer(18, "j");
  const Index p = b.axis(3, "p");
  const Index q = b.axis(n, "q");
  b.stage().yield(b.reduce(ReduceOp::sum, {p, q}, b.load(x, {p, q, j})), across, {j});
  b.finish_kernel();
  const Index i = b.outer(n, "i");
  const Index r = b.axis(3, "r");
  const Index s = b.axis(18, "s");
  b.stage().yield(b.reduce(ReduceOp::sum, {r, s}, b.load(x, {r, i, s})), along, {i});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("windows reduce across columns, whatever the length of their last axis") {
  for (const DType dtype : all_dtypes) {
    for (const ReduceOp op : reductions_of(dtype)) {
      Builder b;
      const Dim n = dim("n");
      for (const std::int64_t last : {1, 2, 3, 7, 16, 17}) {
        const TensorId x = b.input(dtype, {n, last, 83});
        const TensorId out = b.output(dtype, {83});
        const Index j = b.outer(83, "j");
        const Index p = b.axis(n, "p");
        const Index q = b.axis(last, "q");
        b.stage().yield(b.reduce(op, {p, q}, b.load(x, {p, q, j})), out, {j});
        b.finish_kernel();
      }
      check_against_interpreter(b.program, {.symbols = {{0}, {3}}, .fill = Fill::specials});
    }
  }
}

TEST_CASE("NaN and infinity go through max and min") {
  for (const ReduceOp op : {ReduceOp::max, ReduceOp::min, ReduceOp::sum}) {
    Builder b;
    const Dim n = dim("n");
    const TensorId x = b.input(f32, {n, 33});
    const TensorId rows = b.output(f32, {n});
    const TensorId columns = b.output(f32, {33});
    const Index i = b.outer(n, "i");
    const Index c = b.axis(33, "c");
    b.stage().yield(b.reduce(op, {c}, b.load(x, {i, c})), rows, {i});
    b.finish_kernel();
    const Index j = b.outer(33, "j");
    const Index r = b.axis(n, "r");
    b.stage().yield(b.reduce(op, {r}, b.load(x, {r, j})), columns, {j});
    b.finish_kernel();
    check_against_interpreter(b.program, {.symbols = each_size(), .fill = Fill::specials});
  }
}

TEST_CASE("a reduction of a gathered or computed value") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {40});
  const TensorId which = b.input(u8, {n, 23});
  const TensorId out = b.output(f32, {n});
  const TensorId position = b.output(i64, {n});
  const Index i = b.outer(n, "i");
  const Index c = b.axis(23, "c");
  const Expr at = mod(cast(i64, b.load(which, {i, c})), b.pool().extent(40));
  b.stage().yield(b.reduce(ReduceOp::sum, {c}, b.load(x, {at})), out, {i});
  const Index d = b.axis(23, "d");
  const Expr even = equal(b.load(which, {i, d}) & b.pool().constant(u8, 1), b.pool().constant(u8, 0));
  b.stage().yield(b.reduce(ReduceOp::max, {d}, select(even, d, b.pool().extent(-1))), position, {i});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}

TEST_CASE("an epilogue follows reductions of both kinds") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, 26});
  const TensorId bias = b.variable(f32, {26});
  const TensorId scale = b.input(f32, {7});
  const Index j = b.outer(26, "j");
  const LocalId g = b.local(f32);
  const LocalId factor = b.local(f32);
  const Index r = b.axis(n, "r");
  const Index q = b.axis(7, "q");
  b.stage().yield(b.reduce(ReduceOp::sum, {r}, b.load(x, {r, j})), g);
  b.stage().yield(b.reduce(ReduceOp::max, {q}, b.load(scale, {q})), factor);
  b.stage().yield(b.load(bias, {j}) - b.read(g) * b.read(factor), bias, {j});
  b.finish_kernel();
  check_against_interpreter(b.program, {.symbols = each_size()});
}
