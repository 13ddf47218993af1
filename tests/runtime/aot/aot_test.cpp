// What is compiled ahead of time trains and infers as a session does, and says what is wrong as the header promises.
#include <atomic>
#include <cfenv>
#include <cmath>
#include <cstring>
#include <sstream>
#include <thread>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/lathe.h>

#include "../../support/aot_library.h"
#include "network.h"

using namespace lathe;
using namespace lathe::test;

namespace {

Trained train_ahead_of_time(const AotLibrary& library, const LatheCall& call = {}) {
  AotRunner runner(library);
  runner.call = call;
  runner.seed = 7;
  runner.run("init");
  Trained out;
  std::uint64_t seed = 0;
  for (const std::int64_t batch : batches) {
    runner.seed = seed;
    out.losses.push_back(
        runner.run("train_step", {{"x", pictures(batch, seed)}, {"labels", classes(batch, seed)}}).at("loss"));
    ++seed;
  }
  for (const LibraryVariable& variable : library.spec().variables) {
    out.variables.emplace(variable.name, runner.variable(variable.name));
  }
  return out;
}

void check_same(const Trained& actual, const Trained& expected) {
  CHECK(actual.losses == expected.losses);
  REQUIRE(actual.variables.size() == expected.variables.size());
  for (const auto& [name, value] : expected.variables) {
    CAPTURE(name);
    CHECK(actual.variables.at(name) == value);
  }
}

/// Two threads that claim pieces until none is left.
void on_two_threads(void*, abi::ChunkFunction chunk, const void* frame, std::int64_t items, std::int64_t grain) {
  std::atomic<std::int64_t> next = 0;
  const auto work = [&] {
    for (;;) {
      const std::int64_t begin = next.fetch_add(grain);
      if (begin >= items) return;
      chunk(frame, begin, std::min(begin + grain, items));
    }
  };
  std::thread other(work);
  work();
  other.join();
}

int shell(const std::string& command) {
  return std::system(command.c_str());
}

/// The bytes that an object's section takes.
int section_bytes(const std::filesystem::path& object, const std::string& section) {
  const std::filesystem::path listing = object.string() + ".txt";
  CHECK(shell(fmt::format("size -A -d '{}' > '{}'", object.string(), listing.string())) == 0);
  std::istringstream lines(slurp(listing));
  for (std::string name; lines >> name;) {
    if (name != section) continue;
    int bytes = 0;
    lines >> bytes;
    return bytes;
  }
  return 0;
}

}  // namespace

TEST_CASE("training ahead of time gives the session's bits, for every x86 target, alone or together") {
  Graph graph;
  const Network network(graph);
  const Trained expected = train_by_session(graph, network);
  for (const std::vector<aot::Target>& targets : runnable_targets()) {
    CAPTURE(to_string(targets.front()));
    CAPTURE(targets.size());
    const AotLibrary library(graph, network.functions(), {.name = "net", .targets = targets});
    check_same(train_ahead_of_time(library), expected);
    check_same(train_ahead_of_time(library, {.parallel_for = on_two_threads}), expected);
  }
}

