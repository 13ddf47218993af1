#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lathe {

/// 128 bits that tell contents apart, accidents included; no defence against those who look for two alike.
/// Made of XXH3 by Yann Collet.
struct Digest {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  auto operator<=>(const Digest&) const = default;
};

/// With the digest of what comes before as `seed`, the digest of a sequence: of its parts and where each of them ends.
Digest digest(std::span<const std::byte> bytes, const Digest& seed = {});
Digest digest(std::string_view text, const Digest& seed = {});

/// 32 hexadecimal digits.
std::string to_string(const Digest& digest);

}  // namespace lathe
