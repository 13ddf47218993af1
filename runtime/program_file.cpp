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

/// What a file begins with; the image and the record follow, then the digest of all three. In the byte order of the
/// machine, like the code.
struct Header {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t instruction_set;
  Digest key;
  std::uint64_t image_bytes;
  std::uint64_t record_bytes;
  std::uint64_t code_bytes;
  std::uint64_t entry;
  std::array<char, 64> target;
};

constexpr std::array<char, 8> magic = {'l', 'a', 't', 'h', 'e', 'j', 'i', 't'};
constexpr std::uint32_t version = 2;

}  // namespace

std::vector<std::byte> pack(const Digest& key, const Code& code, std::string_view record) {
  const Image& image = code.image;
  Header header{.magic = magic,
                .version = version,
                .instruction_set = static_cast<std::uint32_t>(code.instruction_set),
                .key = key,
                .image_bytes = image.bytes.size(),
                .record_bytes = record.size(),
                .code_bytes = image.code_bytes,
                .entry = image.entry,
                .target = {}};
  std::copy_n(code.target.begin(), std::min(code.target.size(), header.target.size()), header.target.begin());
  std::vector<std::byte> out;
  const auto append = [&](std::span<const std::byte> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); };
  append(std::as_bytes(std::span(&header, 1)));
  append(image.bytes);
  append(std::as_bytes(std::span(record)));
  const Digest sum = digest(out);
  append(std::as_bytes(std::span(&sum, 1)));
  return out;
}

Unpacked unpack(const Digest& key, std::span<const std::byte> contents) {
  constexpr std::size_t frame = sizeof(Header) + sizeof(Digest);
  if (contents.size() < frame) throw DataError(fmt::format("it has only {} bytes", contents.size()));
  Header header;
  std::memcpy(&header, contents.data(), sizeof(Header));
  if (header.magic != magic) throw DataError("it is no program of Lathe's");
  if (header.version != version) {
    throw DataError(fmt::format("its format has version {}, not {}", header.version, version));
  }
  if (header.key != key) throw DataError(fmt::format("its key is {}", to_string(header.key)));
  const std::size_t held = contents.size() - frame;
  if (header.image_bytes > held || header.record_bytes != held - header.image_bytes) {
    throw DataError(fmt::format("it has {} bytes, not {} of code and data and {} of a record", held, header.image_bytes,
                                header.record_bytes));
  }
  Digest sum;
  std::memcpy(&sum, contents.last(sizeof(Digest)).data(), sizeof(Digest));
  if (sum != digest(contents.first(contents.size() - sizeof(Digest)))) throw DataError("its checksum differs");

  const std::span<const std::byte> image = contents.subspan(sizeof(Header), header.image_bytes);
  const std::span<const std::byte> record = contents.subspan(sizeof(Header) + image.size(), header.record_bytes);
  const std::string_view target(header.target.data(), header.target.size());
  return {{.image = {{image.begin(), image.end()}, header.code_bytes, header.entry},
           .instruction_set = static_cast<InstructionSet>(header.instruction_set),
           .target = std::string(target.substr(0, target.find('\0'))),
           .phases = {}},
          {reinterpret_cast<const char*>(record.data()), record.size()}};
}

}  // namespace lathe
