#include <lathe/runtime/program_key.h>

#include <set>

#include <doctest/doctest.h>

#include <lathe/graph/text.h>

using namespace lathe;

namespace {

/// The key of a graph's text on the host, or on a CPU that differs from it in one word.
Digest key_of(std::string_view text, const SessionOptions& options = {}, InstructionSet set = InstructionSet::portable,
              std::optional<std::size_t> changed_word = std::nullopt) {
  const Graph graph = parse_text(text);
  Cpu cpu = host_cpu();
  if (changed_word) cpu.identity.at(*changed_word) ^= 1;
  const auto key = program_key(graph, options, set, cpu);
  REQUIRE(key.has_value());
  return *key;
}

constexpr std::string_view graph = R"(
%0 = placeholder() {dtype = f32, shape = [n, 3]}   # x  model.cpp:12
%1 = constant() {value = f32 [3] {1.0, 2.0, 3.0}}   # c  model.cpp:13
%2 = add(%0, %1)   # add  model.cpp:14
output y = %2
)";

std::string replaced(std::string_view what, std::string_view with) {
  std::string text(graph);
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

}  // namespace

TEST_CASE("the same graph has the same key, wherever its lines are in the user's program") {
  CHECK(key_of(graph) == key_of(graph));
  CHECK(key_of(graph) == key_of(replaced("model.cpp:14", "other.cpp:99")));
}

TEST_CASE("what a program does not depend on has no part in the key") {
  CHECK(key_of(graph) == key_of(graph, {.threads = 7, .profile = true, .seed = 3}));
  CHECK(key_of(graph, {.disable = {"cse", "simplify"}}) == key_of(graph, {.disable = {"simplify", "cse", "cse"}}));
}

TEST_CASE("all that a program depends on has a part in the key") {
  std::set<Digest> keys = {
      key_of(graph),
      key_of(replaced("add(", "mul(")),
      key_of(replaced("[n, 3]", "[m, 3]")),
      key_of(replaced("3.0}", "3.0000002}")),
      key_of(replaced("1.0,", "-1.0,")),
      key_of(replaced("{dtype = f32, shape = [n, 3]}", "{dtype = f32, shape = [7, 3]}")),
      key_of(graph, {.fuse = false}),
      key_of(graph, {.assert_all_finite = true}),
      key_of(graph, {.disable = {"cse"}}),
      key_of(graph, {.disable = {"simplify"}}),
      key_of(replaced("# x", "# other")),  // the names that feeds and variables are found by
      key_of(graph, {}, InstructionSet::avx2),
  };
  CHECK(keys.size() == 12);
}

TEST_CASE("every word that a CPU says of itself has a part in the key") {
  std::set<Digest> keys = {key_of(graph)};
  const std::size_t words = host_cpu().identity.size();
  for (std::size_t word = 0; word < words; ++word) keys.insert(key_of(graph, {}, InstructionSet::portable, word));
  CHECK(keys.size() == words + 1);
}
