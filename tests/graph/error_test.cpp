#include <lathe/graph/error.h>

#include <string>

#include <doctest/doctest.h>

#include <lathe/graph/source_line.h>

using namespace lathe;

TEST_CASE("a user's faults are all Errors, and our own never are") {
  CHECK_THROWS_AS(throw GraphError("g"), Error);
  CHECK_THROWS_AS(throw CompileError("c"), Error);
  CHECK_THROWS_AS(throw RunError("r"), Error);
  CHECK_THROWS_AS(throw DataError("d"), Error);
  CHECK_THROWS_AS(ensure(false, "why"), std::logic_error);
}

TEST_CASE("ensure says where it stands and why it failed") {
  const auto here = std::source_location::current();
  const std::string expected = "Lathe is at fault (error_test.cpp:" + std::to_string(here.line() + 3) + "): two is one";
  try {
    ensure(false, "two is one");
    FAIL("ensure let a false condition pass");
  } catch (const std::logic_error& error) {
    CHECK(error.what() == expected);
  }
  CHECK_NOTHROW(ensure(true, "one is one"));
}
