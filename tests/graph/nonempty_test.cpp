#include <lathe/graph/nonempty.h>

#include <doctest/doctest.h>

using namespace lathe;

TEST_CASE("a shape is known to have elements with another if no extent of its own could be 0") {
  const Dim n = dim("n");
  const Dim m = dim("m");
  CHECK(nonempty_with({n, 3}, {n}));
  CHECK(nonempty_with({n}, {n, 3}));
  CHECK(nonempty_with({n, 4}, {4 * n}));  // as many elements
  CHECK(nonempty_with({n}, {}));
  CHECK(nonempty_with({0}, {0}));
  CHECK_FALSE(nonempty_with({n}, {n, 0}));
  CHECK_FALSE(nonempty_with({}, {n}));
  CHECK_FALSE(nonempty_with({n}, {m}));
  CHECK_FALSE(nonempty_with({n}, {n, m}));
  CHECK_FALSE(nonempty_with({n}, {n + 1}));  // not known, though true
}
