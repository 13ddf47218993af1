#include "statistics.h"

#include <doctest/doctest.h>

using namespace lathe::bench;

TEST_CASE("a quantile is one of the numbers, whatever their order") {
  CHECK(quantile({5, 1, 4, 2, 3}, 0) == 1);
  CHECK(quantile({5, 1, 4, 2, 3}, 0.5) == 3);
  CHECK(quantile({5, 1, 4, 2, 3}, 1) == 5);
  CHECK(quantile({7}, 0.9) == 7);
}

TEST_CASE("one slow run does not move a median") {
  CHECK(median({1, 1, 1, 1, 100}) == 1);
}
