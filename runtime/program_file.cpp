#include <lathe/runtime/program_file.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe {
namespace {

/// What a file begins with; the image follows, then the digest of both. In the byte order of the machine, like the
/// code.
struct Header {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t instruction_set;
  Digest key;
  std::uint64_t image_bytes;
  std::uint64_t code_bytes;
  std::uint64_t entry;
  std::array<char, 64> target;
};

constexpr std::array<char, 8> magic = {'l', 'a', 't', 'h', 'e', 'j', 'i', 't'};
constexpr std::uint32_t version = 1;

}  // namespace

std::vector<std::byte> pack(const Digest& key, const Code& code) {
  const Image& image = code.image;
  Header header{
      magic,       version, static_cast<std::uint32_t>(code.instruction_set), key, image.bytes.size(), image.code_bytes,
      image.entry, {}};
  std::copy_n(code.target.begin(), std::min(code.target.size(), header.target.size()), header.target.begin());
  std::vector<std::byte> out(sizeof(Header) + image.bytes.size());
  std::memcpy(out.data(), &header, sizeof(Header));
  std::copy(image.bytes.begin(), image.bytes.end(), out.begin() + sizeof(Header));
  const Digest sum = digest(out);
  const auto* bytes = reinterpret_cast<const std::byte*>(&sum);
  out.insert(out.end(), bytes, bytes + sizeof(sum));
  return out;
}

Code unpack(const Digest& key, std::span<const std::byte> contents) {
  constexpr std::size_t frame = sizeof(Header) + sizeof(Digest);
  if (contents.size() < frame) throw DataError(fmt::format("it has only {} bytes", contents.size()));
  Header header;
  std::memcpy(&header, contents.data(), sizeof(Header));
  if (header.magic != magic) throw DataError("it is no program of Lathe's");
  if (header.version != version) {
    throw DataError(fmt::format("its format has version {}, not {}", header.version, version));
  }
  if (header.key != key) throw DataError(fmt::format("its key is {}", to_string(header.key)));
  if (header.image_bytes != contents.size() - frame) {
    throw DataError(
        fmt::format("it has {} bytes of code and data, not {}", contents.size() - frame, header.image_bytes));
  }
  Digest sum;
  std::memcpy(&sum, contents.last(sizeof(Digest)).data(), sizeof(Digest));
  if (sum != digest(contents.first(contents.size() - sizeof(Digest)))) throw DataError("its checksum differs");

  const std::span<const std::byte> image = contents.subspan(sizeof(Header), header.image_bytes);
  const std::string_view target(header.target.data(), header.target.size());
  return {.image = {{image.begin(), image.end()}, header.code_bytes, header.entry},
          .instruction_set = static_cast<InstructionSet>(header.instruction_set),
          .target = std::string(target.substr(0, target.find('\0'))),
          .phases = {}};
}

}  // namespace lathe
