#include "canvas.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <lathe/graph/error.h>

#include <lathe/runtime/write_file.h>

namespace lathe::examples {
namespace {

constexpr double pixels_a_point = 2;
constexpr Color paper = {1, 1, 1};

cairo_status_t append(void* bytes, const unsigned char* data, unsigned length) {
  static_cast<std::string*>(bytes)->append(reinterpret_cast<const char*>(data), length);
  return CAIRO_STATUS_SUCCESS;
}

void require(cairo_status_t status, std::string_view what) {
  if (status != CAIRO_STATUS_SUCCESS) throw Error(fmt::format("{}: {}", what, cairo_status_to_string(status)));
}

}  // namespace

Canvas::Canvas(double width, double height)
    : width_(width),
      height_(height),
      surface_(cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(std::lround(width * pixels_a_point)),
                                          static_cast<int>(std::lround(height * pixels_a_point)))),
      context_(cairo_create(surface_.get())) {
  require(cairo_status(context_.get()), "Cairo cannot make a picture");
  cairo_scale(context_.get(), pixels_a_point, pixels_a_point);
  fill({0, 0, width, height}, paper);
}

void Canvas::select(Color color) {
  cairo_set_source_rgb(context_.get(), color.red, color.green, color.blue);
}

void Canvas::select(const TextStyle& style) {
  select(style.color);
  cairo_select_font_face(context_.get(), "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                         style.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(context_.get(), style.size);
}

void Canvas::fill(const Box& box, Color color, double corner_radius) {
  cairo_t* context = context_.get();
  select(color);
  const double radius = std::min({corner_radius, box.width / 2, box.height / 2});
  if (radius <= 0) {
    cairo_rectangle(context, box.x, box.y, box.width, box.height);
  } else {
    constexpr double quarter = std::numbers::pi / 2;
    cairo_new_sub_path(context);
    cairo_arc(context, box.x + box.width - radius, box.y + radius, radius, -quarter, 0);
    cairo_arc(context, box.x + box.width - radius, box.y + box.height - radius, radius, 0, quarter);
    cairo_arc(context, box.x + radius, box.y + box.height - radius, radius, quarter, 2 * quarter);
    cairo_arc(context, box.x + radius, box.y + radius, radius, 2 * quarter, 3 * quarter);
    cairo_close_path(context);
  }
  cairo_fill(context);
}

void Canvas::frame(const Box& box, Color color, double thickness) {
  select(color);
  cairo_set_line_width(context_.get(), thickness);
  cairo_rectangle(context_.get(), box.x, box.y, box.width, box.height);
  cairo_stroke(context_.get());
}

void Canvas::line(std::span<const Point> points, Color color, double thickness) {
  cairo_t* context = context_.get();
  select(color);
  cairo_set_line_width(context, thickness);
  cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap(context, CAIRO_LINE_CAP_ROUND);
  cairo_new_path(context);
  for (const Point& point : points) cairo_line_to(context, point.x, point.y);
  cairo_stroke(context);
}

void Canvas::disc(Point center, double radius, Color color) {
  select(color);
  cairo_new_path(context_.get());
  cairo_arc(context_.get(), center.x, center.y, radius, 0, 2 * std::numbers::pi);
  cairo_fill(context_.get());
}

double Canvas::text_width(std::string_view text, const TextStyle& style) {
  select(style);
  cairo_text_extents_t extents;
  cairo_text_extents(context_.get(), std::string(text).c_str(), &extents);
  return extents.x_advance;
}

void Canvas::text(Point at, std::string_view text, const TextStyle& style) {
  const double width = text_width(text, style);
  const double shift = style.align == Align::left ? 0 : style.align == Align::center ? width / 2 : width;
  cairo_move_to(context_.get(), at.x - shift, at.y);
  cairo_show_text(context_.get(), std::string(text).c_str());
}

void Canvas::image(const Box& box, std::span<const std::uint8_t> levels, int columns) {
  const int rows = static_cast<int>(levels.size()) / columns;
  std::vector<std::uint32_t> pixels(levels.size());
  for (std::size_t i = 0; i < levels.size(); ++i) pixels[i] = 0x010101U * (255U - levels[i]);
  const std::unique_ptr<cairo_surface_t, Release> picture(
      cairo_image_surface_create_for_data(reinterpret_cast<unsigned char*>(pixels.data()), CAIRO_FORMAT_RGB24, columns,
                                          rows, columns * static_cast<int>(sizeof(std::uint32_t))));
  cairo_t* context = context_.get();
  cairo_save(context);
  cairo_translate(context, box.x, box.y);
  cairo_scale(context, box.width / columns, box.height / rows);
  cairo_set_source_surface(context, picture.get(), 0, 0);
  cairo_pattern_set_filter(cairo_get_source(context), CAIRO_FILTER_NEAREST);
  cairo_rectangle(context, 0, 0, columns, rows);
  cairo_fill(context);
  cairo_restore(context);
}

void Canvas::save(const std::filesystem::path& path) const {
  std::string bytes;
  require(cairo_surface_write_to_png_stream(surface_.get(), append, &bytes), "Cairo cannot write PNG");
  write_file(path, bytes);
}

}  // namespace lathe::examples
