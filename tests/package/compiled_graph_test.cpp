#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <stand_in_graph.h>

#include "../support/installation.h"
#include "../support/shell.h"
#include "../support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using lathe::test::Finished;
using lathe::test::Installation;
using lathe::test::is_installed;
using lathe::test::quoted;
using lathe::test::run_shell;
using lathe::test::shell;
using lathe::test::TemporaryFolder;

constexpr std::string_view use_c_output = "doubler for native: 42\ntwice for x86-64-v3,native: 8\n";
constexpr std::string_view use_cpp_output = "twice for x86-64-v3,native: 10\n";
/// What CMake thinks is another machine. It is this one, so that the programs can run.
constexpr std::string_view as_if_cross_compiling = "-G Ninja -D CMAKE_SYSTEM_NAME=Linux ";

std::string build_command(const fs::path& build, const std::string& arguments = "") {
  return quoted(LATHE_CMAKE) + " --build " + quoted(build) + " " + arguments;
}

/// CMake breaks the lines of a message; here they are one again.
std::string on_one_line(std::string_view text) {
  std::string line;
  for (const char character : text) {
    const bool is_space = character == ' ' || character == '\n';
    if (!is_space) {
      line += character;
    } else if (!line.ends_with(' ')) {
      line += ' ';
    }
  }
  return line;
}

/// What CMake says to `code` after `include(LatheCompiledGraph)`, which must fail.
std::string complaint(const std::string& code) {
  const TemporaryFolder folder;
  const fs::path module = fs::path(LATHE_SOURCE_DIR) / "cmake/LatheCompiledGraph.cmake";
  const fs::path script = folder.write("CMakeLists.cmake", "include(" + module.string() + ")\n" + code + "\n");
  const Finished finished = run_shell(quoted(LATHE_CMAKE) + " -P " + quoted(script));
  CHECK_FALSE(finished.succeeded);
  return on_one_line(finished.output);
}

}  // namespace

TEST_CASE("a graph is compiled and linked within Lathe's own build") {
  CHECK(stand_in_graph_run(6) == 12);
  CHECK(std::string_view(stand_in_graph_targets()) == "native");
}

TEST_CASE("graphs are compiled once and linked to C and C++; a generator that changes runs again") {
  const Installation installation;
  const fs::path source = installation.copy("tests/package/compiled_graph");
  const fs::path build = source / "build";
  shell(installation.configure(source, build));
  shell(build_command(build));
  CHECK(shell(quoted(build / "use/use_c")) == use_c_output);
  CHECK(shell(quoted(build / "use/use_cpp")) == use_cpp_output);
  CHECK(shell(build_command(build)).find("no work to do") != std::string::npos);

  // Everything between the source and the program follows.
  shell("sed -i 's/return x [*]/return 100 + x */' " + quoted(source / "generator.cpp"));
  shell(build_command(build, "--target use_c"));
  CHECK(shell(quoted(build / "use/use_c")) == "doubler for native: 142\ntwice for x86-64-v3,native: 108\n");
}

TEST_CASE("every kind of build compiles graphs, also with several configurations in one folder") {
  const Installation installation;
  const fs::path source = installation.copy("tests/package/compiled_graph");
  if (is_installed("make")) {
    const fs::path build = source / "make";
    shell(installation.configure(source, build, "-G 'Unix Makefiles'"));
    shell(build_command(build, "--parallel 2"));
    CHECK(shell(quoted(build / "use/use_c")) == use_c_output);
    CHECK(shell(quoted(build / "use/use_cpp")) == use_cpp_output);
  }

  const fs::path build = source / "multi";
  shell(installation.configure(source, build, "-G 'Ninja Multi-Config'"));
  for (const std::string configuration : {"Debug", "Release"}) {
    CAPTURE(configuration);
    shell(build_command(build, "--config " + configuration));
    CHECK(shell(quoted(build / "use" / configuration / "use_c")) == use_c_output);
    CHECK(shell(quoted(build / "use" / configuration / "use_cpp")) == use_cpp_output);
    CHECK(fs::exists(build / configuration / "doubler.o"));
  }
}

TEST_CASE("a generator that exists is used as it is: in a project without C++, and when cross-compiling") {
  const Installation installation;
  const fs::path generator = fs::path(LATHE_BINARY_DIR) / "tests/stand_in_graph_generator";
  const fs::path source = installation.copy("tests/package/prebuilt_graph");

  shell(installation.configure(source, source / "build", "-G Ninja -D generator=" + quoted(generator)));
  shell(build_command(source / "build"));
  CHECK(shell(quoted(source / "build/use")) == "prebuilt for x86-64-v3: 10\n");

  // The cache variable goes before the argument.
  shell(installation.configure(
      source, source / "cross",
      std::string(as_if_cross_compiling) + "-D generator=/nowhere -D LATHE_GENERATOR_prebuilt=" + quoted(generator)));
  shell(build_command(source / "cross"));
  CHECK(shell(quoted(source / "cross/use")) == "prebuilt for x86-64-v3: 10\n");
}

TEST_CASE("when cross-compiling, a generator to be built is an error that says what to do") {
  const std::string cross = "set(CMAKE_CROSSCOMPILING ON)\n";
  CHECK(complaint(cross + "lathe_add_compiled_graph(model SOURCE a.cpp TARGETS aarch64)")
            .find("lathe_add_compiled_graph(model): cross-compiling: this machine cannot run the generator that SOURCE "
                  "builds; build it natively and set LATHE_GENERATOR_model to that program") != std::string::npos);
  for (const std::string targets : {"", "TARGETS aarch64 native"}) {
    CHECK(complaint(cross + "lathe_add_compiled_graph(model SOURCE a.cpp " + targets + ")")
              .find("cross-compiling: give TARGETS without native") != std::string::npos);
  }
}

TEST_CASE("bad arguments are errors that name the call and the argument") {
  struct Bad {
    std::string arguments, expected;
  };
  const std::array<Bad, 12> cases{{
      {"", "give SOURCE, the files that describe the graph, or GENERATOR"},
      {"model.cpp", "unknown arguments: model.cpp"},
      {"SOURCE", "nothing follows SOURCE"},
      {"SOURCE a.cpp TARGETS", "nothing follows TARGETS"},
      {"SOURCE a.cpp NAME", "nothing follows NAME"},
      {"SOURCE a.cpp GENERATOR b", "SOURCE builds a generator and GENERATOR names one; give one of the two"},
      {"SOURCE a.cpp NAME two words", "unknown arguments: words"},
      {"SOURCE a.cpp NAME 3d", "'3d' is no C identifier"},
      {"SOURCE a.cpp NAME a-b", "'a-b' is no C identifier"},
      {"SOURCE a.cpp TARGETS native,x86-64-v3", "TARGETS has 'native,x86-64-v3', which is no CPU"},
      {"GENERATOR ./nowhere", "GENERATOR: there is no target and no program ./nowhere"},
      {"GENERATOR ./nowhere LINK m", "LINK is for the generator that SOURCE builds"},
  }};
  for (const Bad& bad : cases) {
    const std::string said = complaint("lathe_add_compiled_graph(model " + bad.arguments + ")");
    CAPTURE(said);
    CHECK(said.find("lathe_add_compiled_graph(model): " + bad.expected) != std::string::npos);
  }
  CHECK(complaint("lathe_add_compiled_graph(my-model SOURCE a.cpp)").find("'my-model' is no C identifier") !=
        std::string::npos);
  CHECK(complaint("lathe_add_compiled_graph()").find("lathe_add_compiled_graph") != std::string::npos);
}
