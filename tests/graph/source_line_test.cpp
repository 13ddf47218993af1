#include <lathe/graph/source_line.h>

#include <doctest/doctest.h>

using namespace lathe;

TEST_CASE("a source line drops the folders, so that it prints the same wherever it was built") {
  CHECK(SourceLine("a/b/model.cpp", 41) == SourceLine("model.cpp", 41));
  CHECK(describe(SourceLine("/src/model.cpp", 41)) == "model.cpp:41");
  CHECK(SourceLine().line == 0);
}

TEST_CASE("a source line outlives the text it was read from") {
  SourceLine line;
  {
    const std::string text(100, 'x');
    line = SourceLine(text, 3);
  }
  CHECK(line.file == std::string(100, 'x'));
}

TEST_CASE("a source line is made by itself from the place of a call") {
  const SourceLine line = std::source_location::current();
  CHECK(line.file == "source_line_test.cpp");
  CHECK(line.line == __LINE__ - 2);
}
