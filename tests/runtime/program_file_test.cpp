#include <lathe/runtime/program_file.h>

#include <cstring>
#include <string>

#include <doctest/doctest.h>

#include <lathe/graph/error.h>

using namespace lathe;

namespace {

constexpr Digest key{1, 2};

Code some_code() {
  Code code;
  for (int i = 0; i < 10'000; ++i) code.image.bytes.push_back(static_cast<std::byte>(i));
  code.image.code_bytes = 4096;
  code.image.entry = 64;
  code.instruction_set = InstructionSet::avx2;
  code.target = "znver5, avx2";
  return code;
}

/// What unpack() has against the contents; empty if nothing.
std::string fault(std::span<const std::byte> contents, const Digest& asked = key) {
  try {
    unpack(asked, contents);
    return {};
  } catch (const DataError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("code comes out of a file as it went in") {
  const Code code = some_code();
  const Code back = unpack(key, pack(key, code));
  CHECK(back.image == code.image);
  CHECK(back.instruction_set == code.instruction_set);
  CHECK(back.target == code.target);
}

TEST_CASE("a change of any byte is noticed: of the header, the code, the constants or the checksum") {
  const std::vector<std::byte> good = pack(key, some_code());
  CHECK(fault(good) == "");
  std::size_t unnoticed = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::vector<std::byte> bad = good;
    bad[at] ^= std::byte{0x10};
    if (fault(bad).empty()) ++unnoticed;
  }
  CHECK(unnoticed == 0);
}

TEST_CASE("contents that are cut short or too long are noticed at every length") {
  std::vector<std::byte> contents = pack(key, some_code());
  contents.push_back(std::byte{0});
  CHECK(fault(contents).find("bytes of code and data") != std::string::npos);
  contents.pop_back();
  CHECK(fault(contents) == "");
  std::size_t unnoticed = 0;
  while (!contents.empty()) {
    contents.pop_back();
    if (fault(contents).empty()) ++unnoticed;
  }
  CHECK(unnoticed == 0);
  CHECK(fault(contents) == "it has only 0 bytes");
}

TEST_CASE("the fault has a name") {
  const std::vector<std::byte> good = pack(key, some_code());
  const auto changed = [&](std::size_t at) {
    std::vector<std::byte> bad = good;
    bad[at] ^= std::byte{1};
    return fault(bad);
  };
  CHECK(changed(0) == "it is no program of Lathe's");
  CHECK(changed(8) == "its format has version 0, not 1");
  CHECK(changed(good.size() - 1) == "its checksum differs");
  CHECK(changed(good.size() / 2) == "its checksum differs");
  CHECK(fault(good, {3, 4}) == "its key is " + to_string(key));
}
