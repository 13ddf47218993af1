// Kernels in strips: the interpreter's bits, whatever a strip holds.
#include "harness.h"

#include <atomic>
#include <thread>

#include <lathe/codegen/memory_plan.h>
#include <lathe/codegen/strip_plan.h>
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

/// Chunks on four threads, each taking the next one.
extern "C" void run_on_threads(void*, abi::ChunkFunction chunk, const void* frame, std::int64_t items,
                               std::int64_t grain) {
  std::atomic<std::int64_t> next = 0;
  const auto work = [&] {
    for (std::int64_t begin = next.fetch_add(grain); begin < items; begin = next.fetch_add(grain)) {
      chunk(frame, begin, std::min(begin + grain, items));
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
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

TEST_CASE("calls at the same time have places of their own for what only they need") {
  Graph g;
  const Value y = relu(conv2d(images(g, 1), weights(g, "w", {3, 3, 1, 16}), {.padding = Padding::same}));
  set_outputs(g, {max_pool2d(y, 2)});
  const Program program = program_of(g);
  REQUIRE(program.strips.size() == 1);
  REQUIRE(program.strips.front().links.front().is_private);
  const FlushDenormals flush;
  const auto executable = compile(program);
  const Memory initial(program, {67}, Fill::numbers, 3);
  Memory expected = initial;
  REQUIRE(loop::interpret(program, expected.arguments()) == 0);
  for (int run = 0; run < 20; ++run) {
    Memory actual = initial;
    abi::Arguments arguments = actual.arguments();
    arguments.parallel_for = run_on_threads;
    CHECK(executable->entry()(&arguments) == 0);
    CHECK(difference(expected.outputs, actual.outputs, program.outputs, program) == "");
    CHECK(actual.arena.front().intact());
  }
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
