#pragma once

#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <lathe/graph/shape.h>

namespace lathe::eager {

/// Which extents of arrays a program that is made for them knows as numbers, such as all but the first of each shape.
/// The less, the more sizes it serves.
enum class Known { none, ones, inner, all };

/// Makes symbols of the numbers that are not to be known: n0, n1, ...
class Generaliser {
 public:
  Generaliser(Known known, std::string_view prefix) : known_(known), prefix_(prefix) {}

  Shape operator()(const Shape& shape) {
    Shape out;
    for (const Dim& extent : shape) {
      // Symbols stand for extents, and no extent is negative; what is left open stays open.
      const std::int64_t number = extent.as_constant().value_or(-1);
      const bool keep = known_ == Known::all || number < 0 || (number == 1 && known_ == Known::ones) ||
                        (known_ == Known::inner && !out.empty());
      out.push_back(keep ? extent : dim(fmt::format("{}{}", prefix_, extents_.size())));
      extents_.push_back(out.back());
    }
    return out;
  }

  /// What became of all extents so far.
  const std::vector<Dim>& extents() const { return extents_; }

 private:
  Known known_;
  std::string_view prefix_;
  std::vector<Dim> extents_;
};

}  // namespace lathe::eager