TEST_CASE("an object needs nothing from anywhere, and two libraries live in one program") {
  Graph graph;
  const Network network(graph);
  const TemporaryFolder folder;
  for (const char* name : {"first", "second"}) {
    aot::compile(graph, network.functions(),
                 {.name = name, .targets = {aot::Target::x86_64_v3, aot::Target::x86_64_v4}})
        .write(folder.path());
  }
  const std::string undefined = (folder.path() / "undefined.txt").string();
  CHECK(shell(fmt::format("nm -u '{}' > '{}'", (folder.path() / "first.o").string(), undefined)) == 0);
  CHECK(slurp(undefined).empty());
  const std::string program = R"(
#include "first.h"
#include "second.h"
int main() {
  static float loss;
  return first_checksum() == FIRST_CHECKSUM && second_checksum() == SECOND_CHECKSUM && first_state_bytes() == FIRST_STATE_BYTES
      && FIRST_TRAIN_STEP_ARENA_BYTES(5) == first_train_step_arena_bytes(5) && first_train_step_arena_bytes(-1) == -1
      && first_train_step(0, 0, 0, &loss, 0, 1, 0, 0) == FIRST_NULL_POINTER ? 0 : 1;
}
)";
  folder.write("program.c", program);
  folder.write("program.cpp", program);
  const std::string in = fmt::format("cd '{}' && ", folder.path().string());
  const std::string strict = "-Wall -Wextra -Wpedantic -Werror";
  CHECK(shell(in + "cc -std=c11 " + strict + " program.c first.o second.a -o c_program && ./c_program") == 0);
  CHECK(shell(in + "c++ -std=c++11 " + strict + " program.cpp first.a second.o -o cpp_program && ./cpp_program") == 0);
}

TEST_CASE("functions of an object share their coefficients") {
  Graph graph;
  const Network network(graph);
  const TemporaryFolder folder;
  const auto coefficient_bytes = [&](const std::string& name, const std::vector<std::string>& functions) {
    std::vector<aot::Function> all;
    for (const std::string& function : functions) {
      all.push_back({.name = function,
                     .feeds = {network.x, network.labels},
                     .fetches = {{"loss", network.loss}, {"probabilities", network.probabilities}}});
    }
    aot::compile(graph, all, {.name = name, .targets = {aot::Target::x86_64_v4}}).write(folder.path());
    return section_bytes(folder.path() / (name + ".o"), ".data.rel.ro.lathe");
  };
  const int one = coefficient_bytes("one", {"evaluate"});
  CHECK(one > 0);
  CHECK(coefficient_bytes("two", {"evaluate", "judge"}) == one);
}

TEST_CASE("a check that fails says what, where and which, and leaves the state as it was") {
  Graph graph;
  const Network network(graph);
  const AotLibrary library(graph, network.functions(), {.name = "net"});
  AotRunner runner(library);
  runner.run("init");
  const Tensor before = runner.state;
  Tensor labels = classes(40, 1);
  labels.data<std::int32_t>()[33] = 11;
  labels.data<std::int32_t>()[17] = -3;
  std::string message = "nothing was thrown";
  try {
    runner.run("train_step", {{"x", pictures(40, 1)}, {"labels", labels}});
  } catch (const RunError& error) {
    message = error.what();
  }
  CAPTURE(message);
  CHECK(message.find("network.h:") != std::string::npos);
  CHECK(message.find("<value>") != std::string::npos);
  CHECK(runner.call.failed_index == 17);
  CHECK(runner.call.failed_value == -3);
  CHECK(runner.state == before);
}

TEST_CASE("arguments that make no sense are refused, each with its code, and change nothing") {
  Graph graph;
  const Network network(graph);
  const AotLibrary library(graph, network.functions(), {.name = "net"});
  AotRunner runner(library);
  runner.run("init");
  const Tensor before = runner.state;
  const Tensor x = pictures(2, 1);
  const Tensor labels = classes(2, 1);
  Tensor loss(f32, {2});
  Tensor arena(u8, {1 << 20});
  // state, x, labels, loss, seed, batch, arena, call
  const std::vector<Word> good = {to_word(TensorView(runner.state).data),
                                  to_word(TensorView(x).data),
                                  to_word(TensorView(labels).data),
                                  to_word(loss.bytes().data()),
                                  0,
                                  2,
                                  to_word(arena.bytes().data()),
                                  0};
  const auto code = [&](std::size_t place, Word with) {
    std::vector<Word> words = good;
    words.at(place) = with;
    return static_cast<LibraryError>(library.call("train_step", words));
  };
  for (const std::size_t pointer : {0, 1, 2, 3, 6}) {
    CAPTURE(pointer);
    CHECK(code(pointer, 0) == LibraryError::null_pointer);
  }
  CHECK(code(0, good[0] + 32) == LibraryError::misaligned);
  CHECK(code(2, good[2] + 2) == LibraryError::misaligned);
  CHECK(code(3, good[3] + 1) == LibraryError::misaligned);
  CHECK(code(6, good[6] + 8) == LibraryError::misaligned);
  for (const std::int64_t size :
       {std::int64_t{-1}, INT64_MIN, INT64_MAX, largest_size + 1, largest_size, std::int64_t{1} << 32 << 30}) {
    CAPTURE(size);
    CHECK(code(5, static_cast<Word>(size)) == LibraryError::bad_size);
  }
  CHECK(runner.state == before);
  CHECK(library.message(1) == message_of(LibraryError::null_pointer));
  CHECK(library.message(-1) == "unknown error");
  CHECK(library.message(1000) == "unknown error");
  // What needs only its elements' alignment gets no more here.
  CHECK(code(3, good[3] + 4) == LibraryError::none);
}

