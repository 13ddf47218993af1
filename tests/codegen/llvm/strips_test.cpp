// Kernels in strips: the interpreter's bits, whatever a strip holds.
#include "harness.h"

#include <lathe/codegen/memory_plan.h>
#include <lathe/codegen/strips.h>
#include <lathe/ops/conv.h>
#include <lathe/ops/gradients.h>
#include <lathe/ops/math.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/pool.h>
#include <lathe/ops/random.h>
#include <lathe/ops/reduce.h>
#include <lathe/ops/reshape.h>
#include <lathe/ops/softmax.h>
#include <lathe/ops/source.h>

#include "../../support/run_graph.h"

using namespace lathe;
using namespace lathe::test;

namespace {

Value images(Graph& graph, std::int64_t channels) {
  return placeholder(graph, "images", f32, {dim("n"), 32, 32, channels});
}

Value weights(Graph& graph, const std::string& name, const Shape& shape) {
  return placeholder(graph, name, f32, shape);
}

/// The program of these outputs, and that a run of kernels has strips at some of the sizes and none at others.
Program program_in_strips(Graph& graph, const Values& outputs, const std::vector<std::vector<std::int64_t>>& sizes) {
  set_outputs(graph, outputs);
  Program program = program_of(graph);
  for (const InstructionSet set : available_sets()) {
    CAPTURE(to_string(set));
    std::size_t with = 0;
    std::size_t without = 0;
    for (const std::vector<std::int64_t>& size : sizes) {
      Bindings bindings;
      for (std::size_t i = 0; i < size.size(); ++i) bindings.bind(program.symbols[i], size[i]);
      for (const StripGroup& group : program.strips) {
        for (const StripRun& run : plan_strips(program, group, machine_model(set)).runs) {
          ++(pays(run, bindings) ? with : without);
        }
      }
    }
    CHECK(with > 0);
    CHECK(without > 0);
  }
  return program;
}

const std::vector<std::vector<std::int64_t>> batches = {{0}, {1}, {7}, {17}, {33}};

}  // namespace

TEST_CASE("a convolution and the pooling after it") {
  Graph g;
  const Value y = relu(conv2d(images(g, 1), weights(g, "w", {3, 3, 1, 17}), {.padding = Padding::same}));
  check_against_interpreter(program_in_strips(g, {max_pool2d(y, 2)}, batches), {.symbols = batches, .portable = false});
}

TEST_CASE("what lies between strips' kernels is all there where somebody else wants it") {
  Graph g;
  const Value y = relu(conv2d(images(g, 1), weights(g, "w", {3, 3, 1, 17})));
  const Value pooled = max_pool2d(y, 3);
  check_against_interpreter(program_in_strips(g, {pooled, y, mean(y, {0}), sum(pooled)}, batches),
                            {.symbols = batches, .portable = false});
}

TEST_CASE("groups of channels and panels of columns, which go around the images") {
  Graph g;
  const Value grouped = conv2d(images(g, 4), weights(g, "w", {3, 3, 1, 12}), {.groups = 4});
  const Value wide = relu(conv2d(max_pool2d(relu(grouped), 2), weights(g, "v", {1, 2, 12, 70})));
  check_against_interpreter(program_in_strips(g, {avg_pool2d(wide, 3)}, batches),
                            {.symbols = batches, .portable = false});
}

TEST_CASE("a chain of layers and its gradients") {
  Graph g;
  const Value x = images(g, 2);
  Values sources = {x};
  Value y = x;
  for (int layer = 0; layer < 2; ++layer) {
    sources.push_back(weights(g, fmt::format("w{}", layer), {3, 3, 2, 2}));
    y = y + tanh(max_pool2d(conv2d(y, sources.back(), {.padding = Padding::same}), 3,
                            {.strides = 1, .padding = Padding::same}));
  }
  check_against_interpreter(program_in_strips(g, gradients({sum(square(y))}, sources), {{1}, {40}}),
                            {.symbols = {{1}, {40}}, .portable = false});
}

TEST_CASE("tensors that take turns at one place") {
  Builder b;
  const Dim n = dim("n");
  std::vector<loop::TensorId> tensors = {b.input(f32, {n, 64, 64})};
  for (int kernel = 0; kernel < 4; ++kernel) {
    tensors.push_back(b.tensor(kernel < 3 ? Role::arena : Role::output, f32, {n, 64, 64}));
    const Index image = b.outer(n, "image");
    const Index i = b.outer(64, "i");
    const Index j = b.outer(64, "j");
    b.stage().yield(b.load(tensors[tensors.size() - 2], {image, j, i}) + 1.0, tensors.back(), {image, i, j});
    b.finish_kernel();
  }
  find_strips(b.program);
  plan_memory(b.program);
  REQUIRE(b.program.strips.size() == 1);
  CHECK(share_memory(b.program.tensor(tensors[1]), b.program.tensor(tensors[3])));
  CHECK(!share_memory(b.program.tensor(tensors[1]), b.program.tensor(tensors[2])));
  check_against_interpreter(b.program, {.symbols = {{3}, {50}}});
}

TEST_CASE("batches of two axes") {
  Graph g;
  Values operands;
  for (const char* name : {"q", "k", "v"}) operands.push_back(placeholder(g, name, f32, {dim("n"), 3, 40, 24}));
  const Value y = matmul(softmax(matmul(operands[0], operands[1], {.transpose_b = true})), operands[2]);
  const std::vector<std::vector<std::int64_t>> sizes = {{0}, {2}, {81}};
  check_against_interpreter(program_in_strips(g, gradients({sum(square(y))}, operands), sizes),
                            {.symbols = sizes, .portable = false});
}

TEST_CASE("items of more than an image") {
  Graph g;
  const Value pooled = max_pool2d(relu(conv2d(images(g, 1), weights(g, "w", {3, 3, 1, 16}))), 3, {.strides = 2});
  check_against_interpreter(program_in_strips(g, {dropout(pooled, 0.25)}, batches),
                            {.symbols = batches, .portable = false});
}

TEST_CASE("what only a strip needs takes the memory of one strip") {
  Graph g;
  const Value y = relu(conv2d(images(g, 1), weights(g, "w", {3, 3, 1, 16}), {.padding = Padding::same}));
  set_outputs(g, {max_pool2d(y, 2)});
  const Program program = program_of(g);
  REQUIRE(program.strips.size() == 1);
  const StripGroup::Link link = program.strips.front().links.front();
  REQUIRE(link.is_private);
  const auto executable = compile(program);
  Memory memory(program, {40}, Fill::numbers, 3);
  abi::Arguments arguments = memory.arguments();
  REQUIRE(executable->entry()(&arguments) == 0);
  const StripPlan plan = plan_strips(program, program.strips.front(), machine_model(executable->instruction_set()));
  const std::int64_t offset = program.tensor(link.tensor).arena_offset_bytes.constant();
  const std::byte* first = memory.arena.front().data() + offset;
  const std::byte* second = first + plan.runs.front().points * link.point_bytes;
  const std::byte* end = first + 40 * link.point_bytes;
  const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
  CHECK(!std::all_of(first, second, is_zero));
  CHECK(std::all_of(second, end, is_zero));
}
