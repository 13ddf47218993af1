#include <lathe/runtime/data/idx.h>

#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../../support/temporary_folder.h"

using namespace lathe;
using test::gzip;
using test::idx_bytes;
using test::TemporaryFolder;

namespace {

const std::vector<unsigned> two_by_three = {2, 3};
const std::string six("\x01\x02\x03\x04\x05\xff", 6);

std::string valid_file() {
  return idx_bytes(0x08, two_by_three, six);
}

std::string flip_bit(std::string bytes, std::size_t at) {
  bytes.at(at) = static_cast<char>(bytes[at] ^ 1);
  return bytes;
}

}  // namespace

TEST_CASE("an IDX file reads the same whether it is plain or gzip") {
  const TemporaryFolder folder;
  const Tensor expected = Tensor::from<std::uint8_t>({2, 3}, {1, 2, 3, 4, 5, 255});
  CHECK(data::read_idx(folder.write("plain", valid_file())) == expected);
  CHECK(data::read_idx(folder.write("packed.gz", gzip(valid_file()))) == expected);
}

TEST_CASE("gzip members that follow each other read as one file") {
  const TemporaryFolder folder;
  const std::string whole = valid_file();
  const auto path = folder.write("members", gzip(whole.substr(0, 7)) + gzip(whole.substr(7)));
  CHECK(data::read_idx(path).shape() == Extents{2, 3});
}

TEST_CASE("every IDX element type is decoded from big-endian") {
  using namespace std::string_literals;
  struct Case {
    unsigned char code;
    std::string bytes;
    Tensor expected;
  };
  const std::vector<Case> cases = {
      {0x09, "\xff\x7f"s, Tensor::from<std::int32_t>({2}, {-1, 127})},
      {0x0B, "\xff\xfe\x01\x00"s, Tensor::from<std::int32_t>({2}, {-2, 256})},
      {0x0C, "\xff\xff\xff\xfd\x00\x01\x00\x00"s, Tensor::from<std::int32_t>({2}, {-3, 65536})},
      {0x0D, "\x3f\x80\x00\x00\xc0\x20\x00\x00"s, Tensor::from<float>({2}, {1.0F, -2.5F})},
      {0x0E, "\x3f\xf0\x00\x00\x00\x00\x00\x00\xc0\x04\x00\x00\x00\x00\x00\x00"s,
       Tensor::from<double>({2}, {1.0, -2.5})},
  };
  const TemporaryFolder folder;
  for (const Case& c : cases) {
    CAPTURE(c.code);
    CHECK(data::read_idx(folder.write("typed", idx_bytes(c.code, std::vector<unsigned>{2}, c.bytes))) == c.expected);
  }
}

TEST_CASE("a scalar and an empty tensor are IDX files too") {
  const TemporaryFolder folder;
  CHECK(data::read_idx(folder.write("scalar", idx_bytes(0x08, {}, "\x07"))).item<std::uint8_t>() == 7);
  CHECK(data::read_idx(folder.write("none", idx_bytes(0x08, std::vector<unsigned>{0, 28}, ""))).shape() ==
        Extents{0, 28});
}

TEST_CASE("a bad IDX file is an error that names the path and what is wrong") {
  struct Case {
    std::string name;
    std::string bytes;
    std::string error;
  };
  const std::string good = valid_file();
  const std::string packed = gzip(good);
  const std::vector<unsigned> huge = {0xffffffff, 0xffffffff, 0xffffffff};
  const std::vector<unsigned> hidden = {0xffffffff, 0xffffffff, 0xffffffff, 0};
  const std::vector<unsigned> large = {1U << 30};
  const std::vector<Case> cases = {
      {"empty", "", "is empty"},
      {"one-byte", good.substr(0, 1), "is truncated: its IDX header breaks off after 1 of 4 bytes"},
      {"no-extents", good.substr(0, 4), "is truncated: its IDX header breaks off after 0 of 8 bytes"},
      {"half-extents", good.substr(0, 9), "is truncated: its IDX header breaks off after 5 of 8 bytes"},
      {"truncated", good.substr(0, good.size() - 1),
       "is truncated: its header promises 6 bytes of elements, 5 are there"},
      {"trailing", good + "ab", "has 2 bytes too many: its header promises 6 bytes of elements"},
      {"text", "P5 28 28 255 ...", "is not an IDX file: its magic number is 0x50352032, not 0x0000TTRR (type, rank)"},
      {"wrong-type", idx_bytes(0x0A, two_by_three, six),
       "is not an IDX file: its magic number is 0x00000a02, not 0x0000TTRR (type, rank)"},
      {"huge", idx_bytes(0x08, huge, six),
       "has a corrupt IDX header: no file holds elements of shape [4294967295, 4294967295, 4294967295]"},
      {"hidden", idx_bytes(0x08, hidden, ""),
       "has a corrupt IDX header: no file holds elements of shape [4294967295, 4294967295, 4294967295, 0]"},
      {"large", idx_bytes(0x08, large, six),
       "is truncated: its header promises 1073741824 bytes of elements, 6 are there"},
      {"packed-truncated", packed.substr(0, packed.size() - 9), "is truncated: its gzip stream breaks off"},
      {"packed-no-length", packed.substr(0, packed.size() - 1), "is truncated: its gzip stream breaks off"},
      {"packed-header-only", packed.substr(0, 5), "is truncated: its gzip stream breaks off"},
      {"packed-crc", flip_bit(packed, packed.size() - 8), "is not valid gzip: incorrect data check"},
      {"packed-length", flip_bit(packed, packed.size() - 4), "is not valid gzip: incorrect length check"},
      {"packed-method", flip_bit(packed, 2), "is not valid gzip: unknown compression method"},
      {"packed-garbage", packed + "garbage", "is not valid gzip: incorrect header check"},
      {"packed-empty", gzip(""), "is truncated: its IDX header breaks off after 0 of 4 bytes"},
      {"packed-trailing", gzip(good + "a"), "has 1 bytes too many: its header promises 6 bytes of elements"},
  };
  const TemporaryFolder folder;
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const auto path = folder.write(c.name, c.bytes);
    const std::string expected = "'" + path.string() + "' " + c.error;
    CHECK_THROWS_WITH_AS(data::read_idx(path), expected.c_str(), DataError);
  }
}

TEST_CASE("a missing file and a folder are not read as files") {
  const TemporaryFolder folder;
  const std::string missing = (folder.path() / "missing").string();
  CHECK_THROWS_WITH_AS(data::read_idx(missing), ("'" + missing + "' does not exist").c_str(), DataError);
  const std::string path = folder.path().string();
  CHECK_THROWS_WITH_AS(data::read_idx(path), ("'" + path + "' is a directory, not a file").c_str(), DataError);
}
