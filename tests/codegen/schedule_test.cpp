#include <lathe/codegen/schedule.h>

#include <lathe/codegen/nest.h>

#include "llvm/harness.h"

using namespace lathe;
using namespace lathe::loop;
using namespace lathe::test;

namespace {

const MachineModel avx512 = machine_model(InstructionSet::avx512);

Schedule schedule_of(const Builder& b, const MachineModel& machine = avx512) {
  return schedule(b.program, std::get<Kernel>(b.program.steps.front()), machine);
}

Builder matmul(const Dim& m, const Dim& k, const Dim& n) {
  Builder b;
  const TensorId x = b.input(f32, {m, k});
  const TensorId w = b.input(f32, {k, n});
  const TensorId out = b.output(f32, {m, n});
  const Index i = b.outer(m, "i");
  const Index j = b.outer(n, "j");
  const Index p = b.axis(k, "k");
  b.stage().yield(b.contract({p}, b.load(x, {i, p}), b.load(w, {p, j})), out, {i, j});
  b.finish_kernel();
  return b;
}

}  // namespace

TEST_CASE("constant extents leave no variants that cannot occur") {
  CHECK(schedule_of(matmul(784, 32, 128)).tiles.size() == 1);
  CHECK(schedule_of(matmul(20, 32, 128)).tiles.size() <= 2);
  CHECK(schedule_of(matmul(dim("m"), 32, 128)).tiles.back().rows == 1);
}

