#include "pictures.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "canvas.h"

namespace lathe::examples {
namespace {

constexpr Color ink = {0.13, 0.15, 0.18};
constexpr Color quiet = {0.42, 0.45, 0.50};
constexpr Color hairline = {0.87, 0.88, 0.90};
constexpr Color track = {0.955, 0.96, 0.967};
constexpr Color other_bar = {0.72, 0.74, 0.77};
constexpr Color right_blue = {0.11, 0.38, 0.82};
constexpr Color wrong_red = {0.83, 0.18, 0.18};

std::span<const std::uint8_t> image_of(const LabelledImages& data, std::int64_t index) {
  const auto size = static_cast<std::size_t>(data.images.shape()[1] * data.images.shape()[2]);
  return data.images.data<std::uint8_t>().subspan(static_cast<std::size_t>(index) * size, size);
}

std::size_t label_of(const LabelledImages& data, std::int64_t index) {
  return data.labels.data<std::uint8_t>()[static_cast<std::size_t>(index)];
}

void draw_image(Canvas& canvas, const Box& box, const LabelledImages& data, std::int64_t index) {
  canvas.image(box, image_of(data, index), static_cast<int>(data.images.shape()[2]));
  canvas.frame(box, hairline);
}

/// Horizontal bars, one a class, its name to the left and its probability to the right of it.
void draw_bars(Canvas& canvas, const Box& box, std::span<const float> probabilities,
               std::span<const std::string_view> classes, std::size_t predicted, std::size_t truth) {
  const double pitch = box.height / static_cast<double>(classes.size());
  const double size = std::min(11.0, pitch * 0.66);
  const TextStyle plain = {.size = size, .color = quiet, .align = Align::right};
  double names = 0;
  for (const std::string_view name : classes)
    names = std::max(names, canvas.text_width(name, {.size = size, .bold = true}));
  const double numbers = canvas.text_width("100%", {.size = size, .bold = true}) + 5;
  const double left = box.x + names + 6;
  const double full = box.width - names - 6 - numbers;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const double top = box.y + pitch * static_cast<double>(i);
    const double baseline = top + pitch / 2 + size * 0.36;
    const double probability = probabilities[i];
    const Color color = i == truth ? right_blue : i == predicted ? wrong_red : other_bar;
    const bool stands_out = i == truth || i == predicted;
    TextStyle style = plain;
    if (stands_out) style = {.size = size, .color = color, .bold = true, .align = Align::right};
    canvas.text({left - 6, baseline}, classes[i], style);
    const Box bar = {left, top + pitch * 0.16, full, pitch * 0.68};
    canvas.fill(bar, track, 2);
    // A bar of less than its rounding's width would look like a smudge.
    if (probability * full > 0.5) canvas.fill({bar.x, bar.y, probability * full, bar.height}, color, 2);
    if (probability < 0.005 && !stands_out) continue;
    style.align = Align::left;
    canvas.text({left + full + 5, baseline}, fmt::format("{:.0f}%", 100 * probability), style);
  }
}

/// A round distance for about `wanted` ticks over `range`: 1, 2 or 5 times a power of ten.
double tick_step(double range, int wanted) {
  const double rough = range / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double leading = rough / power;
  return power * (leading <= 1 ? 1 : leading <= 2 ? 2 : leading <= 5 ? 5 : 10);
}

/// Where a panel's numbers lie on the canvas.
struct Scale {
  Box box;
  double low;
  double high;
  double step;
  std::size_t epochs;

  double x(std::size_t epoch) const {
    const double gaps = static_cast<double>(std::max<std::size_t>(epochs, 2) - 1);
    return box.x + box.width * (epochs < 2 ? 0.5 : static_cast<double>(epoch) / gaps);
  }
  double y(double value) const { return box.y + box.height * (high - value) / (high - low); }
};

Scale scale_for(const Panel& panel, const Box& box) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  std::size_t epochs = 0;
  for (const Curve& curve : panel.curves) {
    epochs = std::max(epochs, curve.values.size());
    for (const double value : curve.values) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  if (low > high) low = high = 0;
  if (high - low < 1e-9) {  // one epoch, or a flat curve: room above and below it
    low -= 0.05;
    high += 0.05;
  }
  const double step = tick_step(high - low, 5);
  return {box, std::floor(low / step) * step, std::ceil(high / step) * step, step, epochs};
}

void draw_axes(Canvas& canvas, const Scale& scale) {
  const Box& box = scale.box;
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(scale.step) + 1e-9)));
  const int ticks = static_cast<int>(std::lround((scale.high - scale.low) / scale.step));
  for (int tick = 0; tick <= ticks; ++tick) {
    const double value = scale.low + tick * scale.step;
    const double y = scale.y(value);
    const std::vector<Point> rule = {{box.x, y}, {box.x + box.width, y}};
    canvas.line(rule, hairline, 0.8);
    canvas.text({box.x - 8, y + 3.5}, fmt::format("{:.{}f}", value, decimals),
                {.size = 10, .color = quiet, .align = Align::right});
  }
  constexpr std::size_t most_labels = 10;
  const std::size_t every = std::max<std::size_t>(1, (scale.epochs + most_labels - 1) / most_labels);
  for (std::size_t epoch = 0; epoch < scale.epochs; epoch += every) {
    canvas.text({scale.x(epoch), box.y + box.height + 16}, fmt::format("{}", epoch + 1),
                {.size = 10, .color = quiet, .align = Align::center});
  }
  canvas.text({box.x + box.width / 2, box.y + box.height + 32}, "epoch",
              {.size = 10, .color = quiet, .align = Align::center});
}

