#include "chart.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace lathe::bench {
namespace {

constexpr double width = 880;
constexpr double plot_left = 250;
constexpr double plot_right = 800;  // right of it values are written
constexpr double top = 40;
constexpr double bar_height = 13;
constexpr double group_gap = 9;
constexpr double heading_height = 15;

constexpr std::string_view ink = "#21262e";
constexpr std::string_view faster = "#2a78b5";
constexpr std::string_view slower = "#c8502d";
constexpr std::string_view grid = "#c9ced6";

std::string escape(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    switch (letter) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      default: out += letter;
    }
  }
  return out;
}

class Svg {
 public:
  explicit Svg(double height) {
    fmt::format_to(to_, R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0:.0f} {1:.0f}" )", width, height);
    fmt::format_to(to_,
                   R"(font-family="DejaVu Sans, Verdana, sans-serif" font-size="10" fill="{}">)"
                   "\n"
                   R"(<rect width="100%" height="100%" fill="white"/>)"
                   "\n",
                   ink);
  }
  void text(double x, double y, std::string_view text, std::string_view style = "") {
    fmt::format_to(to_, "<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, style, escape(text));
  }
  void bar(double from, double to, double y, std::string_view color) {
    fmt::format_to(to_, "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n",
                   std::min(from, to), y, std::abs(to - from), bar_height - 3, color);
  }
  void vertical(double x, double from, double to, std::string_view color) {
    fmt::format_to(to_, "<path d=\"M{:.1f} {:.1f}V{:.1f}\" stroke=\"{}\"/>\n", x, from, to, color);
  }
  std::string finish() && { return std::move(out_) + "</svg>\n"; }

 private:
  std::string out_;
  std::back_insert_iterator<std::string> to_ = std::back_inserter(out_);
};

/// Where on the axis a value lies, between 0 and 1.
using Scale = std::function<double(double value)>;

double place(const Scale& scale, double value) {
  return plot_left + std::clamp(scale(value), 0.0, 1.0) * (plot_right - plot_left);
}

std::string draw(const std::string& title, const std::vector<BarGroup>& groups, const Scale& scale, double origin,
                 const std::vector<double>& marks) {
  double height = top;
  for (const BarGroup& group : groups) {
    height += heading_height + bar_height * static_cast<double>(group.bars.size()) + group_gap;
  }
  Svg svg(height + 20);
  svg.text(12, 20, title, R"(font-size="13" font-weight="bold")");
  for (const double mark : marks) {
    const double x = place(scale, mark);
    svg.vertical(x, top, height, mark == origin ? ink : grid);
    svg.text(x, height + 13, fmt::format("{:g}", mark), R"(text-anchor="middle")");
  }
  double y = top;
  for (const BarGroup& group : groups) {
    svg.text(12, y + heading_height - 4, group.label, R"(font-weight="bold")");
    y += heading_height;
    for (const Bar& bar : group.bars) {
      const double from = place(scale, origin);
      const double to = place(scale, bar.value);
      svg.text(plot_left - 8, y + bar_height - 4, bar.label, R"(text-anchor="end")");
      svg.bar(from, to, y, bar.value < origin ? slower : faster);
      svg.text(std::max(from, to) + 5, y + bar_height - 4, bar.text);
      y += bar_height;
    }
    y += group_gap;
  }
  return std::move(svg).finish();
}

std::vector<double> values(const std::vector<BarGroup>& groups) {
  std::vector<double> out;
  for (const BarGroup& group : groups) {
    for (const Bar& bar : group.bars) out.push_back(bar.value);
  }
  return out;
}

}  // namespace

std::string amount_chart(const std::string& title, const std::vector<BarGroup>& groups) {
  double largest = 1e-9;
  for (const double value : values(groups)) largest = std::max(largest, value);
  return draw(title, groups, [largest](double value) { return value / largest; }, 0, {0});
}

std::string ratio_chart(const std::string& title, const std::vector<BarGroup>& groups) {
  double low = -1;  // powers of two
  double high = 1;
  for (const double value : values(groups)) {
    // Bars beyond the axis end at its border; their numbers are written beside them.
    constexpr double furthest = 6;
    low = std::clamp(std::floor(std::log2(value)), -furthest, low);
    high = std::clamp(std::ceil(std::log2(value)), high, furthest);
  }
  std::vector<double> marks;
  for (double power = low; power <= high; ++power) marks.push_back(std::exp2(power));
  return draw(
      title, groups, [low, high](double value) { return (std::log2(value) - low) / (high - low); }, 1, marks);
}

}  // namespace lathe::bench
