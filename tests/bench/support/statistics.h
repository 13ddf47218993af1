#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace lathe::bench {

/// The number that the fraction `q` of the others does not exceed; `numbers` must not be empty.
inline double quantile(std::vector<double> numbers, double q) {
  const auto rank = static_cast<std::size_t>(q * static_cast<double>(numbers.size() - 1) + 0.5);
  std::ranges::nth_element(numbers, numbers.begin() + static_cast<std::ptrdiff_t>(rank));
  return numbers[rank];
}

inline double median(std::vector<double> numbers) {
  return quantile(std::move(numbers), 0.5);
}

/// The time of a piece of work from the medians of blocks of it, the lower quartile: other processes only ever add
/// time, and this holds until they disturb three blocks of four.
inline double undisturbed(std::vector<double> block_medians) {
  return quantile(std::move(block_medians), 0.25);
}

}  // namespace lathe::bench
