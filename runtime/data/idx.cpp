#include <lathe/runtime/data/idx.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include <lathe/runtime/data/file_reader.h>

namespace lathe::data {
namespace {

/// How an IDX file stores elements, and as what Lathe holds them.
struct ElementType {
  std::uint8_t code;
  std::size_t stored_bytes;
  DType dtype;
};

constexpr std::array element_types = {
    ElementType{0x08, 1, DType::u8},  ElementType{0x09, 1, DType::i32}, ElementType{0x0B, 2, DType::i32},
    ElementType{0x0C, 4, DType::i32}, ElementType{0x0D, 4, DType::f32}, ElementType{0x0E, 8, DType::f64},
};

constexpr std::size_t magic_bytes = 4;
constexpr std::size_t extent_bytes = 4;

std::uint64_t big_endian(std::span<const std::byte> bytes) {
  std::uint64_t number = 0;
  for (const std::byte byte : bytes) number = number << 8 | std::to_integer<std::uint64_t>(byte);
  return number;
}

void read_header(FileReader& reader, std::span<std::byte> out) {
  const std::size_t got = reader.read(out);
  if (got == out.size()) return;
  reader.fail(fmt::format("is truncated: its IDX header breaks off after {} of {} bytes", got, out.size()));
}

ElementType read_magic(FileReader& reader, std::size_t& rank) {
  std::array<std::byte, magic_bytes> magic{};
  read_header(reader, magic);
  const auto code = std::to_integer<std::uint8_t>(magic[2]);
  const auto* found = std::ranges::find(element_types, code, &ElementType::code);
  if (magic[0] != std::byte{0} || magic[1] != std::byte{0} || found == element_types.end()) {
    reader.fail(fmt::format("is not an IDX file: its magic number is 0x{:08x}, not 0x0000TTRR (type, rank)",
                            big_endian(magic)));
  }
  rank = std::to_integer<std::size_t>(magic[3]);
  return *found;
}

/// The extents, after checking that a file can hold so many elements at all.
Extents read_extents(FileReader& reader, std::size_t rank, std::size_t stored_bytes) {
  std::vector<std::byte> bytes(rank * extent_bytes);
  read_header(reader, bytes);
  Extents extents(rank);
  std::size_t total = stored_bytes;
  bool overflows = false;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::uint64_t extent = big_endian(std::span(bytes).subspan(axis * extent_bytes, extent_bytes));
    extents[axis] = static_cast<std::int64_t>(extent);
    // An extent of zero later on does not excuse an absurd product before it.
    overflows |= __builtin_mul_overflow(total, std::max<std::uint64_t>(extent, 1), &total);
  }
  constexpr std::size_t most = std::size_t{1} << 40;
  if (overflows || total > most) {
    reader.fail(fmt::format("has a corrupt IDX header: no file holds elements of shape {}", to_string(extents)));
  }
  return extents;
}

/// Reads in steps, so that a header which promises far more than the file has costs no more memory than the file.
std::vector<std::byte> read_elements(FileReader& reader, std::size_t expected) {
  constexpr std::size_t step = std::size_t{1} << 24;
  std::vector<std::byte> bytes;
  while (bytes.size() < expected) {
    const std::size_t before = bytes.size();
    bytes.resize(std::min(expected, std::max(before + step, before * 2)));
    const std::size_t got = before + reader.read(std::span(bytes).subspan(before));
    if (got < bytes.size()) {
      reader.fail(fmt::format("is truncated: its header promises {} bytes of elements, {} are there", expected, got));
    }
  }
  return bytes;
}

void check_end(FileReader& reader, std::size_t expected) {
  std::array<std::byte, 4096> rest{};
  std::size_t trailing = 0;
  for (std::size_t got = 1; got != 0; trailing += got) got = reader.read(rest);
  if (trailing == 0) return;
  reader.fail(fmt::format("has {} bytes too many: its header promises {} bytes of elements", trailing, expected));
}

/// One big-endian number as T; Stored is its unsigned image in the file.
template <class T, class Stored>
T decode(std::span<const std::byte> bytes) {
  return std::bit_cast<T>(static_cast<Stored>(big_endian(bytes)));
}

void decode_all(const ElementType& type, std::span<const std::byte> bytes, Tensor& out) {
  const auto fill = [&]<class T>(std::span<T> elements, auto convert) {
    for (std::size_t i = 0; i < elements.size(); ++i) {
      elements[i] = convert(bytes.subspan(i * type.stored_bytes, type.stored_bytes));
    }
  };
  switch (type.code) {
    case 0x09: return fill(out.data<std::int32_t>(), decode<std::int8_t, std::uint8_t>);
    case 0x0B: return fill(out.data<std::int32_t>(), decode<std::int16_t, std::uint16_t>);
    case 0x0C: return fill(out.data<std::int32_t>(), decode<std::int32_t, std::uint32_t>);
    case 0x0D: return fill(out.data<float>(), decode<float, std::uint32_t>);
    case 0x0E: return fill(out.data<double>(), decode<double, std::uint64_t>);
    default: std::ranges::copy(bytes, out.bytes().begin());
  }
}

}  // namespace

Tensor read_idx(const std::filesystem::path& path) {
  FileReader reader(path);
  std::size_t rank = 0;
  const ElementType type = read_magic(reader, rank);
  const Extents extents = read_extents(reader, rank, type.stored_bytes);
  const std::size_t expected = static_cast<std::size_t>(element_count(extents)) * type.stored_bytes;
  const std::vector<std::byte> bytes = read_elements(reader, expected);
  check_end(reader, expected);
  Tensor out(type.dtype, extents);
  decode_all(type, bytes, out);
  return out;
}

}  // namespace lathe::data
