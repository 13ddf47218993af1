// The network of examples/aot, trained for an epoch of Fashion-MNIST: by a session, by the C program, and by objects
// for every kind of CPU.
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/runtime/thread_pool.h>

#include "../../examples/aot/network.h"
#include "../support/aot_library.h"
#include "../support/shell.h"
#include "../support/temporary_folder.h"

using namespace lathe;
using namespace lathe::test;

namespace {

constexpr std::int64_t batch = 32;
constexpr std::int64_t steps = 60000 / batch;

const data::FashionMnist& fashion_mnist() {
  static const data::FashionMnist all = data::fashion_mnist();
  return all;
}

std::vector<std::int64_t> first_order() {
  std::vector<std::int64_t> order(60000);
  data::epoch_order(order, 0, 0);
  return order;
}

using Variables = std::map<std::string, Tensor>;

/// An epoch by a session; what all variables hold after it.
Variables trained_by_session() {
  Graph graph;
  const Network network(graph);
  Session session(graph);
  session.initialize(0);
  const std::vector<std::int64_t> order = first_order();
  const std::int64_t shape[] = {steps, batch};
  session.prepare({network.train}, {network.all_images, network.all_labels, network.rows})
      .run_steps(steps, {fashion_mnist().train_images,
                         fashion_mnist().train_labels,
                         {i64, shape, reinterpret_cast<const std::byte*>(order.data())}});
  Variables out;
  for (const std::string& name : session.variable_names()) out.emplace(name, session.variable(name));
  return out;
}

Variables trained_ahead_of_time(const AotLibrary& library, ThreadPool* pool) {
  AotRunner runner(library);
  runner.run("init");
  if (pool) runner.call = {.parallel_for = &ThreadPool::parallel_for, .context = pool};
  const LibraryFunction& step = library.function("train_step");
  Bindings sizes;
  sizes.bind(symbol("examples"), 60000);
  sizes.bind(symbol("batch"), batch);
  Tensor arena(u8, {step.arena_bytes.evaluate(sizes)});
  const std::vector<std::int64_t> order = first_order();
  for (std::int64_t i = 0; i < steps; ++i) {
    REQUIRE(library.call("train_step",
                         {to_word(runner.state.bytes().data()), to_word(fashion_mnist().train_images.bytes().data()),
                          to_word(fashion_mnist().train_labels.bytes().data()),
                          to_word(&order[static_cast<std::size_t>(i * batch)]), 60000, batch,
                          to_word(arena.bytes().data()), to_word(&runner.call)}) == 0);
  }
  Variables out;
  for (const LibraryVariable& variable : library.spec().variables) {
    out.emplace(variable.name, runner.variable(variable.name));
  }
  return out;
}

/// Where the programs of examples/aot are, unless this build leaves them out.
std::optional<std::filesystem::path> example_programs() {
  const std::filesystem::path folder = std::filesystem::path(LATHE_BINARY_DIR) / "examples/aot";
  if (std::filesystem::exists(folder / "train")) return folder;
  MESSAGE("left out: builds with sanitizers do not make these programs");
  return std::nullopt;
}

/// As train.c prints it.
std::string weights_hash(const Variables& variables) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char* name : {"b1", "b2", "w1", "w2"}) {
    const Tensor& tensor = variables.at(name);
    for (const std::byte byte : tensor.bytes()) hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3;
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace

TEST_CASE("an epoch ahead of time leaves the session's variables, for all x86 targets and with 1 or 2 threads") {
  const Variables expected = trained_by_session();
  Graph graph;
  const Network network(graph);
  const std::vector<aot::Function> functions = {aot::initialize("init"),
                                                {.name = "train_step",
                                                 .feeds = {network.all_images, network.all_labels, network.rows},
                                                 .fetches = {network.train}}};
  ThreadPool two(2);
  for (const std::vector<aot::Target>& targets : runnable_targets()) {
    CAPTURE(to_string(targets.front()));
    CAPTURE(targets.size());
    const AotLibrary library(graph, functions, {.targets = targets});
    CHECK(trained_ahead_of_time(library, nullptr) == expected);
    CHECK(trained_ahead_of_time(library, &two) == expected);
  }
}

TEST_CASE("the C programs are linked to nothing of Lathe's, and train.c leaves the session's weights") {
  const std::optional<std::filesystem::path> folder = example_programs();
  if (!folder) return;
  CHECK(shell("nm -u " + quoted(*folder / "fashion_mlp.o")).empty());
  const std::string libraries = shell("ldd " + quoted(*folder / "train"));
  CAPTURE(libraries);
  for (const char* library : {"lathe", "LLVM", "stdc++", "libm."}) CHECK(libraries.find(library) == std::string::npos);

  const std::string printed = shell(quoted(*folder / "train") + " --epochs 1");
  CAPTURE(printed);
  CHECK(printed.find("Weights hash: " + weights_hash(trained_by_session())) != std::string::npos);
  const std::string predicted = shell(quoted(*folder / "predict"));
  CAPTURE(predicted);
  int right = 0;
  const std::size_t line = predicted.rfind('\n', predicted.size() - 2) + 1;
  REQUIRE(std::sscanf(predicted.c_str() + line, "%d of 10000 test images are told right", &right) == 1);
  CHECK(right > 8000);

  CHECK(!run_shell(quoted(*folder / "train") + " --epochs many").succeeded);
  CHECK(!run_shell(quoted(*folder / "train") + " --data /nowhere").succeeded);
}

TEST_CASE("an object that trains, evaluates and predicts takes less than 64 KiB for an instruction set") {
  const std::optional<std::filesystem::path> folder = example_programs();
  if (!folder) return;
  for (const std::string target : {"x86-64-v3", "x86-64-v4", "aarch64"}) {
    CAPTURE(target);
    const TemporaryFolder made;
    shell(quoted(*folder / "fashion_mlp_generator") + " --target " + target + " --output " + quoted(made.path()));
    CHECK(std::filesystem::file_size(made.path() / "fashion_mlp.o") < 64 * 1024);
  }
}
