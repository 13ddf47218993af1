#pragma once

#include <cstddef>
#include <vector>

namespace lathe {

/// Whether `to` can be reached from any of `from`, over edges between numbers below `count`: next(n) is a range of
/// those that follow n, which may name one several times.
template <class Next>
bool reaches(std::vector<std::size_t> from, std::size_t to, std::size_t count, Next next) {
  std::vector<bool> seen(count, false);
  while (!from.empty()) {
    const std::size_t at = from.back();
    from.pop_back();
    if (at == to) return true;
    if (seen[at]) continue;
    seen[at] = true;
    for (const std::size_t neighbour : next(at)) {
      if (!seen[neighbour]) from.push_back(neighbour);
    }
  }
  return false;
}

}  // namespace lathe
