#include <lathe/codegen/loop/math.h>

#include "harness.h"

using namespace lathe;
using namespace lathe::loop;
using namespace lathe::test;

namespace {

constexpr DType all_dtypes[] = {boolean, u8, i32, i64, f32, f64};

std::vector<UnaryOp> unary_of(DType dtype) {
  if (is_float(dtype)) {
    return {UnaryOp::neg, UnaryOp::abs, UnaryOp::sqrt, UnaryOp::floor, UnaryOp::ceil, UnaryOp::round};
  }
  if (dtype == boolean) return {UnaryOp::bit_not};
  return {UnaryOp::neg, UnaryOp::abs, UnaryOp::bit_not, UnaryOp::floor};
}

std::vector<BinaryOp> arithmetic_of(DType dtype) {
  std::vector<BinaryOp> out;
  if (dtype != boolean) {
    out.insert(out.end(), {BinaryOp::add, BinaryOp::sub, BinaryOp::mul, BinaryOp::div, BinaryOp::floor_div,
                           BinaryOp::mod, BinaryOp::max, BinaryOp::min});
  }
  if (!is_float(dtype)) out.insert(out.end(), {BinaryOp::bit_and, BinaryOp::bit_or, BinaryOp::bit_xor});
  if (is_integer(dtype)) out.insert(out.end(), {BinaryOp::shift_left, BinaryOp::shift_right});
  return out;
}

std::vector<BinaryOp> binary_of(DType dtype) {
  std::vector<BinaryOp> out = arithmetic_of(dtype);
  out.insert(out.end(), {BinaryOp::eq, BinaryOp::ne, BinaryOp::lt, BinaryOp::le, BinaryOp::gt, BinaryOp::ge});
  return out;
}

/// One output a value made from x and y: as vectors over n elements, and as scalars of the first ones.
Program computes(DType dtype, const std::function<std::vector<Expr>(Pool&, Expr, Expr)>& make) {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(dtype, {n});
  const TensorId y = b.input(dtype, {n});
  const TensorId x0 = b.input(dtype, {});
  const TensorId y0 = b.input(dtype, {});
  const Index i = b.outer(n, "i");
  b.stage();
  for (const Expr& value : make(b.pool(), b.load(x, {i}), b.load(y, {i}))) {
    const TensorId out = b.output(value.dtype(), {n});
    b.yield(value, out, {i});
  }
  b.finish_kernel();
  b.stage();
  for (const Expr& value : make(b.pool(), b.load(x0, {}), b.load(y0, {}))) {
    const TensorId out = b.output(value.dtype(), {});
    b.yield(value, out, {});
  }
  b.finish_kernel();
  return b.program;
}

}  // namespace

TEST_CASE("unary and binary operators agree with the interpreter on specials too") {
  for (const DType dtype : all_dtypes) {
    const Program program = computes(dtype, [&](Pool& pool, Expr x, Expr y) {
      std::vector<Expr> out;
      for (const UnaryOp op : unary_of(dtype)) out.push_back(pool.unary(op, x));
      for (const BinaryOp op : binary_of(dtype)) out.push_back(pool.binary(op, x, y));
      out.push_back(pool.select(equal(x, y), x, y));
      return out;
    });
    check_against_interpreter(program, {.symbols = {{1}, {33}, {500}}, .fill = Fill::numbers});
    check_against_interpreter(program, {.symbols = {{1}, {33}, {500}}, .fill = Fill::specials});
  }
}

TEST_CASE("arithmetic with a constant on one side agrees with the interpreter") {
  for (const DType dtype : {u8, i32, i64, f32, f64}) {
    // A program an operator: LLVM takes more than twice as long for a function of twice the length.
    for (const BinaryOp op : arithmetic_of(dtype)) {
      const Program program = computes(dtype, [&](Pool& pool, Expr x, Expr) {
        std::vector<Expr> out;
        for (const double constant : {0.0, 1.0, 3.0, 8.0, -1.0, -3.0, 40.0}) {
          if (dtype == u8 && constant < 0) continue;
          out.push_back(pool.binary(op, x, pool.constant(dtype, constant)));
          out.push_back(pool.binary(op, pool.constant(dtype, constant), x));
        }
        return out;
      });
      check_against_interpreter(program, {.symbols = {{1}, {33}, {200}}, .fill = Fill::specials});
    }
  }
}

