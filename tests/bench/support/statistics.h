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

}  // namespace lathe::bench
