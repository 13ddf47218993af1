#include <lathe/codegen/filling.h>

#include "llvm/harness.h"

using namespace lathe;
using namespace lathe::loop;
using namespace lathe::test;

namespace {

struct Options {
  Dim rows = dim("m");
  std::int64_t length = 40;
  std::int64_t columns = 70;
  bool in_panels = false;    // columns are two axes
  bool reads_arena = false;  // what the map is made from is in the arena
  bool twice = false;        // the contraction's kernel reads the map's result elsewhere, too
  bool along_columns = false;
  bool checks = false;
};

/// x[i, k] = f32(bytes[i, k]) * 0.5; out = x times w; sums over the rows of x.
Builder made_rows(const Options& options) {
  Builder b;
  const std::int64_t panel = options.in_panels ? options.columns / 2 : options.columns;
  const TensorId bytes =
      options.reads_arena ? b.arena(u8, {options.rows, options.length}) : b.input(u8, {options.rows, options.length});
  const TensorId labels = b.input(i32, {options.rows});
  const TensorId w =
      options.in_panels ? b.input(f32, {2, options.length, panel}) : b.input(f32, {options.length, panel});
  const TensorId x = b.arena(f32, {options.rows, options.length});
  const TensorId out = b.output(f32, {options.rows, options.columns});
  const TensorId sums = b.output(f32, {options.length});
  if (options.reads_arena) {
    const Index i = b.outer(options.rows, "i");
    const Index k = b.outer(options.length, "k");
    b.stage().yield(cast(u8, i + k), bytes, {i, k});
    b.finish_kernel();
  }
  const CheckId check = b.pool().make_check({"node", "label {detail} at row {index}"});
  {
    const Index i = b.outer(options.rows, "i");
    const Index k = b.outer(options.length, "k");
    Expr value = cast(f32, b.load(bytes, {i, k})) * 0.5;
    const Expr label = b.load(labels, {i});
    if (options.checks) value = b.pool().check(check, label < 2.0, value, i, cast(i64, label));
    b.stage().yield(value, x, {i, k});
    b.finish_kernel();
  }
  {
    std::optional<Index> p;
    if (options.in_panels) p = b.outer(2, "p");
    const Index i = b.outer(options.rows, "i");
    const Index j = b.outer(panel, "j");
    const Index k = b.axis(options.length, "k");
    const Expr row = b.load(x, {i, k});
    const Expr weight = options.in_panels ? b.load(w, {*p, k, j}) : b.load(w, {k, j});
    const LocalId sum = b.local(f32);
    b.stage().yield(options.along_columns ? b.contract({k}, weight, weight) : b.contract({k}, row, weight), sum);
    Expr result = b.read(sum);
    if (options.twice) result = result + b.load(x, {i, b.pool().constant(DType::i64, 0)});
    const Expr column = options.in_panels ? *p * b.pool().extent(panel) + j : static_cast<const Expr&>(j);
    b.stage().yield(result, out, {i, column});
    b.finish_kernel();
  }
  const Index k = b.outer(options.length, "k");
  const Index i = b.axis(options.rows, "i");
  b.stage().yield(b.reduce(ReduceOp::sum, {i}, b.load(x, {i, k})), sums, {k});
  b.finish_kernel();
  return b;
}

bool fills(const Options& options, InstructionSet set = InstructionSet::avx512) {
  const Builder b = made_rows(options);
  return fill_rows(b.program, options.reads_arena ? 1 : 0, machine_model(set)).has_value();
}

}  // namespace

TEST_CASE("rows are made by the contraction that reads them, and are there for others") {
  for (const Options& options : std::vector<Options>{{},
                                                     {.length = 7, .columns = 5},
                                                     {.length = 64, .columns = 64},
                                                     {.length = 33, .columns = 100, .in_panels = true},
                                                     {.rows = 21}}) {
    CHECK(fills(options));
    CHECK(fills(options, InstructionSet::avx2));
    const auto symbols = options.rows.as_constant() ? std::vector<std::vector<std::int64_t>>{{}} : each_size();
    check_against_interpreter(made_rows(options).program, {.symbols = symbols, .portable = false});
  }
}

TEST_CASE("a check in what makes the rows stops the program before later steps") {
  CHECK(fills({.checks = true}));
  const Builder b = made_rows({.checks = true});
  check_against_interpreter(b.program, {.symbols = each_size(), .portable = false});
  check_against_interpreter(b.program, {.symbols = each_size(), .fill = Fill::whole_numbers});
}

TEST_CASE("rows are made beforehand where a contraction could not make them as it goes") {
  CHECK_FALSE(fills({.rows = 1}));
  CHECK_FALSE(fills({.length = 5000}));  // a sum of several chains
  CHECK_FALSE(fills({.reads_arena = true}));
  CHECK_FALSE(fills({.twice = true}));
  CHECK_FALSE(fills({.along_columns = true}));
  CHECK(fills({.length = 784, .columns = 128}));
  for (const Options& options : std::vector<Options>{{.reads_arena = true}, {.twice = true}}) {
    check_against_interpreter(made_rows(options).program, {.symbols = each_size(), .portable = false});
  }
}
