#include <lathe/runtime/digest.h>

#include <array>
#include <set>
#include <string>

#include <doctest/doctest.h>

using namespace lathe;

TEST_CASE("every bit of contents of any length counts, and so does the length") {
  std::set<Digest> seen;
  std::size_t made = 0;
  for (std::size_t length = 0; length <= 40; ++length) {
    std::string text(length, '\0');
    seen.insert(digest(text));
    ++made;
    for (std::size_t bit = 0; bit < 8 * length; ++bit) {
      text[bit / 8] = static_cast<char>(1 << bit % 8);
      seen.insert(digest(text));
      text[bit / 8] = 0;
      ++made;
    }
  }
  CHECK(seen.size() == made);
}

TEST_CASE("a sequence's digest depends on where its parts end") {
  CHECK(digest("b", digest("a")) != digest("ab"));
  CHECK(digest("bc", digest("a")) != digest("c", digest("ab")));
  CHECK(digest("", digest("a")) != digest("a"));
}

TEST_CASE("a digest prints as 32 digits") {
  CHECK(to_string(Digest{0xabc, 1}) == "00000000000000010000000000000abc");
}
