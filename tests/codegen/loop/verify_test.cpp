#include <doctest/doctest.h>

#include "program_builder.h"

#include <lathe/codegen/loop/verify.h>

using namespace lathe;
using namespace lathe::loop;

namespace {

/// y[i] = sum over k of x[i, k], through a register: a program with one of everything that a test may break.
struct RowSums : test::ProgramBuilder {
  TensorId x = input("x", {f32, {4, 3}});
  TensorId y = output("y", {f32, {4}});
  AxisId i = pool().make_axis(4, "i");
  AxisId k = pool().make_axis(3, "k");
  LocalId acc{0};
  Kernel kernel = test::kernel("row_sums", {i});

  RowSums() {
    kernel.locals = {{"acc", f32, {}}};
    kernel.stages.push_back({{}, {keep(pool().reduce(ReduceOp::sum, {k}, element()), acc)}});
    kernel.stages.push_back({{}, {store(pool().local(acc, f32, {}) * 2, y, {index(i)})}});
  }
  Expr element() { return load(x, {index(i), index(k)}); }
  std::string error() {
    program.steps = {kernel};
    return error_of_program();
  }
  std::string error_of_program() {
    try {
      verify(program);
    } catch (const std::logic_error& error) {
      return error.what();
    }
    return "";
  }
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a well-formed program passes") {
  CHECK(RowSums().error() == "");
}

TEST_CASE("errors name the kernel and the stage") {
  RowSums p;
  p.kernel.stages[1].yields[0].value = p.index(p.i).id;
  const std::string error = p.error();
  CHECK(contains(error, "kernel 0 'row_sums', stage 1"));
  CHECK(contains(error, "'y' takes f32, not i64"));
}

TEST_CASE("an axis must have a value where it is used") {
  RowSums p;
  p.kernel.stages[1].yields[0] = p.store(p.element(), p.y, {p.index(p.i)});
  CHECK(contains(p.error(), "axis 'k' is used where it has no value"));

  RowSums twice;
  twice.kernel.stages[0].inner = {twice.i};
  CHECK(contains(twice.error(), "axis 'i' is defined twice"));
}

TEST_CASE("the number of indices is the rank, and indices are i64") {
  RowSums p;
  p.kernel.stages[1].yields[0] = p.store(p.load(p.x, {p.index(p.i)}), p.y, {p.index(p.i)});
  CHECK(contains(p.error(), "1 indices for 'x' of rank 2"));

  RowSums floats;
  const Expr element = floats.load(floats.x, {floats.index(floats.i), cast(f32, floats.index(floats.i))});
  floats.kernel.stages[1].yields[0] = floats.store(element, floats.y, {floats.index(floats.i)});
  CHECK(contains(floats.error(), "an index of 'x' is not i64"));

  RowSums store;
  store.kernel.stages[1].yields[0] = store.store(store.pool().constant(f32, 1), store.y, {});
  CHECK(contains(store.error(), "0 indices for 'y' of rank 1"));
}

TEST_CASE("a local is written before it is read, and with its dtype") {
  RowSums p;
  std::swap(p.kernel.stages[0], p.kernel.stages[1]);
  CHECK(contains(p.error(), "local 'acc' is read before it is written"));

  RowSums other;
  other.kernel.locals[0].dtype = f64;
  CHECK(contains(other.error(), "local 'acc' takes f64, not f32"));

  RowSums missing;
  missing.kernel.locals.clear();
  CHECK(contains(missing.error(), "a local that the kernel does not have"));
}

TEST_CASE("a reduction stands at the top of a yield and alone in its stage") {
  RowSums inside;
  const Expr sum = inside.pool().reduce(ReduceOp::sum, {inside.k}, inside.element());
  inside.kernel.stages[0].yields[0] = inside.keep(sum + 1, inside.acc);
  CHECK(contains(inside.error(), "a reduction stands inside an expression"));

  RowSums company;
  company.kernel.stages[0].yields.push_back(
      company.store(company.pool().constant(f32, 0), company.y, {company.index(company.i)}));
  CHECK(contains(company.error(), "a reduction shares its stage"));
}

TEST_CASE("tensors are read where they live and written only where they may be") {
  RowSums fused;
  fused.program.tensors.push_back({"gone", {f32, {4, 3}}, Role::dissolved, 0, nullptr, {}});
  const Expr gone =
      fused.load(static_cast<TensorId>(fused.program.tensors.size() - 1), {fused.index(fused.i), fused.index(fused.k)});
  fused.kernel.stages[0].yields[0] = fused.keep(fused.pool().reduce(ReduceOp::sum, {fused.k}, gone), fused.acc);
  CHECK(contains(fused.error(), "'gone' was fused away, yet it is read"));

  RowSums backwards;
  backwards.kernel.stages[1].yields[0] = backwards.store(backwards.pool().constant(f32, 0), backwards.x,
                                                         {backwards.index(backwards.i), backwards.index(backwards.i)});
  CHECK(contains(backwards.error(), "'x' is not in writable memory"));

  RowSums slots;
  slots.program.inputs = {slots.y};
  CHECK(contains(slots.error(), "'y' is not in its slot"));
}

TEST_CASE("symbols must be the program's own") {
  RowSums p;
  p.kernel.outer = {p.pool().make_axis(dim("verify_stranger"), "i")};
  CHECK(contains(p.error(), "symbol 'verify_stranger' is not one of the program's"));
}

TEST_CASE("commits go to variables of the same type") {
  RowSums p;
  const TensorId w = p.variable("w", Tensor(f32, {4}));
  p.program.steps = {p.kernel, CommitStep{p.y, w}};
  CHECK(p.error_of_program() == "");
  p.program.steps = {CommitStep{w, p.y}};
  CHECK(contains(p.error_of_program(), "commit 0: what is committed to is not a variable"));
  p.program.steps = {CommitStep{p.x, w}};
  CHECK(contains(p.error_of_program(), "the new value has another type than the variable"));
}

TEST_CASE("arithmetic does not take bool, nor bit operations floats") {
  RowSums p;
  const Expr truth = p.element() > 0.0;
  const auto verify_value = [&](Expr value) {
    RowSums& q = p;
    q.kernel.stages = {{{q.k}, {q.store(cast(f32, value), q.y, {q.index(q.i)})}}};
    return q.error();
  };
  CHECK(verify_value(truth & truth) == "");
  CHECK(contains(verify_value(p.pool().binary(BinaryOp::add, truth, truth)), "does not take this dtype"));
  CHECK(contains(verify_value(p.pool().binary(BinaryOp::bit_xor, p.element(), p.element())),
                 "bits are combined in a float"));
}