void draw_panel(Canvas& canvas, const Box& box, const Panel& panel) {
  constexpr Color colors[] = {right_blue, {0.90, 0.45, 0.05}, {0.18, 0.55, 0.34}, {0.50, 0.30, 0.70}};
  canvas.text({box.x, box.y + 14}, panel.title, {.size = 14, .color = ink, .bold = true});
  const Scale scale = scale_for(panel, {box.x + 44, box.y + 52, box.width - 56, box.height - 96});
  draw_axes(canvas, scale);
  double legend = scale.box.x;
  for (std::size_t i = 0; i < panel.curves.size(); ++i) {
    const Curve& curve = panel.curves[i];
    const Color color = colors[i % std::size(colors)];
    std::vector<Point> points;
    for (std::size_t epoch = 0; epoch < curve.values.size(); ++epoch) {
      if (std::isfinite(curve.values[epoch])) points.push_back({scale.x(epoch), scale.y(curve.values[epoch])});
    }
    canvas.line(points, color, 2);
    for (const Point& point : points) canvas.disc(point, 3, color);
    canvas.disc({legend + 4, box.y + 31}, 4, color);
    const std::string last = curve.values.empty() ? "" : fmt::format("  {:.4f}", curve.values.back());
    const std::string text = curve.name + last;
    canvas.text({legend + 13, box.y + 35}, text, {.size = 11, .color = ink});
    legend += 13 + canvas.text_width(text, {.size = 11}) + 22;
  }
}

}  // namespace

void draw_samples(const std::filesystem::path& path, const LabelledImages& data, int columns, int rows) {
  constexpr double side = 112;
  constexpr double gap = 18;
  constexpr double caption = 20;
  Canvas canvas(gap + columns * (side + gap), gap + rows * (side + caption + gap));
  for (int cell = 0; cell < columns * rows && cell < data.images.shape()[0]; ++cell) {
    const Box box = {gap + cell % columns * (side + gap), gap + cell / columns * (side + caption + gap), side, side};
    draw_image(canvas, box, data, cell);
    canvas.text({box.x + side / 2, box.y + side + 16}, data.classes[label_of(data, cell)],
                {.size = 11.5, .color = ink, .align = Align::center});
  }
  canvas.save(path);
}

void draw_curves(const std::filesystem::path& path, std::span<const Panel> panels) {
  constexpr double width = 440;
  constexpr double height = 340;
  constexpr double margin = 24;
  Canvas canvas(margin + static_cast<double>(panels.size()) * (width + margin), height + 2 * margin);
  double x = margin;
  for (const Panel& panel : panels) {
    draw_panel(canvas, {x, margin, width, height}, panel);
    x += width + margin;
  }
  canvas.save(path);
}

void draw_predictions(const std::filesystem::path& path, const LabelledImages& data, const Tensor& probabilities,
                      std::int64_t first, int columns, int rows) {
  const bool alone = columns * rows == 1;
  const double side = alone ? 196 : 132;
  const double bars = alone ? 290 : 196;
  const double caption = alone ? 30 : 24;
  const double gap = 24;
  const double inner = 14;
  const double cell_width = side + inner + bars;
  const double cell_height = caption + side;
  Canvas canvas(gap + columns * (cell_width + gap), gap + rows * (cell_height + gap));
  const std::size_t classes = data.classes.size();
  for (int cell = 0; cell < columns * rows && first + cell < data.images.shape()[0]; ++cell) {
    const std::int64_t index = first + cell;
    const auto row = probabilities.data<float>().subspan(static_cast<std::size_t>(index) * classes, classes);
    const auto predicted = static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
    const std::size_t truth = label_of(data, index);
    const double x = gap + cell % columns * (cell_width + gap);
    const double y = gap + cell / columns * (cell_height + gap);
    canvas.text({x, y + caption - 12},
                fmt::format("{} {:.0f}% ({})", data.classes[predicted], 100 * row[predicted], data.classes[truth]),
                {.size = alone ? 15.0 : 12.5, .color = predicted == truth ? right_blue : wrong_red, .bold = true});
    draw_image(canvas, {x, y + caption, side, side}, data, index);
    draw_bars(canvas, {x + side + inner, y + caption, bars, side}, row, data.classes, predicted, truth);
  }
  canvas.save(path);
}

}  // namespace lathe::examples
