#pragma once

#include <string>
#include <vector>

namespace lathe::bench {

struct Bar {
  std::string label;
  double value;
  std::string text;  // the value as it is to be read
};

/// Bars that belong together, under one heading.
struct BarGroup {
  std::string label;
  std::vector<Bar> bars;
};

/// A picture as SVG. Bars start at 0.
std::string amount_chart(const std::string& title, const std::vector<BarGroup>& groups);

/// The same for ratios, on a logarithmic axis: bars start at 1 and point to the right if the ratio is above it; those
/// below point to the left, in another colour.
std::string ratio_chart(const std::string& title, const std::vector<BarGroup>& groups);

}  // namespace lathe::bench