TEST_CASE("an extent that the sizes make negative is refused") {
  Graph graph;
  const Value x = placeholder(graph, "x", f32, {dim("n")});
  const Value shorter = slice_block(x, {3}, {dim("n") - 3});
  const AotLibrary library(graph, {{.name = "cut", .feeds = {x}, .fetches = {{"shorter", shorter}}}});
  const Tensor given = counted(8);
  Tensor out(f32, {8});
  Tensor arena(u8, {4096});
  const auto call = [&](std::int64_t n) {
    return static_cast<LibraryError>(library.call("cut", {to_word(TensorView(given).data), to_word(out.bytes().data()),
                                                          static_cast<Word>(n), to_word(arena.bytes().data()), 0}));
  };
  CHECK(call(2) == LibraryError::negative_extent);
  CHECK(call(3) == LibraryError::none);
  CHECK(call(8) == LibraryError::none);
  CHECK(out.at(4) == 7);
}

TEST_CASE("the host's mode of the floating-point unit changes no bit and is left as it was") {
  Graph graph;
  const Network network(graph);
  const AotLibrary library(graph, network.functions(), {.name = "net"});
  AotRunner runner(library);
  runner.run("init");
  const Tensor expected = runner.run("predict", {{"x", pictures(9, 1)}}).at("probabilities");
  std::fesetround(FE_TOWARDZERO);
  const Tensor actual = runner.run("predict", {{"x", pictures(9, 1)}}).at("probabilities");
  const int mode = std::fegetround();
  std::fesetround(FE_TONEAREST);
  CHECK(actual == expected);
  CHECK(mode == FE_TOWARDZERO);
}

TEST_CASE("variables go in and out in row-major order with every bit") {
  Graph graph;
  const Network network(graph);
  const AotLibrary library(graph, network.functions(), {.name = "net"});
  AotRunner runner(library);
  for (const LibraryVariable& variable : library.spec().variables) {
    CAPTURE(variable.name);
    Tensor value(variable.type.dtype, evaluate(variable.type.shape, {}));
    std::uint64_t index = 0;
    // Any bits: subnormal numbers and all kinds of NaN among them.
    for (std::byte& byte : value.bytes()) byte = static_cast<std::byte>(data::derive_seed(3, index++));
    runner.set_variable(variable.name, value);
    const Tensor back = runner.variable(variable.name);
    CHECK(std::memcmp(TensorView(back).data, TensorView(value).data, value.bytes().size()) == 0);
  }
}

