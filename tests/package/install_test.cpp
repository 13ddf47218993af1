#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "../support/installation.h"
#include "../support/shell.h"
#include "../support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using lathe::test::Installation;
using lathe::test::quoted;
using lathe::test::shell;
using lathe::test::slurp;

constexpr std::string_view hello_graph_output = "3.000 a + 2.000 b + 1.000\n";

fs::path header_folder(const Installation& installation) {
  return installation.file("lathe.h").parent_path();
}

std::vector<fs::path> installed_headers(const Installation& installation) {
  const fs::path folder = header_folder(installation);
  std::vector<fs::path> headers;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) headers.push_back(fs::relative(entry.path(), folder.parent_path()));
  }
  std::sort(headers.begin(), headers.end());
  return headers;
}

std::string with_pkg_config(const Installation& installation) {
  return "PKG_CONFIG_PATH=" + quoted(installation.file("lathe.pc").parent_path()) + " pkg-config ";
}

}  // namespace

TEST_CASE("a project outside the tree finds the installed package with CMake, and its program runs") {
  const Installation installation;
  const fs::path source = installation.copy("tests/package/consumer");
  fs::copy(fs::path(LATHE_SOURCE_DIR) / "examples/hello_graph.cpp", source);
  const fs::path build = source / "build";
  shell(installation.configure(source, build));
  shell(quoted(LATHE_CMAKE) + " --build " + quoted(build));
  CHECK(shell(quoted(build / "hello_graph")) == hello_graph_output);
  const std::string libraries = shell("ldd " + quoted(build / "hello_graph"));
  CAPTURE(libraries);
  CHECK(libraries.find(installation.prefix().string()) != std::string::npos);
  CHECK(libraries.find(LATHE_BINARY_DIR) == std::string::npos);
}

TEST_CASE(
    "a project outside the tree compiles graphs ahead of time with the installed package, and trains in plain C") {
  const Installation installation;
  const fs::path source = installation.copy("examples/aot");
  const fs::path build = source / "build";
  shell(installation.configure(source, build));
  shell(quoted(LATHE_CMAKE) + " --build " + quoted(build));
  const std::string trained = shell(quoted(build / "train") + " --epochs 1 --examples 6400");
  CAPTURE(trained);
  CHECK(trained.find("Test loss: 0.") != std::string::npos);
  const std::string predicted = shell(quoted(build / "predict"));
  CAPTURE(predicted);
  CHECK(predicted.find("of 10000 test images are told right") != std::string::npos);
  const std::string libraries = shell("ldd " + quoted(build / "train"));
  CAPTURE(libraries);
  CHECK(libraries.find("lathe") == std::string::npos);
  CHECK(libraries.find("stdc++") == std::string::npos);
}

TEST_CASE("the version that the package has suits requests of the same minor version only") {
  const Installation installation;
  const std::string version_file = quoted(installation.file("latheConfigVersion.cmake"));
  const fs::path script = installation.prefix() / "suits.cmake";
  std::ofstream(script) << "set(CMAKE_SIZEOF_VOID_P 8)\nset(PACKAGE_FIND_VERSION ${wanted})\n"
                           "string(REPLACE . \";\" parts ${wanted})\nlist(GET parts 0 PACKAGE_FIND_VERSION_MAJOR)\n"
                           "list(GET parts 1 PACKAGE_FIND_VERSION_MINOR)\ninclude(${file})\n"
                           "message(STATUS \"${PACKAGE_VERSION_COMPATIBLE}\")\n";
  const auto suits = [&](const std::string& wanted) {
    return shell(quoted(LATHE_CMAKE) + " -D wanted=" + wanted + " -D file=" + version_file + " -P " + quoted(script));
  };
  CHECK(suits("0.1") == "-- TRUE\n");
  CHECK(suits("0.0") == "-- FALSE\n");
  CHECK(suits("0.2") == "-- FALSE\n");
  CHECK(suits("1.1") == "-- FALSE\n");
}

TEST_CASE("the default compiler and pkg-config are enough to build a program that runs") {
  const Installation installation;
  const fs::path program = installation.prefix() / "hello_graph";
  const std::string source = quoted(fs::path(LATHE_SOURCE_DIR) / "examples/hello_graph.cpp");
  // The source is read from elsewhere, so that the compiler does not look for headers beside it.
  shell("c++ -std=c++20 -x c++ - -o " + quoted(program) + " $(" + with_pkg_config(installation) +
        "--cflags --libs lathe) < " + source);
  const fs::path libraries = installation.file("liblathe.so").parent_path();
  CHECK(shell("LD_LIBRARY_PATH=" + quoted(libraries) + " " + quoted(program)) == hello_graph_output);
}

TEST_CASE("installed headers compile without warnings and without Boost or LLVM; none belongs to the LLVM part") {
  const Installation installation;
  const std::vector<fs::path> headers = installed_headers(installation);
  CHECK(headers.size() > 50);
  std::string includes;
  for (const fs::path& header : headers) {
    CAPTURE(header.string());
    includes += "#include <" + header.generic_string() + ">\n";
    CHECK(header.generic_string().find("codegen/llvm") == std::string::npos);
    const std::string text = slurp(header_folder(installation).parent_path() / header);
    for (const char* private_library : {"#include <boost/", "#include <llvm", "#include <zlib"}) {
      CHECK(text.find(private_library) == std::string::npos);
    }
  }
  const fs::path all = installation.prefix() / "every_header.cpp";
  std::ofstream(all) << includes;
  shell("c++ -std=c++20 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $(" + with_pkg_config(installation) +
        "--cflags lathe) " + quoted(all));
}

TEST_CASE("nothing installed names a folder of the build") {
  const Installation installation;
  for (const fs::path& file : installation.files()) {
    CAPTURE(file.string());
    const std::string content = slurp(file);
    CHECK(content.find(LATHE_SOURCE_DIR) == std::string::npos);
    CHECK(content.find(LATHE_BINARY_DIR) == std::string::npos);
  }
}

TEST_CASE("installed libraries look for each other where they lie, and have a version in their names") {
  const Installation installation;
  std::size_t libraries = 0;
  for (const fs::path& file : installation.files()) {
    if (fs::is_symlink(file) || file.filename().string().find(".so") == std::string::npos) continue;
    ++libraries;
    CAPTURE(file.string());
    const std::string dynamic = shell("LC_ALL=C readelf --dynamic --wide " + quoted(file));
    CAPTURE(dynamic);
    CHECK(dynamic.find("Library runpath: [$ORIGIN]") != std::string::npos);
    CHECK(dynamic.find("(RPATH)") == std::string::npos);
    CHECK(dynamic.find("soname: [" + file.stem().stem().string()) != std::string::npos);
    CHECK(file.extension() != ".so");
  }
  CHECK(libraries >= 1);
}
