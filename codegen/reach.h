#pragma once

#include <cstddef>
#include <set>
#include <vector>

namespace lathe {

/// Whether `to` can be reached from `from` over the edges that `next` gives: next(n) is a range of numbers.
template <class Next>
bool reaches(std::size_t from, std::size_t to, Next next) {
  std::set<std::size_t> seen{from};
  std::vector<std::size_t> stack{from};
  while (!stack.empty()) {
    const std::size_t at = stack.back();
    stack.pop_back();
    if (at == to) return true;
    for (const std::size_t neighbour : next(at)) {
      if (seen.insert(neighbour).second) stack.push_back(neighbour);
    }
  }
  return false;
}

}  // namespace lathe
