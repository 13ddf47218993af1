#include <lathe/ops/conv_geometry.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include <lathe/ops/concat.h>
#include <lathe/ops/conv.h>
#include <lathe/ops/shape.h>
#include <lathe/ops/slice.h>
#include <lathe/ops/source.h>

namespace lathe {
namespace {

/// The filter turned by half a turn, with input and output channels exchanged: [KH, KW, OC / groups, C].
Value turned(const Value& filter, std::int64_t groups) {
  const Value around = slice(filter, {Range{{}, {}, -1}, Range{{}, {}, -1}});
  if (groups == 1) return transpose(around, {0, 1, 3, 2});
  const Shape& shape = filter.shape();
  const Dim outputs = *divide(shape[3], Dim(groups));
  const Value grouped = reshape(around, {shape[0], shape[1], shape[2], groups, outputs});
  return reshape(transpose(grouped, {0, 1, 4, 3, 2}), {shape[0], shape[1], outputs, shape[2] * Dim(groups)});
}

/// Pixels that lie a stride apart along an axis, and what they meet of a window: its elements first, first + step, ..,
/// which lie `dilation` apart on dy once turned round, and reach so far over dy's edges.
struct Phase {
  std::int64_t first = 0;
  std::int64_t step = 1;
  std::int64_t taps = 0;  // how many elements; may be none
  std::int64_t dilation = 1;
  std::int64_t low = 0;
  std::int64_t high = 0;
};

/// Of the pixels 0, 1, .., stride - 1 and all that lie strides after them: `pixels` each, for `windows` elements of dy.
std::vector<Phase> phases_of(const ConvGeometry& geometry, std::size_t a, std::int64_t window, const Dim& pixels,
                             const Dim& windows) {
  const std::int64_t stride = geometry.strides[a];
  const std::int64_t dilation = geometry.dilations[a];
  const std::int64_t common = std::gcd(stride, dilation);
  std::vector<Phase> phases;
  for (std::int64_t r = 0; r < stride; ++r) {
    // Window i reads pixel r + p * stride by its element k where i * stride = r + p * stride + low - k * dilation.
    Phase phase{.step = stride / common, .dilation = dilation / common};
    const auto distance = [&] { return r + geometry.low[a] - phase.first * dilation; };
    while (phase.first < phase.step && distance() % stride != 0) ++phase.first;
    if (phase.first < std::min(phase.step, window)) {
      phase.taps = (window - phase.first + phase.step - 1) / phase.step;
      const std::int64_t reach = (phase.taps - 1) * phase.dilation;
      phase.low = reach - distance() / stride;
      // A number even where extents are symbols.
      phase.high = (pixels + Dim(reach - phase.low) - windows).constant();
    }
    phases.push_back(phase);
  }
  return phases;
}

/// The elements of `parts` in turn along `axis`, in which their extents agree.
Value interleave(const Values& parts, std::size_t axis) {
  if (parts.size() == 1) return parts.front();
  Values columns;
  for (const Value& part : parts) columns.push_back(expand_dims(part, static_cast<std::int64_t>(axis + 1)));
  Shape shape = parts.front().shape();
  shape[axis] = shape[axis] * Dim(static_cast<std::int64_t>(parts.size()));
  return reshape(concat(columns, static_cast<std::int64_t>(axis + 1)), shape);
}

}  // namespace

ConvGeometry ConvGeometry::of(const Attributes& from) {
  return {from.get<Extents>("strides"), from.get<Extents>("low"), from.get<Extents>("high"),
          from.get<Extents>("dilations"), from.get<std::int64_t>("groups")};
}

Attributes ConvGeometry::attributes() const {
  return {{"strides", strides}, {"low", low}, {"high", high}, {"dilations", dilations}, {"groups", groups}};
}

Value convolve(const Value& x, const Value& filter, const ConvGeometry& geometry, std::source_location where) {
  return x.graph().apply(
      {.op = op::conv2d, .inputs = {x, filter}, .attributes = geometry.attributes(), .where = where});
}

Value with_margins(Value x, const Extents& low, const Extents& high) {
  Shape before(4, Dim(0));
  Shape after = before;
  Shape begin = before;
  Shape seen = x.shape();
  for (std::size_t a = 0; a < 2; ++a) {
    before[1 + a] = std::max<std::int64_t>(low[a], 0);
    after[1 + a] = std::max<std::int64_t>(high[a], 0);
    begin[1 + a] = std::max<std::int64_t>(-low[a], 0);
    seen[1 + a] = seen[1 + a] + Dim(low[a] + high[a]);
  }
  if (before != Shape(4, Dim(0)) || after != Shape(4, Dim(0))) x = pad(x, before, after);
  return x.shape() == seen ? x : slice_block(x, begin, seen);
}

Value convolution_input_gradient(const Value& filter, const Value& dy, const Shape& x, const ConvGeometry& geometry) {
  std::array<std::vector<Phase>, 2> phases;
  Shape of_phase = x;
  Extents low = {0, 0};  // over dy's edges, whatever the phase
  Extents high = {0, 0};
  Extents rest = {0, 0};
  for (std::size_t a = 0; a < 2; ++a) {
    const Dim pixels = windows_along(x[1 + a], 1, geometry.strides[a]).value();
    phases[a] = phases_of(geometry, a, filter.shape()[a].constant(), pixels, dy.shape()[1 + a]);
    for (const Phase& phase : phases[a]) {
      low[a] = std::max(low[a], phase.low);
      high[a] = std::max(high[a], phase.high);
    }
    of_phase[1 + a] = pixels;
    rest[a] = (x[1 + a] - pixels * Dim(geometry.strides[a])).constant();
  }
  const Value around = with_margins(dy, low, high);
  const auto part = [&](const Phase& row, const Phase& column) {
    if (row.taps == 0 || column.taps == 0) return fill(dy.graph(), of_phase, 0, dy.dtype());
    const Value from =
        with_margins(around, {row.low - low[0], column.low - low[1]}, {row.high - high[0], column.high - high[1]});
    const bool all = geometry.strides == Extents{1, 1};
    const Value met = all ? filter : slice(filter, {{row.first, {}, row.step}, {column.first, {}, column.step}});
    return convolve(from, turned(met, geometry.groups),
                    {.dilations = {row.dilation, column.dilation}, .groups = geometry.groups});
  };
  Values rows;
  for (const Phase& row : phases[0]) {
    Values pixels;
    for (const Phase& column : phases[1]) pixels.push_back(part(row, column));
    rows.push_back(interleave(pixels, 2));
  }
  return with_margins(interleave(rows, 1), {0, 0}, rest);
}

}  // namespace lathe
