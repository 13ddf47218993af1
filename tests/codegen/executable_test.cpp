#include <lathe/codegen/executable.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <lathe/codegen/loop/math.h>
#include <lathe/graph/error.h>

#include "llvm/harness.h"

using namespace lathe;
using namespace lathe::test;

namespace {

/// Twice its input, in a kernel an output.
Program doubled(int outputs = 1) {
  Builder b;
  const loop::TensorId x = b.input(f32, {dim("n")});
  for (int output = 0; output < outputs; ++output) {
    const loop::TensorId out = b.output(f32, {dim("n")});
    const Index i = b.outer(dim("n"), "i");
    b.stage().yield(b.load(x, {i}) * 2.0, out, {i});
    b.finish_kernel();
  }
  return b.program;
}

}  // namespace

TEST_CASE("an executable tells its program, its target and what each phase cost") {
  const auto executable = compile(doubled(), {.instruction_set = InstructionSet::portable});
  CHECK(executable->program().steps.size() == 1);
  CHECK(executable->target().find("portable") != std::string::npos);
  std::vector<std::string> names;
  for (const CompilePhase& phase : executable->phases()) {
    names.push_back(phase.name);
    CHECK(phase.milliseconds >= 0);
  }
  CHECK(names == std::vector<std::string>{"load LLVM", "emit", "optimise", "generate code", "link", "load"});
}

TEST_CASE("a program that was lowered elsewhere is lowered when someone asks for it, once") {
  const Code code = generate(doubled());
  std::size_t lowered = 0;
  const Executable executable(interface_of(doubled()), code, [&] {
    ++lowered;
    return doubled();
  });
  CHECK(static_cast<bool>(executable.entry()));
  CHECK(executable.interface().outputs.size() == 1);
  CHECK(lowered == 0);
  CHECK(executable.program().steps.size() == 1);
  CHECK(&executable.program() == &executable.program());
  CHECK(lowered == 1);
}

TEST_CASE("a dump holds the kernels, the module before and after optimisation, and assembly") {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "lathe_executable_test";
  std::filesystem::remove_all(folder);
  compile(doubled(), {.dump = folder / "program"});
  for (const char* name : {"kernels.txt", "module.ll", "module_optimised.ll", "module.s"}) {
    CHECK(std::filesystem::file_size(folder / "program" / name) > 0);
  }
  std::ifstream module(folder / "program" / "module.ll");
  const std::string text{std::istreambuf_iterator<char>(module), {}};
  CHECK(text.find("define i32 @lathe_program") != std::string::npos);
  std::filesystem::remove_all(folder);
}

TEST_CASE("kernels that do the same to other tensors are one function, whatever differs makes another") {
  // Each way four times: out = f(in), in f32 or f64; with a constant, with polynomials; in place or not. How many
  // elements there are is read from the frame.
  Builder b;
  const std::vector<std::function<loop::Expr(loop::Expr)>> functions = {
      [](loop::Expr x) { return x * 2.0; },
      [](loop::Expr x) { return x * 3.0; },
      [](loop::Expr x) { return loop::sin(x) + loop::erf(x); },
      [](loop::Expr x) { return loop::cos(x) + loop::erf(x); },
  };
  int ways = 0;
  for (const DType dtype : {f32, f64}) {
    for (const auto& function : functions) {
      for (const bool in_place : {false, true}) {
        ++ways;
        for (const char* size : {"n", "m", "n", "m"}) {
          const loop::TensorId in = in_place ? b.variable(dtype, {dim(size)}) : b.input(dtype, {dim(size)});
          const loop::TensorId out = in_place ? in : b.output(dtype, {dim(size)});
          const Index i = b.outer(dim(size), "i");
          b.stage().yield(function(b.load(in, {i})), out, {i});
          b.finish_kernel();
        }
      }
    }
  }
  check_against_interpreter(b.program, {.symbols = {{0, 5}, {40, 3}, {33, 64}}, .portable = false});

  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "lathe_unique_test";
  for (const int threads : {1, 3}) {
    std::filesystem::remove_all(folder);
    compile(b.program, {.threads = threads, .dump = folder});
    std::ifstream module(folder / "module.ll");
    const std::string text{std::istreambuf_iterator<char>(module), {}};
    int kernels = 0;
    for (std::size_t at = 0; (at = text.find("define hidden void @kernel", at)) != std::string::npos; ++at) ++kernels;
    CHECK(kernels == ways);
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("several threads generate the code of one program") {
  for (const int threads : {1, 2, 3, 7}) {
    const auto executable = compile(doubled(3), {.threads = threads});
    Memory expected(executable->program(), {1000}, Fill::numbers, 1);
    Memory actual(executable->program(), {1000}, Fill::numbers, 1);
    loop::interpret(executable->program(), expected.arguments());
    const abi::Arguments arguments = actual.arguments();
    CHECK(executable->entry()(&arguments) == 0);
    CHECK(difference(expected.outputs, actual.outputs, executable->program().outputs, executable->program()) == "");
  }
}

TEST_CASE("threads may compile at the same time, and run one executable with different arguments") {
  const auto shared = compile(doubled());
  std::vector<std::string> differences(4);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < differences.size(); ++t) {
      threads.emplace_back([&, t] {
        const auto own = compile(doubled());
        for (const auto& executable : {shared, own}) {
          const std::vector<std::int64_t> size = {static_cast<std::int64_t>(100 * t + 3)};
          Memory expected(executable->program(), size, Fill::numbers, static_cast<unsigned>(t));
          Memory actual(executable->program(), size, Fill::numbers, static_cast<unsigned>(t));
          loop::interpret(executable->program(), expected.arguments());
          const abi::Arguments arguments = actual.arguments();
          executable->entry()(&arguments);
          differences[t] +=
              difference(expected.outputs, actual.outputs, executable->program().outputs, executable->program());
        }
      });
    }
  }
  for (const std::string& found : differences) CHECK(found == "");
}

TEST_CASE("small work runs on the caller alone, large work is cut into chunks by shape") {
  const auto executable = compile(doubled());
  struct Calls {
    int count = 0;
    std::int64_t items = 0;
    std::int64_t grain = 0;
  } calls;
  const auto run = [&](std::int64_t size) {
    calls = {};
    Memory memory(executable->program(), {size}, Fill::numbers, 1);
    abi::Arguments arguments = memory.arguments();
    arguments.parallel_context = &calls;
    arguments.parallel_for = [](void* context, abi::ChunkFunction chunk, const void* frame, std::int64_t items,
                                std::int64_t grain) {
      *static_cast<Calls*>(context) = {1, items, grain};
      chunk(frame, 0, items);
    };
    executable->entry()(&arguments);
  };
  run(1000);
  CHECK(calls.count == 0);
  run(3'000'000);
  CHECK(calls.count == 1);
  CHECK(calls.items > 4 * calls.grain);
  CHECK(calls.grain > 1);
}
