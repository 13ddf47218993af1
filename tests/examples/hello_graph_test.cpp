#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "../support/temporary_folder.h"

using lathe::test::slurp;

TEST_CASE("the README's example is examples/hello_graph.cpp, letter by letter") {
  const std::filesystem::path root = LATHE_SOURCE_DIR;
  const std::string block = "```cpp\n" + slurp(root / "examples/hello_graph.cpp") + "```\n";
  CHECK(slurp(root / "README.md").find(block) != std::string::npos);
}
