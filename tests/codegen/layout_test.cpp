#include <lathe/codegen/layout.h>
#include <lathe/codegen/schedule.h>

#include "llvm/harness.h"

using namespace lathe;
using namespace lathe::loop;
using namespace lathe::test;

namespace {

/// y = x w, then w -= x^T y: a read along columns, a sum of rows, an update in place.
Program step(const Dim& batch, std::int64_t columns) {
  Builder b;
  const TensorId x = b.input(f32, {batch, 130});
  const TensorId w = b.variable(f32, {130, columns});
  const TensorId y = b.output(f32, {batch, columns});
  const TensorId sums = b.output(f32, {130});
  const TensorId turned = b.output(f32, {batch, 130});
  {
    const Index i = b.outer(batch, "i");
    const Index j = b.outer(columns, "j");
    const Index k = b.axis(130, "k");
    b.stage().yield(b.contract({k}, b.load(x, {i, k}), b.load(w, {k, j})), y, {i, j});
    b.finish_kernel();
  }
  {
    const Index i = b.outer(130, "i");
    const Index j = b.axis(columns, "j");
    b.stage().yield(b.reduce(ReduceOp::sum, {j}, b.load(w, {i, j})), sums, {i});
    b.finish_kernel();
  }
  {
    const Index i = b.outer(batch, "i");
    const Index k = b.outer(130, "k");
    const Index j = b.axis(columns, "j");
    b.stage().yield(b.contract({j}, b.load(y, {i, j}), b.load(w, {k, j})), turned, {i, k});
    b.finish_kernel();
  }
  const Index k = b.outer(130, "k");
  const Index j = b.outer(columns, "j");
  const Index i = b.axis(batch, "i");
  const LocalId gradient = b.local(f32);
  b.stage().yield(b.contract({i}, b.load(x, {i, k}), b.load(y, {i, j})), gradient);
  b.stage().yield(b.load(w, {k, j}) - b.read(gradient), w, {k, j});
  b.finish_kernel();
  return b.program;
}

/// The bytes of variable 0 after a run of `program` by the interpreter, and of all outputs.
std::vector<Tensor> run(const Program& program, std::int64_t batch, const Tensor& x, Tensor& w) {
  std::vector<Tensor> outputs;
  std::vector<void*> pointers;
  for (const TensorId id : program.outputs) {
    Bindings sizes;
    sizes.bind(program.symbols.front(), batch);
    outputs.emplace_back(f32, evaluate(program.tensor(id).type.shape, sizes));
  }
  for (Tensor& tensor : outputs) pointers.push_back(tensor.bytes().data());
  const void* inputs[] = {x.bytes().data()};
  void* variables[] = {w.bytes().data()};
  std::vector<std::byte> arena(64);
  abi::Arguments arguments{};
  arguments.inputs = inputs;
  arguments.outputs = pointers.data();
  arguments.variables = variables;
  arguments.arena = arena.data();
  arguments.symbols = &batch;
  abi::Failure failure{abi::no_check, 0, 0, 0};
  arguments.failure = &failure;
  REQUIRE(interpret(program, arguments) == 0);
  return outputs;
}

Tensor random(Extents shape, unsigned seed) {
  Tensor tensor(f32, std::move(shape));
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (float& element : tensor.data<float>()) element = uniform(engine);
  return tensor;
}

}  // namespace

TEST_CASE("large matrices whose columns make whole panels are stored in panels") {
  CHECK(panel_columns({f32, {784, 128}}) == 64);
  CHECK(panel_columns({f64, {784, 128}}) == 32);
  CHECK(panel_columns({f32, {784, 100}}) == 0);
  CHECK(panel_columns({f32, {784, 64}}) == 0);    // one panel is the matrix itself
  CHECK(panel_columns({f32, {8, 128}}) == 0);     // small
  CHECK(panel_columns({f32, {784, 8192}}) == 0);  // a sum along its columns is more than one chain
  CHECK(panel_columns({f32, {2, 784, 128}}) == 0);
  CHECK(panel_columns({f32, {dim("n"), 128}}) == 0);
}

TEST_CASE("small matrices whose rows are shorter than a vector are stored by columns") {
  CHECK(panel_columns({f32, {128, 10}}) == 1);
  CHECK(panel_columns({f64, {128, 7}}) == 1);
  CHECK(panel_columns({f32, {16, 2}}) == 1);
  CHECK(panel_columns({f32, {128, 16}}) == 0);  // a vector a row
  CHECK(panel_columns({f64, {128, 8}}) == 0);
  CHECK(panel_columns({f32, {128, 1}}) == 0);    // one column lies as it does
  CHECK(panel_columns({f32, {15, 10}}) == 0);    // columns are shorter than a vector, too
  CHECK(panel_columns({f32, {2000, 10}}) == 0);  // too large for a row of it to be read from many lines
  CHECK(panel_columns({f32, {dim("n"), 10}}) == 0);
}

TEST_CASE("panels and rows hold the same elements") {
  const Tensor rows = random({5, 192}, 1);
  const Tensor panels = to_panels(rows, 64);
  CHECK(panels.shape() == Extents{3, 5, 64});
  CHECK(panels.data<float>()[(1 * 5 + 2) * 64 + 3] == rows.data<float>()[2 * 192 + 64 + 3]);
  CHECK(from_panels(panels) == rows);
}

TEST_CASE("a program over panels gives the same bits as one over rows") {
  for (const auto& [columns, panel] : {std::pair{128, 64}, std::pair{10, 1}}) {
    const Program plain = step(dim("batch"), columns);
    Program panelled = plain;
    store_variables_in_panels(panelled);
    REQUIRE(panelled.tensor(panelled.variables.front()).type.shape == Shape{columns / panel, 130, panel});
    const Tensor x = random({9, 130}, 2);
    Tensor w = random({130, columns}, 3);
    Tensor stored = to_panels(w, panel);
    const std::vector<Tensor> expected = run(plain, 9, x, w);
    const std::vector<Tensor> actual = run(panelled, 9, x, stored);
    REQUIRE(actual.size() == expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) CHECK(actual[i] == expected[i]);
    CHECK(from_panels(stored) == w);
  }
}

TEST_CASE("compiled code keeps to the panels") {
  for (const std::int64_t columns : {128, 10}) {
    Program program = step(dim("batch"), columns);
    store_variables_in_panels(program);
    check_against_interpreter(program, {.symbols = {{0}, {1}, {9}, {40}}, .portable = false});
  }
}

TEST_CASE("vectors run along the columns of a matrix that is stored by columns") {
  Program program = step(dim("batch"), 10);
  store_variables_in_panels(program);
  const auto& update = std::get<Kernel>(program.steps.back());
  const Schedule planned = schedule(program, update, machine_model(InstructionSet::avx512));
  REQUIRE(planned.column.has_value());
  CHECK(program.pool->axis(*planned.column).extent == Dim(130));
  CHECK(planned.tiles.size() == 1);  // two of 5 columns
}

TEST_CASE("an axis along the columns becomes one over panels, outermost, and one within a panel") {
  Program program = step(dim("batch"), 128);
  store_variables_in_panels(program);
  const auto& kernel = std::get<Kernel>(program.steps.front());
  REQUIRE(kernel.outer.size() == 3);
  CHECK(program.pool->axis(kernel.outer[0]).extent == Dim(2));
  CHECK(program.pool->axis(kernel.outer[2]).extent == Dim(64));
  CHECK(to_string(program).find("//") == std::string::npos);  // no access divides
}
