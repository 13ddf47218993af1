#pragma once

#include <cstdint>

namespace lathe {

/// Number `index` of the SplitMix64 sequence that starts at `seed`. Steele, Lea & Flood, OOPSLA 2014.
inline std::uint64_t split_mix(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace lathe
