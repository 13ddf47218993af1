#include "golden.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <lathe/graph/text.h>
#include <lathe/graph/verify.h>

#include "temporary_folder.h"

namespace lathe::test {
namespace {

struct Case {
  std::string sentence;
  std::string before;
  std::string after;
};

std::vector<Case> parse_cases(std::string_view text) {
  std::vector<Case> cases;
  bool in_after = false;
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    if (line.starts_with("=== ")) {
      cases.push_back({std::string(line.substr(4)), "", ""});
      in_after = false;
    } else if (line == "---") {
      in_after = true;
    } else if (!line.empty()) {
      (in_after ? cases.at(cases.size() - 1).after : cases.at(cases.size() - 1).before) += std::string(line) + "\n";
    }
  }
  return cases;
}

void write_cases(const std::filesystem::path& path, const std::vector<Case>& cases) {
  std::ofstream file(path);
  for (const auto& [sentence, before, after] : cases) {
    file << (&sentence == &cases.front().sentence ? "" : "\n") << "=== " << sentence << "\n"
         << before << "---\n"
         << after;
  }
}

}  // namespace

void check_golden(std::string_view file, const std::function<Graph(const Graph&)>& pass) {
  const auto path = std::filesystem::path(LATHE_SOURCE_DIR) / "tests" / "golden" / file;
  std::vector<Case> cases = parse_cases(slurp(path));
  const bool update = std::getenv("LATHE_UPDATE_GOLDEN") != nullptr;
  REQUIRE_FALSE(cases.empty());
  for (auto& [sentence, before, after] : cases) {
    CAPTURE(sentence);
    const Graph made = pass(parse_text(before));
    CHECK_NOTHROW(verify(made));
    if (update) {
      after = to_text(made);
    } else {
      CHECK(to_text(made) == after);
    }
  }
  if (update) write_cases(path, cases);
}

}  // namespace lathe::test
