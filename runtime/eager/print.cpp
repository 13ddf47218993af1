// Arrays as text.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <lathe/runtime/eager/array.h>

namespace lathe::eager {
namespace {

constexpr std::int64_t most_elements = 1000;  // of an array that is printed whole
constexpr std::int64_t edge = 3;              // elements at either end of an axis that is not
constexpr std::size_t line_width = 88;
constexpr int most_digits = 8;

std::string without_zeros(std::string text) {
  while (text.back() == '0') text.pop_back();
  return text;
}

/// How all numbers of one array are written: with a point, or in powers of ten if they differ too much.
template <class T>
struct FloatFormat {
  bool scientific = false;

  explicit FloatFormat(const std::vector<T>& numbers) {
    T largest = 0;
    T smallest = 0;
    for (const T number : numbers) {
      const T size = std::abs(number);
      if (!std::isfinite(number) || size == 0) continue;
      largest = std::max(largest, size);
      smallest = smallest == 0 ? size : std::min(smallest, size);
    }
    scientific = largest >= T(1e8) || (smallest > 0 && (smallest < T(1e-4) || largest / smallest > T(1000)));
  }

  std::string operator()(T number) const {
    if (!std::isfinite(number)) return fmt::format("{}", number);
    if (scientific) return fmt::format("{:.{}e}", number, std::min(most_digits, shortest_digits(number) - 1));
    std::string shortest = fmt::format("{}", number);
    const std::size_t point = shortest.find('.');
    const bool plain = shortest.find('e') == std::string::npos;
    if (plain && point == std::string::npos) return shortest + ".";
    if (plain && shortest.size() - point - 1 <= most_digits) return shortest;
    return without_zeros(fmt::format("{:.{}f}", number, most_digits));
  }

 private:
  /// The digits that tell the number from its neighbours.
  static int shortest_digits(T number) {
    const std::string text = fmt::format("{}", std::abs(number));
    int digits = 0;
    bool begun = false;
    for (const char c : text.substr(0, text.find('e'))) {
      begun = begun || (c >= '1' && c <= '9');
      digits += begun && c != '.' ? 1 : 0;
    }
    return std::max(digits, 1);
  }
};

/// Writes nested brackets around the elements that are shown.
class Printer {
 public:
  Printer(const Extents& extents, bool whole) : extents_(extents), whole_(whole) {}

  /// Flat indices of all elements that are shown.
  std::vector<std::int64_t> shown() const {
    std::vector<std::int64_t> indices = {0};
    for (const std::int64_t extent : extents_) {
      std::vector<std::int64_t> next;
      for (const std::int64_t index : indices) {
        for (const std::int64_t i : positions(extent)) {
          if (i >= 0) next.push_back(index * extent + i);
        }
      }
      indices = std::move(next);
    }
    return indices;
  }

  std::string print(std::vector<std::string> elements) {
    for (const std::string& element : elements) width_ = std::max(width_, element.size());
    elements_ = std::move(elements);
    std::string out;
    print_axis(out, 0);
    return out;
  }

 private:
  /// 0, 1, ..., with -1 for what is left out.
  std::vector<std::int64_t> positions(std::int64_t extent) const {
    std::vector<std::int64_t> out;
    for (std::int64_t i = 0; i < extent; ++i) {
      if (whole_ || extent <= 2 * edge || i < edge || i >= extent - edge) {
        out.push_back(i);
      } else if (out.back() != -1) {
        out.push_back(-1);
      }
    }
    return out;
  }

  void print_axis(std::string& out, std::size_t axis) {
    if (axis == extents_.size()) {
      out += fmt::format("{:>{}}", elements_[next_++], width_);
      return;
    }
    const bool last = axis + 1 == extents_.size();
    const std::string indent(axis + 1, ' ');
    out += '[';
    std::size_t column = axis + 1;
    bool first = true;
    for (const std::int64_t position : positions(extents_[axis])) {
      if (!first && !last) out += std::string(extents_.size() - axis - 1, '\n') + indent;
      if (!first && last) {
        const bool full = column + 1 + width_ > line_width;
        out += full ? "\n" + indent : " ";
        column = full ? axis + 1 : column + 1;
      }
      first = false;
      column += width_;
      if (position < 0) {
        out += "...";
      } else {
        print_axis(out, axis + 1);
      }
    }
    out += ']';
  }

  const Extents& extents_;
  bool whole_;
  std::vector<std::string> elements_;
  std::size_t width_ = 0;
  std::size_t next_ = 0;
};

/// Points under one another: as many characters after it as the longest has.
void align_points(std::vector<std::string>& numbers) {
  const auto after_point = [](const std::string& text) {
    const std::size_t point = text.find('.');
    return point == std::string::npos ? std::size_t{0} : text.size() - point - 1;
  };
  std::size_t longest = 0;
  for (const std::string& number : numbers) longest = std::max(longest, after_point(number));
  for (std::string& number : numbers) {
    if (number.find('.') != std::string::npos) number.append(longest - after_point(number), ' ');
  }
}

/// The same number of digits for all numbers in powers of ten.
template <class T>
void align_digits(std::vector<std::string>& texts, const std::vector<T>& numbers) {
  std::size_t digits = 0;
  for (const std::string& text : texts) {
    const std::size_t point = text.find('.');
    if (point != std::string::npos) digits = std::max(digits, text.find('e') - point - 1);
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (std::isfinite(numbers[i])) texts[i] = fmt::format("{:#.{}e}", numbers[i], digits);
  }
}

template <class T>
std::vector<std::string> texts_of(const std::vector<T>& elements) {
  std::vector<std::string> texts;
  if constexpr (std::is_floating_point_v<T>) {
    const FloatFormat<T> format(elements);
    for (const T element : elements) texts.push_back(format(element));
    if (format.scientific) {
      align_digits(texts, elements);
    } else {
      align_points(texts);
    }
  } else {
    for (const T element : elements) {
      if constexpr (std::is_same_v<T, bool>) {
        texts.push_back(element ? "True" : "False");
      } else {
        texts.push_back(fmt::format("{}", +element));
      }
    }
  }
  return texts;
}

}  // namespace

std::string to_string(const Array& array) {
  return dispatch(array.dtype(), [&]<class T>(T) {
    Printer printer(array.extents(), array.size() <= most_elements);
    const std::span<const T> data = array.data<T>();
    std::vector<T> shown;
    for (const std::int64_t index : printer.shown()) shown.push_back(data[static_cast<std::size_t>(index)]);
    return printer.print(texts_of(shown));
  });
}

}  // namespace lathe::eager
