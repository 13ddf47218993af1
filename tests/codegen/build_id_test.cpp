#include <lathe/codegen/build_id.h>

#include <string>

#include <doctest/doctest.h>

#include <lathe/codegen/compiler.h>

#include "../support/temporary_folder.h"

using namespace lathe;
using namespace lathe::test;

TEST_CASE("both of Lathe's libraries have a build id, of 20 bytes and of their own") {
  const std::string own = loaded_build_id(reinterpret_cast<const void*>(&compiler_library));
  const std::string compiler = build_id(compiler_library());
  CHECK(own.size() == 40);
  CHECK(own.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(compiler.size() == 40);
  CHECK(own != compiler);
}

TEST_CASE("a library in memory and its file have the same build id") {
  CHECK(loaded_build_id(reinterpret_cast<const void*>(&compiler_library)) ==
        build_id(compiler_library().parent_path() / "liblathe.so"));
  CHECK(loaded_build_id(&compiler()) == build_id(compiler_library()));
}

TEST_CASE("what is no library has no build id") {
  const TemporaryFolder folder;
  const std::string library = slurp(compiler_library());
  CHECK(build_id(folder.path() / "missing") == "");
  CHECK(build_id(folder.path()) == "");
  CHECK(build_id(folder.write("text", "not a library")) == "");
  CHECK(build_id(folder.write("empty", "")) == "");
  CHECK(build_id(folder.write("whole", library)) != "");
  for (const std::size_t length : {10, 64, 100, 400}) {
    CHECK(build_id(folder.write("part", library.substr(0, length))) == "");
  }
  const int local = 0;
  CHECK(loaded_build_id(&local) == "");
}
