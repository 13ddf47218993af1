#include <lathe/runtime/digest.h>

#include <array>

#include <fmt/format.h>
#include <xxhash.h>

namespace lathe {

Digest digest(std::span<const std::byte> bytes, const Digest& seed) {
  const XXH128_hash_t own = XXH3_128bits(bytes.data(), bytes.size());
  const std::array<std::uint64_t, 5> chain = {seed.low, seed.high, own.low64, own.high64, bytes.size()};
  const XXH128_hash_t all = XXH3_128bits(chain.data(), sizeof chain);
  return {all.low64, all.high64};
}

Digest digest(std::string_view text, const Digest& seed) {
  return digest(std::as_bytes(std::span(text)), seed);
}

std::string to_string(const Digest& digest) {
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

}  // namespace lathe
