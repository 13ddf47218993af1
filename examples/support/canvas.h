#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include <cairo.h>

namespace lathe::examples {

struct Color {
  double red;
  double green;
  double blue;
};

struct Point {
  double x;
  double y;
};

struct Box {
  double x;
  double y;
  double width;
  double height;
};

enum class Align { left, center, right };

struct TextStyle {
  double size = 11;
  Color color = {0.13, 0.15, 0.18};
  bool bold = false;
  Align align = Align::left;
};

/// A white sheet to draw on, measured in points from the upper left corner; a PNG of it has two pixels a point.
class Canvas {
 public:
  Canvas(double width, double height);

  double width() const { return width_; }
  double height() const { return height_; }

  void fill(const Box& box, Color color, double corner_radius = 0);
  void frame(const Box& box, Color color, double thickness = 1);
  void line(std::span<const Point> points, Color color, double thickness = 1);
  void disc(Point center, double radius, Color color);
  /// `at` is where the baseline meets the left end, the middle or the right end of the text.
  void text(Point at, std::string_view text, const TextStyle& style = {});
  double text_width(std::string_view text, const TextStyle& style = {});
  /// Grey levels, row-major with `columns` a row: 0 is paper, 255 is ink. Each level becomes a crisp square.
  void image(const Box& box, std::span<const std::uint8_t> levels, int columns);

  /// Throws lathe::Error, naming the path, if the file cannot be written.
  void save(const std::filesystem::path& path) const;

 private:
  struct Release {
    void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
    void operator()(cairo_t* context) const { cairo_destroy(context); }
  };

  void select(Color color);
  void select(const TextStyle& style);

  double width_;
  double height_;
  std::unique_ptr<cairo_surface_t, Release> surface_;
  std::unique_ptr<cairo_t, Release> context_;
};

}  // namespace lathe::examples
