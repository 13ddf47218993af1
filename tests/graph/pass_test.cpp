#include <lathe/graph/pass.h>

#include <cstdlib>

#include <doctest/doctest.h>

#include <lathe/graph/passes/dead_code.h>
#include <lathe/graph/text.h>

#include "../support/temporary_folder.h"
#include "test_ops.h"

using namespace lathe;

namespace {

/// An input that is delivered and one that is not.
Graph half_dead() {
  Graph g;
  const Value x = test::input(g, "x", {});
  test::input(g, "dead", {});
  test::deliver(g, {x});
  return g;
}

Graph unchanged(const Graph& graph) {
  return graph;
}

Graph broken(const Graph& graph) {
  Graph out = graph;
  test::open(out, NodeId{0}).outputs[0].dtype = f64;
  return out;
}

}  // namespace

TEST_CASE("passes run in order, and a report says what each did") {
  const std::vector<Pass> passes{{"nothing", unchanged}, {"dead_code", eliminate_dead_code}};
  const auto [graph, reports] = run_passes(half_dead(), passes);
  CHECK(graph.size() == 1);
  REQUIRE(reports.size() == 2);
  CHECK(reports[0].name == "nothing");
  CHECK_FALSE(reports[0].changed);
  CHECK(reports[1].changed);
  CHECK(reports[1].nodes_before == 2);
  CHECK(reports[1].nodes_after == 1);
  CHECK(reports[1].time.count() > 0);
  CHECK(to_string(reports).starts_with("nothing                       2 -> 2      nodes  "));
}

TEST_CASE("passes can be skipped by name") {
  const std::vector<Pass> passes{{"dead_code", eliminate_dead_code}, {"cse", unchanged}};
  const auto [graph, reports] = run_passes(half_dead(), passes, {.disable = {"fuse", "dead_code"}});
  CHECK(graph.size() == 2);
  CHECK(reports[0].skipped);
  CHECK_FALSE(reports[1].skipped);
  CHECK(to_string(reports).find("skipped") != std::string::npos);
}

TEST_CASE("a pass that breaks the graph is named, unless verification is off") {
  const std::vector<Pass> passes{{"nothing", unchanged}, {"breaker", broken}};
  try {
    run_passes(half_dead(), passes);
    FAIL("a broken graph passed");
  } catch (const std::logic_error& error) {
    CHECK(std::string(error.what()).starts_with("after pass 'breaker': "));
  }
  CHECK_NOTHROW(run_passes(half_dead(), passes, {.verify = false}));
}

TEST_CASE("graphs are dumped before the first and after each pass") {
  const test::TemporaryFolder folder;
  const std::vector<Pass> passes{{"dead_code", eliminate_dead_code}, {"skipped", unchanged}};
  const auto dump = folder.path() / "made" / "here";
  run_passes(half_dead(), passes, {.disable = {"skipped"}, .dump = dump});
  CHECK(test::slurp(dump / "00-input.txt") == to_text(half_dead()));
  CHECK(test::slurp(dump / "01-dead_code.txt") == to_text(eliminate_dead_code(half_dead())));
  CHECK(test::slurp(dump / "01-dead_code.dot").starts_with("digraph"));
  CHECK_FALSE(std::filesystem::exists(dump / "02-skipped.txt"));
}

TEST_CASE("a folder that cannot be written to is an error that names it") {
  const test::TemporaryFolder folder;
  const auto in_the_way = folder.write("file", "not a folder");
  CHECK_THROWS_AS(run_passes(half_dead(), {}, {.dump = in_the_way}), DataError);
}

TEST_CASE("options come from the environment") {
  ::setenv("LATHE_DUMP", "/some/where", 1);
  ::setenv("LATHE_DISABLE", "cse,,fuse", 1);
  const auto options = PassOptions::from_environment();
  CHECK(options.dump == "/some/where");
  CHECK(options.disable == std::vector<std::string>{"cse", "fuse"});
  CHECK_FALSE(options.enabled("fuse"));
  CHECK(options.enabled("dead_code"));
  ::unsetenv("LATHE_DUMP");
  ::unsetenv("LATHE_DISABLE");
  CHECK(PassOptions::from_environment().dump.empty());
  CHECK(PassOptions::from_environment().enabled("cse"));
}
