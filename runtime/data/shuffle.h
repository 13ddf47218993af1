#pragma once

#include <cstdint>
#include <span>

namespace lathe::data {

/// Puts `items` into a random order that depends on `seed` and their number only: the same on every platform, which
/// std::shuffle does not promise. Fisher and Yates (Knuth, TAOCP vol. 2, 3.4.2, algorithm P) over SplitMix64.
void shuffle(std::span<std::int64_t> items, std::uint64_t seed);

/// The order in which an epoch visits its examples: a function of `seed` and the epoch's number alone.
void epoch_order(std::span<std::int64_t> order, std::uint64_t seed, std::int64_t epoch);

/// A seed for the `index`-th of a series of shuffles, unrelated to its neighbours'.
std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t index);

}  // namespace lathe::data
