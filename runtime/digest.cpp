#include <lathe/runtime/digest.h>

#include <bit>
#include <cstring>

#include <fmt/format.h>

namespace lathe {
namespace {

constexpr std::uint64_t c1 = 0x87c37b91114253d5;
constexpr std::uint64_t c2 = 0x4cf5ad432745937f;

std::uint64_t mix_low(std::uint64_t k) {
  return std::rotl(k * c1, 31) * c2;
}

std::uint64_t mix_high(std::uint64_t k) {
  return std::rotl(k * c2, 33) * c1;
}

std::uint64_t finish(std::uint64_t k) {
  k = (k ^ (k >> 33)) * 0xff51afd7ed558ccd;
  k = (k ^ (k >> 33)) * 0xc4ceb9fe1a85ec53;
  return k ^ (k >> 33);
}

/// Up to eight bytes, the first one lowest.
std::uint64_t word(std::span<const std::byte> bytes) {
  std::uint64_t out = 0;
  if (!bytes.empty()) std::memcpy(&out, bytes.data(), bytes.size());
  return out;
}

}  // namespace

Digest digest(std::span<const std::byte> bytes, const Digest& seed) {
  constexpr std::size_t half = 8;
  constexpr std::size_t block = 2 * half;
  const std::uint64_t length = bytes.size();
  Digest h = seed;
  for (; bytes.size() >= block; bytes = bytes.subspan(block)) {
    h.low ^= mix_low(word(bytes.first(half)));
    h.low = (std::rotl(h.low, 27) + h.high) * 5 + 0x52dce729;
    h.high ^= mix_high(word(bytes.subspan(half, half)));
    h.high = (std::rotl(h.high, 31) + h.low) * 5 + 0x38495ab5;
  }
  const std::size_t low = std::min(bytes.size(), half);
  h.low ^= mix_low(word(bytes.first(low)));
  h.high ^= mix_high(word(bytes.subspan(low)));
  h.low ^= length;
  h.high ^= length;
  h.low += h.high;
  h.high += h.low;
  h.low = finish(h.low);
  h.high = finish(h.high);
  h.low += h.high;
  h.high += h.low;
  return h;
}

Digest digest(std::string_view text, const Digest& seed) {
  return digest(std::as_bytes(std::span(text)), seed);
}

std::string to_string(const Digest& digest) {
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

}  // namespace lathe