TEST_CASE("what is selected lazily is computed where any lane needs it") {
  for (const DType dtype : {f32, f64}) {
    // In all vectors of numbers below 2, in some, in none; with parts that are needed before, after and only there.
    for (const double limit : {-3.0, 1.75, 4.0}) {
      CAPTURE(limit);
      const Program program = computes(dtype, [&](Pool&, Expr x, Expr y) {
        const Expr within = select_lazily(x > limit, sqrt(y) + floor(x), ceil(x));
        return std::vector{within, floor(x) * 2, select_lazily(abs(y) > limit, within / y, sqrt(y))};
      });
      check_against_interpreter(program, {.symbols = {{0}, {1}, {33}, {500}}, .fill = Fill::numbers});
      check_against_interpreter(program, {.symbols = {{1}, {33}, {500}}, .fill = Fill::specials});
    }
  }
}

TEST_CASE("sine and cosine agree with the interpreter for arguments of all sizes") {
  for (const DType dtype : {f32, f64}) {
    const Program program = computes(dtype, [&](Pool&, Expr x, Expr y) {
      return std::vector{loop::sin(x), loop::cos(x * 1e5), loop::sin(y * y * 1e9), loop::cos(y)};
    });
    check_against_interpreter(program, {.symbols = {{1}, {33}, {500}}, .portable = false});
    check_against_interpreter(program, {.symbols = {{1}, {33}, {500}}, .fill = Fill::specials, .portable = false});
  }
}

TEST_CASE("casts saturate, wrap and round as the interpreter does") {
  for (const DType from : all_dtypes) {
    const Program program = computes(from, [&](Pool& pool, Expr x, Expr y) {
      std::vector<Expr> out;
      for (const DType to : all_dtypes) {
        out.push_back(pool.cast(to, x));
        if (from != boolean) out.push_back(pool.cast(to, x * constant_like(x, 100) + y));
      }
      return out;
    });
    check_against_interpreter(program, {.symbols = {{1}, {33}, {500}}, .fill = Fill::numbers});
    check_against_interpreter(program, {.symbols = {{1}, {33}, {500}}, .fill = Fill::specials});
  }
}

TEST_CASE("fused multiply-adds round once and bitcasts keep bits") {
  for (const DType dtype : {f32, f64}) {
    const Program program = computes(dtype, [&](Pool& pool, Expr x, Expr y) {
      const DType bits = dtype == f32 ? i32 : i64;
      return std::vector{fma(x, y, x), bitcast(bits, x), bitcast(dtype, bitcast(bits, x) + pool.constant(bits, 1))};
    });
    check_against_interpreter(program, {.symbols = {{33}, {200}}, .portable = false});
  }
}

TEST_CASE("a lookup finds one of sixteen numbers by the low bits of its index") {
  std::array<float, 16> table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = 100.0F + static_cast<float>(i);
  const Program program = computes(i32, [&](Pool& pool, Expr x, Expr y) {
    return std::vector{pool.lookup(table, x), pool.lookup(table, x * 5 + y)};
  });
  check_against_interpreter(program, {.symbols = {{1}, {33}, {500}}});
  check_against_interpreter(program, {.symbols = {{500}}, .fill = Fill::specials});
}

TEST_CASE("a lookup works in vectors of any width") {
  std::array<float, 16> table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = 1.0F / (1.0F + static_cast<float>(i));
  const Program program = computes(f64, [&](Pool& pool, Expr x, Expr y) {
    return std::vector{cast(f64, pool.lookup(table, cast(i32, x * 10))) + y};
  });
  check_against_interpreter(program, {.symbols = {{1}, {33}, {200}}});
}

TEST_CASE("wide integer arithmetic wraps, as random bits need") {
  const Program program = computes(i64, [&](Pool& pool, Expr x, Expr y) {
    const Expr low = pool.extent(std::int64_t{0xffffffff});
    const Expr a = (x & low) * pool.extent(std::int64_t{0xD2511F53});
    const Expr b = (y & low) * pool.extent(std::int64_t{0xCD9E8D57});
    const Expr mixed = ((a >> 32) ^ b) & low;
    return std::vector{mixed, cast(f32, mixed >> 8) * (1.0 / 16777216.0),
                       x * y * pool.extent(std::int64_t{0x7fffffffffff})};
  });
  check_against_interpreter(program, {.symbols = {{33}, {200}}, .fill = Fill::specials});
}
