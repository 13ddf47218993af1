#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <string_view>

#include <lathe/graph/graph.h>

/// Windows that slide over images [N, H, W, C], the two middle axes: what convolutions and pooling share.
namespace lathe {

namespace op {
extern const Op windows;
extern const Op sum_windows;
}  // namespace op

/// A number for the height and one for the width; one number stands for both: 3 is {3, 3}.
struct Size2d {
  std::int64_t height;
  std::int64_t width;

  Size2d(std::int64_t both) : Size2d(both, both) {}
  Size2d(int both) : Size2d(std::int64_t{both}) {}
  Size2d(std::int64_t height, std::int64_t width) : height(height), width(width) {}
  bool operator==(const Size2d&) const = default;
  Extents extents() const { return {height, width}; }
};

/// How far an image is continued over its edges before windows slide over it. With strides s, `valid` gives
/// floor((H - window) / s) + 1 windows and `same` gives ceil(H / s), the odd one of its padding below and to the right,
/// as in TensorFlow.
class Padding {
 public:
  static const Padding valid;
  static const Padding same;
  /// These amounts above and to the left, and below and to the right.
  static Padding by(Size2d low, Size2d high) { return {Rule::amounts, low, high}; }

  struct Amounts {
    Extents low;
    Extents high;
  };
  /// What it comes to for windows that span `spans` elements. Nothing if that depends on more than a polynomial in the
  /// image's symbolic extents says.
  std::optional<Amounts> amounts(const Shape& image, const Extents& spans, const Extents& strides) const;

 private:
  enum class Rule { valid, same, amounts };
  Padding(Rule rule, Size2d low, Size2d high) : rule_(rule), low_(low), high_(high) {}

  Rule rule_;
  Size2d low_;
  Size2d high_;
};

inline const Padding Padding::valid{Rule::valid, 0, 0};
inline const Padding Padding::same{Rule::same, 0, 0};

/// How many windows that span `span` elements start every `stride` elements of an axis and lie within its `extent`:
/// floor((extent - span) / stride) + 1. Nothing if that is no polynomial in the symbols.
std::optional<Dim> windows_along(const Dim& extent, std::int64_t span, std::int64_t stride);
/// windows_along() for an axis of `x`, with the complaint that a type rule has where none fits: `reach` says what the
/// extent is of, such as " with its padding".
Dim windows_along(const InferContext& context, std::size_t axis, const Dim& extent, std::int64_t span,
                  std::int64_t stride, std::string_view reach = "");
/// Fails through `context` unless the attribute holds two numbers, each at least 1.
void require_size(const InferContext& context, std::string_view attribute);

/// All windows of x [N, H, W, C] as [N, OH, OW, height, width, C]: element [n, i, j, k, l, c] is x[n, i *
/// strides.height
/// + k, j * strides.width + l, c]. A view: nothing is copied. Gradient: each element of dx is the sum of dy over all
/// windows that it is in, by the op `sum_windows`, whose gradient is `windows` in turn.
/// Throws GraphError if x is no image or a window is larger than it.
Value windows(Value x, Size2d window, Size2d strides = 1, std::source_location where = std::source_location::current());

}  // namespace lathe