TEST_CASE("embedded weights give the session's predictions without a state") {
  Graph graph;
  const Network network(graph);
  Session session(graph);
  session.initialize(3);
  const AotLibrary library(graph,
                           {{.name = "predict", .feeds = {network.x}, .fetches = {{"y", network.probabilities}}}},
                           {.name = "predictor", .weights = aot::weights_of(session)});
  CHECK(!library.spec().has_state());
  AotRunner runner(library);
  for (const std::int64_t batch : {0, 1, 7, 64}) {
    CAPTURE(batch);
    const Tensor x = pictures(batch, 5);
    CHECK(runner.run("predict", {{"x", x}}).at("y") == session.run(network.probabilities, {{network.x, x}}));
  }
  CHECK_THROWS_WITH_AS(aot::compile(graph, network.functions(), {.weights = aot::weights_of(session)}),
                       doctest::Contains("whose value is embedded"), CompileError);
  CHECK_THROWS_WITH_AS(aot::compile(graph, {}, {.weights = {{"dense/kernel", Tensor(f32, {1})}}}),
                       doctest::Contains("'dense/kernel', and the graph has no such variable"), CompileError);
  CHECK_THROWS_WITH_AS(
      aot::compile(graph, {{.name = "predict", .feeds = {network.x}, .fetches = {network.probabilities}}},
                   {.weights = {{"head/w", Tensor(f32, {1})}}}),
      doctest::Contains("is f32 [256, 10], not f32 [1]"), CompileError);
}

TEST_CASE("names and targets that cannot be are refused by name") {
  Graph graph;
  const Value x = placeholder(graph, "x", f32, {dim("n")});
  const Value y = x + 1;
  const aot::Function f = {.name = "f", .feeds = {x}, .fetches = {y}};
  const auto compile = [&](std::vector<aot::Function> functions, aot::Options options = {}) {
    aot::compile(graph, functions, options);
  };
  CHECK_THROWS_WITH_AS(compile({f}, {.name = "my model"}), doctest::Contains("called 'my model'"), CompileError);
  CHECK_THROWS_WITH_AS(compile({{.name = "int"}}), doctest::Contains("called 'int'"), CompileError);
  CHECK_THROWS_WITH_AS(compile({f, f}), doctest::Contains("already has a model_f"), CompileError);
  CHECK_THROWS_WITH_AS(compile({{.name = "message", .feeds = {x}, .fetches = {y}}}),
                       doctest::Contains("already has a model_message"), CompileError);
  CHECK_THROWS_WITH_AS(compile({{.name = "f", .feeds = {{"an x", x}}, .fetches = {y}}}),
                       doctest::Contains("called 'an x'"), CompileError);
  CHECK_THROWS_WITH_AS(compile({f}, {.targets = {}}), doctest::Contains("no target"), CompileError);
  CHECK_THROWS_WITH_AS(compile({f}, {.targets = {aot::Target::x86_64_v3, aot::Target::aarch64}}),
                       doctest::Contains("'aarch64' cannot share"), CompileError);
  CHECK_THROWS_WITH_AS(parse_aot_target("arm"),
                       "unknown target 'arm': it is one of native, x86-64-v3, x86-64-v4, aarch64", CompileError);
  CHECK_THROWS_WITH_AS(compile({{.name = "f", .fetches = {y}}}), doctest::Contains("is not fed"), RunError);
}

TEST_CASE("a generator writes all three files, or tells what is wrong") {
  Graph graph;
  const Network network(graph);
  const TemporaryFolder folder;
  const auto run = [&](std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "generator");
    return aot::generate(static_cast<int>(arguments.size()), arguments.data(), graph, network.functions());
  };
  const std::string output = (folder.path() / "made").string();
  CHECK(run({"--name", "net", "--target", "x86-64-v3,x86-64-v4", "--output", output.c_str()}) == 0);
  for (const char* file : {"net.o", "net.a", "net.h"}) CHECK(std::filesystem::exists(folder.path() / "made" / file));
  CHECK(run({"--help"}) == 0);
  CHECK(run({"--name"}) == 1);
  CHECK(run({"--size", "3"}) == 1);
  CHECK(run({"--target", "x86-64-v3,", "--output", output.c_str()}) == 1);
  CHECK(run({"--output", "/dev/null/folder"}) == 1);
}
