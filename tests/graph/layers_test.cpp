#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace {

namespace fs = std::filesystem;

/// Each layer may include itself and those before it.
constexpr std::array<std::string_view, 5> layers{"graph", "codegen", "ops", "runtime", "examples"};

std::optional<std::size_t> layer_of(const fs::path& relative) {
  const auto found = std::find(layers.begin(), layers.end(), relative.begin()->string());
  return found == layers.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - layers.begin()));
}

struct Include {
  std::string path;
  bool quoted;
};

/// What `line` includes, if anything.
std::optional<Include> include_of(std::string_view line) {
  constexpr std::string_view directive = "#include ";
  if (!line.starts_with(directive) || line.size() < directive.size() + 2) return std::nullopt;
  line.remove_prefix(directive.size());
  const bool quoted = line[0] == '"';
  const std::size_t end = line.find(quoted ? '"' : '>', 1);
  return Include{std::string(line.substr(1, end - 1)), quoted};
}

/// Why a file may not include this, if it may not. `file`: relative to the root of the tree.
std::optional<std::string> fault_of(const fs::path& file, const Include& include) {
  const std::string prefix = file.generic_string() + " includes " + include.path;
  const bool is_llvm = include.path.starts_with("llvm/") || include.path.starts_with("llvm-c/");
  if (is_llvm && !file.generic_string().starts_with("codegen/llvm/")) return prefix + " outside codegen/llvm";

  fs::path included = include.path;
  if (include.quoted) {
    included = (file.parent_path() / include.path).lexically_normal();
  } else if (include.path.starts_with("lathe/")) {
    included = include.path.substr(std::string_view("lathe/").size());
  } else {
    return std::nullopt;
  }
  const auto from = layer_of(file);
  // lathe.h gathers the public API, for programs.
  if (included == "lathe.h") return layers[*from] == "examples" ? std::nullopt : std::optional(prefix);
  const auto to = layer_of(included);
  if (!to) return prefix + ", which is in no layer";
  if (*to > *from) return prefix + ", which is in a later layer";
  return std::nullopt;
}

}  // namespace

TEST_CASE("no source includes a later layer, and LLVM stays in codegen/llvm") {
  const fs::path root = LATHE_SOURCE_DIR;
  std::size_t files = 0;
  std::size_t includes = 0;
  for (const std::string_view layer : layers) {
    for (const auto& entry : fs::recursive_directory_iterator(root / layer)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      ++files;
      std::ifstream source(entry.path());
      for (std::string line; std::getline(source, line);) {
        const auto include = include_of(line);
        if (!include) continue;
        ++includes;
        const auto fault = fault_of(fs::relative(entry.path(), root), *include);
        CHECK_MESSAGE(!fault, fault.value_or(""));
      }
    }
  }
  CHECK(files > 20);
  CHECK(includes > files);
}

TEST_CASE("the check itself sees what it is for") {
  const auto fault = [](const char* file, std::string_view line) {
    const auto include = include_of(line);
    REQUIRE(include);
    return fault_of(file, *include).has_value();
  };
  CHECK_FALSE(fault("ops/math.cpp", "#include <lathe/graph/graph.h>"));
  CHECK_FALSE(fault("ops/math.cpp", "#include <lathe/ops/rules.h>"));
  CHECK_FALSE(fault("ops/math.cpp", "#include <vector>"));
  CHECK_FALSE(fault("codegen/llvm/jit.cpp", "#include <llvm/IR/Module.h>"));
  CHECK_FALSE(fault("examples/hello.cpp", "#include <lathe/lathe.h>"));
  CHECK_FALSE(fault("examples/a.cpp", "#include \"support/b.h\""));
  CHECK(fault("graph/graph.cpp", "#include <lathe/ops/math.h>"));
  CHECK(fault("codegen/lower.cpp", "#include <lathe/runtime/session.h>"));
  CHECK(fault("codegen/lower.cpp", "#include \"../ops/math.h\""));
  CHECK(fault("codegen/lower.cpp", "#include <lathe/tests/support/golden.h>"));
  CHECK(fault("codegen/jit.h", "#include <llvm/IR/Module.h>"));
  CHECK(fault("runtime/session.cpp", "#include <llvm-c/Core.h>"));
  CHECK(fault("ops/math.cpp", "#include <lathe/lathe.h>"));
}
