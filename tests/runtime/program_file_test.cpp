#include <lathe/runtime/program_file.h>

#include <cstring>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include <lathe/graph/error.h>

using namespace lathe;

namespace {

constexpr Digest key{1, 2};
constexpr std::string_view record = "what is known of it besides";

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

TEST_CASE("code and record come out of a file as they went in") {
  const Code code = some_code();
  for (const std::string_view text : {record, std::string_view()}) {
    const std::vector<std::byte> contents = pack(key, code, text);
    const Unpacked back = unpack(key, contents);
    CHECK(back.code.image == code.image);
    CHECK(back.code.instruction_set == code.instruction_set);
    CHECK(back.code.target == code.target);
    CHECK(back.record == text);
  }
}

TEST_CASE("a change of any byte is noticed: of the header, the code, the constants, the record or the checksum") {
  const std::vector<std::byte> good = pack(key, some_code(), record);
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
  std::vector<std::byte> contents = pack(key, some_code(), record);
  contents.push_back(std::byte{0});
  CHECK(fault(contents).find("of code and data and") != std::string::npos);
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
  const std::vector<std::byte> good = pack(key, some_code(), record);
  const auto changed = [&](std::size_t at) {
    std::vector<std::byte> bad = good;
    bad[at] ^= std::byte{1};
    return fault(bad);
  };
  CHECK(changed(0) == "it is no program of Lathe's");
  CHECK(changed(8) == "its format has version 3, not 2");
  CHECK(changed(good.size() - 1) == "its checksum differs");
  CHECK(changed(good.size() / 2) == "its checksum differs");
  CHECK(fault(good, {3, 4}) == "its key is " + to_string(key));
}