TEST_CASE("operands that vectors cannot load are packed, in panels that stay in the cache, or turned") {
  const auto product = [](const Dim& m, std::int64_t k, std::int64_t n, bool transpose_b) {
    Builder b;
    const TensorId x = b.input(f32, {m, k});
    const TensorId w = b.input(f32, transpose_b ? Shape{n, k} : Shape{k, n});
    const TensorId out = b.output(f32, {m, n});
    const Index i = b.outer(m, "i");
    const Index j = b.outer(n, "j");
    const Index p = b.axis(k, "k");
    b.stage().yield(b.contract({p}, b.load(x, {i, p}), transpose_b ? b.load(w, {j, p}) : b.load(w, {p, j})), out,
                    {i, j});
    b.finish_kernel();
    return schedule_of(b);
  };
  CHECK(product(dim("m"), 128, 784, true).packed.size() == 1);
  CHECK(product(dim("m"), 784, 128, false).packed.empty());
  CHECK(product(dim("m"), 1024, 1024, false).packed.size() == 1);
  const Schedule many_pages = product(4, 1024, 1024, false);
  CHECK(many_pages.packed.empty());  // too few rows to pay for it
  CHECK(many_pages.slice == 16);
  CHECK(many_pages.panel == 512);
  CHECK(product(4, 1024, 1000, false).slice == 0);
  CHECK(product(dim("m"), 128, 784, true).turned.empty());
  const Schedule few_rows = product(8, 128, 784, true);
  CHECK(few_rows.packed.empty());
  CHECK(few_rows.turned.size() == 1);
  CHECK(few_rows.panel == 32);
  CHECK(product(8, 1024, 784, true).panel == 16);  // lines are a page apart
  CHECK(product(8, 128, 784, false).turned.empty());
  const Schedule too_long = product(dim("m"), 100'000, 64, true);
  CHECK(too_long.packed.size() == 1);
  CHECK(too_long.panel * too_long.packed_slice * 4 == 256 * 1024);
  CHECK(too_long.slice == too_long.packed_slice);
  const Schedule deep = product(dim("m"), 2048, 1024, true);
  CHECK(deep.packed.size() == 1);
  CHECK(deep.packed_slice == 0);
  CHECK(deep.panel * 2048 * 4 == 256 * 1024);
}

TEST_CASE("few columns leave vectors to rows, if sums are long enough") {
  const auto column = [](std::int64_t terms, std::int64_t columns, const Dim& rows) {
    Builder b = matmul(rows, terms, columns);
    const Schedule made = schedule_of(b);
    const std::string name = b.pool().axis(*made.column).name;
    CHECK((made.turned.size() == 1) == (name == "i"));
    return name;
  };
  CHECK(column(64, 3, dim("m")) == "i");
  CHECK(column(64, 8, 100) == "i");
  CHECK(column(32, 8, 100) == "j");
  CHECK(column(64, 3, 9) == "j");
  CHECK(column(784, 10, 100) == "j");
}

TEST_CASE("what each row has of its own is turned, what all points of a batch share is copied") {
  const Dim n = dim("n");
  Builder own;
  {
    const TensorId x = own.input(f32, {n, 128});
    const TensorId w = own.input(f32, {n, 512, 128});
    const TensorId out = own.output(f32, {n, 512});
    const Index i = own.outer(n, "i");
    const Index j = own.outer(512, "j");
    const Index p = own.axis(128, "p");
    own.stage().yield(own.contract({p}, own.load(x, {i, p}), own.load(w, {i, j, p})), out, {i, j});
    own.finish_kernel();
  }
  const Schedule rowless = schedule_of(own);
  CHECK_FALSE(rowless.row.has_value());
  CHECK(rowless.batch.size() == 1);
  CHECK(rowless.turned.size() == 1);

  Builder shared;
  const TensorId x = shared.input(f32, {n, 7, 9, 512});
  const TensorId w = shared.input(f32, {9, 512, 512});
  const TensorId out = shared.output(f32, {n, 512, 7});
  const Index i = shared.outer(n, "i");
  const Index j = shared.outer(7, "j");
  const Index l = shared.outer(512, "l");
  const Index p = shared.axis(9, "p");
  const Index q = shared.axis(512, "q");
  shared.stage().yield(shared.contract({p, q}, shared.load(x, {i, j, p, q}), shared.load(w, {p, q, l})), out,
                       {i, l, j});
  shared.finish_kernel();
  const Schedule made = schedule_of(shared);
  CHECK(made.packed.size() == 1);  // for 7 rows it would not be
  CHECK(made.panel == std::int64_t{made.tiles.front().vectors} * made.width);
}

TEST_CASE("work is shared out in chunks that sizes alone decide") {
  Builder b = matmul(dim("m"), 784, 128);
  const Schedule made = schedule_of(b);
  const auto shared = [&](std::int64_t m) {
    Bindings sizes;
    sizes.bind(b.program.symbols.front(), m);
    return share(made, b.pool(), sizes);
  };
  CHECK(shared(0).items == 0);
  CHECK(shared(1).grain == shared(1).items);  // too little to share
  CHECK(shared(32).items == 8);               // 4 blocks of 8 rows, 2 panels of 64 columns
  CHECK(shared(32).grain == 1);
  CHECK(shared(100'000).items / shared(100'000).grain <= 128);
}

TEST_CASE("a chunk is a whole part of a panel where one is not much larger") {
  const auto grain = [](std::int64_t blocks) {
    Builder b = matmul(8 * blocks, 32, 128);
    return share(schedule_of(b), b.pool(), {}).grain;
  };
  CHECK(grain(98) == 7);  // of 1, 2, 7, 14, 49 and 98
  CHECK(grain(97) > 1);   // of 1 and 97
  CHECK(grain(97) < 7);
}

TEST_CASE("a chunk has several blocks where all of them read the same slices of a sum") {
  const auto sharing = [](std::int64_t rows) {
    Builder b;
    const Dim n = dim("n");
    const TensorId x = b.input(f32, {n, 784, rows});
    const TensorId dy = b.input(f32, {n, 784, 64});
    const TensorId out = b.output(f32, {rows, 64});
    const Index i = b.outer(rows, "i");
    const Index j = b.outer(64, "j");
    const Index p = b.axis(n, "p");
    const Index q = b.axis(784, "q");
    b.stage().yield(b.contract({p, q}, b.load(x, {p, q, i}), b.load(dy, {p, q, j})), out, {i, j});
    b.finish_kernel();
    const Schedule made = schedule_of(b);
    CHECK(made.slice > 0);
    Bindings sizes;
    sizes.bind(b.program.symbols.front(), 32);
    const Sharing share = lathe::share(made, b.pool(), sizes);
    return std::pair{share.items, share.grain};
  };
  CHECK(sharing(192) == std::pair<std::int64_t, std::int64_t>{24, 6});
  CHECK(sharing(64) == std::pair<std::int64_t, std::int64_t>{8, 4});  // two chunks
}

TEST_CASE("compiled code cuts work as schedules say") {
  for (const std::int64_t rows : {784, 776, 768}) {
    CAPTURE(rows);
    Builder b = matmul(rows, dim("k"), 128);
    const auto executable = compile(b.program, {.instruction_set = InstructionSet::portable});
    const Schedule made = schedule_of(b, machine_model(InstructionSet::portable));
    for (const std::int64_t k : {32, 100, 1000}) {
      CAPTURE(k);
      Memory memory(executable->program(), {k}, Fill::numbers, 1);
      abi::Arguments arguments = memory.arguments();
      Sharing actual;
      arguments.parallel_context = &actual;
      arguments.parallel_for = [](void* context, abi::ChunkFunction, const void*, std::int64_t items,
                                  std::int64_t grain) {
        *static_cast<Sharing*>(context) = {items, grain};
      };
      CHECK(executable->entry()(&arguments) == 0);
      Bindings sizes;
      sizes.bind(b.program.symbols.front(), k);
      const Sharing expected = share(made, b.pool(), sizes);
      CHECK(actual.items == expected.items);
      CHECK(actual.grain == expected.grain);
    }
  }
}

TEST_CASE("what moves many bytes is shared out earlier than what only computes") {
  const auto chunks = [](std::int64_t elements, bool reads) {
    Builder b;
    const TensorId x = b.input(f32, {dim("n"), 64});
    const TensorId out = b.output(f32, {dim("n"), 64});
    const Index i = b.outer(dim("n"), "i");
    const Index j = b.outer(64, "j");
    b.stage().yield(reads ? b.load(x, {i, j}) * 2.0 : cast(f32, Expr(j)) * 2.0, out, {i, j});
    b.finish_kernel();
    Bindings sizes;
    sizes.bind(b.program.symbols.front(), elements / 64);
    const Sharing sharing = share(schedule_of(b), b.pool(), sizes);
    return (sharing.items - 1) / sharing.grain + 1;
  };
  CHECK(chunks(10'000, true) == 1);
  CHECK(chunks(100'000, true) > 1);
  CHECK(chunks(100'000, false) == 1);
}

TEST_CASE("a block of rows serves all columns whose operand stays in the cache, if a thread is alone") {
  const auto schedule_with = [](std::int64_t panels) {
    Builder b;
    const TensorId x = b.input(u8, {dim("m"), 784});
    const TensorId w = b.input(f32, {panels, 784, 64});
    const TensorId out = b.output(f32, {dim("m"), panels, 64});
    const Index i = b.outer(dim("m"), "i");
    const Index p = b.outer(panels, "p");
    const Index j = b.outer(64, "j");
    const Index k = b.axis(784, "k");
    b.stage().yield(b.contract({k}, cast(f32, b.load(x, {i, k})), b.load(w, {p, k, j})), out, {i, p, j});
    b.finish_kernel();
    if (panels == 2) check_against_interpreter(b.program, {.symbols = {{1}, {8}, {21}}, .portable = false});
    return schedule_of(b);
  };
  const Schedule near = schedule_with(2);
  CHECK(near.block.has_value());
  CHECK(near.shared == near.batch);
  const Schedule far = schedule_with(20);
  CHECK(far.block.has_value());
  CHECK(far.shared.empty());
  CHECK(far.batch.size() == 1);
}

TEST_CASE(
    "rows are made in lines where neighbours in memory belong to different rows, or the sum has no known length") {
  const auto schedule_with = [](const Dim& terms, bool transposed, DType from = u8, std::int64_t rows = 784,
                                std::int64_t columns = 128) {
    Builder b;
    const TensorId x = transposed ? b.input(from, {terms, rows}) : b.input(from, {rows, terms});
    const TensorId dy = b.input(f32, {terms, columns});
    const TensorId out = b.output(f32, {rows, columns});
    const Index i = b.outer(rows, "i");
    const Index j = b.outer(columns, "j");
    const Index k = b.axis(terms, "k");
    const Expr made = cast(f32, transposed ? b.load(x, {k, i}) : b.load(x, {i, k}));
    b.stage().yield(b.contract({k}, made, b.load(dy, {k, j})), out, {i, j});
    b.finish_kernel();
    return schedule_of(b);
  };
  CHECK(schedule_with(dim("k"), true).lines.has_value());
  CHECK(schedule_with(32, true).lines.has_value());
  CHECK(schedule_with(dim("k"), true).shares_columns);
  CHECK(schedule_with(32, false).block.has_value());
  CHECK_FALSE(schedule_with(32, false).lines.has_value());
  CHECK(schedule_with(32, true, f32, 1024).lines.has_value());  // terms are a page apart
  const Schedule beside_panels = schedule_with(32, true, f32, 1024, 1024);
  CHECK(beside_panels.lines.has_value());
  CHECK(beside_panels.packed.size() == 1);
  CHECK_FALSE(beside_panels.shares_columns);
  const Schedule deep = schedule_with(2048, true, f32, 1024, 1024);
  CHECK(deep.lines.has_value());
  CHECK(deep.panel * 2048 * 4 <= 512 * 1024);
  const Schedule deeper = schedule_with(dim("k"), true, f32, 1024, 1024);
  CHECK(deeper.lines.has_value());
  CHECK(deeper.packed_slice % deeper.slice == 0);
  for (const std::int64_t rows : {128, 784}) {
    for (const bool transposed : {false, true}) {
      const Schedule loaded = schedule_with(32, transposed, f32, rows);
      CHECK_FALSE((loaded.lines.has_value() || loaded.block.has_value()));
    }
  }
}

TEST_CASE("rows that share what they read of a quotient come in the order of memory, unless they contract") {
  const auto outer_axes = [](bool contracts) {
    Builder b;
    const Dim n = dim("n");
    const TensorId x = b.input(f32, {n, 13, 32});
    const TensorId w = b.input(f32, {32, 32});
    const TensorId out = b.output(f32, {n, 26, 32});
    const Index i = b.outer(n, "i");
    const Index j = b.outer(26, "j");
    const Index p = b.outer(32, "p");
    const Expr pair = floor_div(j, b.pool().extent(2));
    const Index k = b.axis(32, "k");
    const Expr value =
        contracts ? b.contract({k}, b.load(x, {i, pair, k}), b.load(w, {k, p})) : b.load(x, {i, pair, p});
    b.stage().yield(value, out, {i, j, p});
    b.finish_kernel();
    check_against_interpreter(b.program, {.symbols = {{3}}, .fill = Fill::whole_numbers});
    const Schedule made = schedule_of(b);
    std::vector<std::string> names;
    for (const AxisId axis : made.batch) names.push_back(b.pool().axis(axis).name);
    names.push_back(b.pool().axis(*made.row).name);
    return fmt::format("{}", fmt::join(names, ", "));
  };
  CHECK(outer_axes(false) == "ij_run, j");
  CHECK(outer_axes(true) == "j_run, i, j");
}

TEST_CASE("an element-wise kernel over whole arrays becomes one long axis") {
  Builder b;
  const TensorId x = b.input(f32, {dim("n"), 784, 3});
  const TensorId out = b.output(f32, {dim("n"), 784, 3});
  const std::vector<Expr> at = {b.outer(dim("n"), "i"), b.outer(784, "j"), b.outer(3, "c")};
  b.stage().yield(b.load(x, at) + 1.0, out, at);
  b.finish_kernel();
  const Schedule made = schedule_of(b);
  CHECK(made.form == Schedule::Form::map);
  CHECK(!made.row.has_value());
  CHECK(b.pool().axis(*made.column).extent == dim("n") * Dim(784 * 3));
}

TEST_CASE("inner axes of a map become one, too, but not across a broadcast") {
  Builder b;
  const TensorId x = b.input(f32, {dim("n"), 6, 5, 70});
  const TensorId scale = b.input(f32, {6});
  const TensorId out = b.output(f32, {dim("n"), 6, 5, 70});
  const Index i = b.outer(dim("n"), "i");
  const LocalId total = b.local(f32);
  const Index k = b.axis(70, "k");
  b.stage().yield(b.reduce(ReduceOp::sum, {k}, b.load(x, {i, b.pool().extent(0), b.pool().extent(0), k})), total);
  const Index j = b.axis(6, "j");
  const Index l = b.axis(5, "l");
  const Index one = b.axis(1, "one");
  const Index p = b.axis(70, "p");
  const Expr value = b.load(x, {i, j, l, p}) * b.read(total) + b.load(scale, {j});
  b.stage({j, l, one, p}).yield(value, out, {i, j, l, p});
  b.finish_kernel();
  const Schedule made = schedule_of(b);
  CHECK(made.form == Schedule::Form::rows);
  REQUIRE(made.stages.back().inner.size() == 2);
  CHECK(b.pool().axis(made.stages.back().inner[0]).extent == Dim(6));
  CHECK(b.pool().axis(made.stages.back().inner[1]).extent == Dim(350));
}

TEST_CASE("axes stay apart where a broadcast would need a division") {
  Builder b;
  const TensorId x = b.input(f32, {dim("n"), 784});
  const TensorId bias = b.input(f32, {784});
  const TensorId out = b.output(f32, {dim("n"), 784});
  const Index i = b.outer(dim("n"), "i");
  const Index j = b.outer(784, "j");
  b.stage().yield(b.load(x, {i, j}) + b.load(bias, {j}), out, {i, j});
  b.finish_kernel();
  const Schedule made = schedule_of(b);
  CHECK(made.form == Schedule::Form::map);
  CHECK(made.row.has_value());
  CHECK(b.pool().axis(*made.column).extent == Dim(784));
}

TEST_CASE("vectors run along the axis that needs the fewest gathers") {
  Builder b;
  const TensorId a = b.input(f32, {20, 30});
  const TensorId c = b.input(f32, {40, 20});
  const TensorId out = b.output(f32, {30, 40});
  const Index i = b.outer(30, "i");
  const Index j = b.outer(40, "j");
  const Index k = b.axis(20, "k");
  b.stage().yield(b.contract({k}, b.load(a, {k, i}), b.load(c, {j, k})), out, {i, j});
  b.finish_kernel();
  CHECK(schedule_of(b).column == j.axis);  // what a contraction reads is copied, what it writes is not
}

TEST_CASE("loads that run along rows are turned, where there are as many rows as lanes") {
  const auto turned = [](const Dim& height, std::int64_t channels) {
    Builder b;
    const Dim n = dim("n");
    const TensorId x = b.input(f32, {n, channels, height, 20});
    const TensorId scale = b.input(f32, {channels});
    const TensorId out = b.output(f32, {n, height, 20, channels});
    const Index i = b.outer(n, "i");
    const Index h = b.outer(height, "h");
    const Index w = b.outer(20, "w");
    const Index c = b.outer(channels, "c");
    b.stage().yield(b.load(x, {i, c, h, w}) * b.load(scale, {c}), out, {i, h, w, c});
    b.finish_kernel();
    const Schedule made = schedule_of(b);
    CHECK(made.form == Schedule::Form::map);
    if (!made.turned.empty()) CHECK(made.rows() == made.width);
    return made.turned.size();
  };
  CHECK(turned(20, 64) == 1);
  CHECK(turned(dim("h"), 64) == 1);
  CHECK(turned(1, 1) == 0);
}

TEST_CASE("a reduction goes along rows or across columns, whichever is contiguous") {
  const auto form = [](bool down_columns) {
    Builder b;
    const TensorId x = b.input(f32, {50, 60});
    const TensorId factor = b.input(f32, {60});
    const TensorId summand = b.input(f32, {60});
    const TensorId out = b.output(f32, {down_columns ? 60 : 50});
    const Index o = b.outer(down_columns ? 60 : 50, "o");
    const Index r = b.axis(down_columns ? 50 : 60, "r");
    // What is the same for all columns has no say.
    const Expr at = (down_columns ? b.load(x, {r, o}) : b.load(x, {o, r})) * b.load(factor, {r}) + b.load(summand, {r});
    b.stage().yield(b.reduce(ReduceOp::sum, {r}, at), out, {o});
    b.finish_kernel();
    return schedule_of(b).form;
  };
  CHECK(form(true) == Schedule::Form::tile);
  CHECK(form(false) == Schedule::Form::rows);
}

TEST_CASE("a sum joins the loop that fills what it adds up, unless it reads that elsewhere") {
  const auto joined = [](bool reversed) {
    Builder b;
    const TensorId x = b.input(f32, {dim("n"), 100});
    const TensorId out = b.output(f32, {dim("n")});
    const Index i = b.outer(dim("n"), "i");
    const LocalId square = b.local(f32, {100});
    const Index j = b.axis(100, "j");
    b.stage({j}).yield(b.load(x, {i, j}) * b.load(x, {i, j}), square, {j});
    const Index k = b.axis(100, "k");
    const Expr at = reversed ? b.pool().extent(99) - k : static_cast<const Expr&>(k);
    b.stage().yield(b.reduce(ReduceOp::sum, {k}, b.read(square, {at})), out, {i});
    b.finish_kernel();
    check_against_interpreter(b.program, {.symbols = {{5}}});
    const Schedule made = schedule_of(b);
    return joins(b.pool(), made.stages[0], made.stages[1]);
  };
  CHECK(joined(false));
  CHECK_FALSE(joined(true));
}

TEST_CASE("what a kernel writes in whole lines and never reads may go past the caches") {
  const auto streamed = [](Role role, std::int64_t columns, bool transposed, bool reads) {
    Builder b;
    const Dim n = dim("n");
    const TensorId x = b.input(f32, {n, columns});
    const TensorId bias = b.input(f32, {columns});
    const TensorId out = transposed ? b.tensor(role, f32, {columns, n}) : b.tensor(role, f32, {n, columns});
    const Index i = b.outer(n, "i");
    const Index j = b.outer(columns, "j");
    const std::vector<Expr> at = transposed ? std::vector<Expr>{j, i} : std::vector<Expr>{i, j};
    const Expr value = b.load(x, {i, j}) + b.load(bias, {j});
    b.stage().yield(reads ? value + b.load(out, at) : value, out, at);
    b.finish_kernel();
    return schedule_of(b).streamed == std::vector{out};
  };
  CHECK(streamed(Role::output, 64, false, false));
  CHECK(streamed(Role::arena, 64, false, false));
  CHECK_FALSE(streamed(Role::variable, 64, false, false));  // the next run reads it
  CHECK_FALSE(streamed(Role::output, 40, false, false));    // rows begin within lines
  CHECK_FALSE(streamed(Role::output, 64, true, false));
  CHECK_FALSE(streamed(Role::arena, 64, false, true));
}
