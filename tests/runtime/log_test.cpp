#include <lathe/runtime/log.h>

#include <cstdlib>

#include <doctest/doctest.h>

using namespace lathe;

TEST_CASE("LATHE_LOG is a list of topics") {
  unsetenv("LATHE_LOG");
  CHECK_FALSE(is_logged("cache"));
  for (const char* list : {"cache", "cache,", ",cache", "passes,cache", "cache,passes"}) {
    setenv("LATHE_LOG", list, 1);
    CHECK(is_logged("cache"));
  }
  for (const char* list : {"", ",", "cach", "caches", "passes", "cache passes"}) {
    setenv("LATHE_LOG", list, 1);
    CHECK_FALSE(is_logged("cache"));
  }
  unsetenv("LATHE_LOG");
}
