#include <lathe/graph/passes/dead_code.h>

#include <doctest/doctest.h>

#include <lathe/graph/text.h>

#include "../../support/golden.h"

using namespace lathe;

TEST_CASE("dead code is what no output depends on") {
  test::check_golden("dead_code.txt", eliminate_dead_code);
}

TEST_CASE("a graph without dead code stays as it is") {
  const Graph graph = parse_text(
      "%0 = placeholder() {dtype = f32, shape = [n]}\n"
      "%1 = neg(%0)\n"
      "output y = %1\n");
  CHECK(same_structure(eliminate_dead_code(graph), graph));
}
