#include <lathe/runtime/debug/numerics.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include <lathe/runtime/debug/stepwise.h>

namespace lathe::debug {
namespace {

ValueNumerics describe_value(const NodeValue& value) {
  const Tensor& tensor = value.tensor;
  ValueNumerics out{.name = value.node.name,
                    .op = value.node.op->name,
                    .where = value.node.where,
                    .forward = value.node.forward,
                    .dtype = tensor.dtype(),
                    .shape = tensor.shape(),
                    .min = {},
                    .max = {},
                    .mean = {}};
  if (value.output > 0) out.name += fmt::format(":{}", value.output);
  double sum = 0;
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    const double x = tensor.at(i);
    out.zeros += x == 0 ? 1 : 0;
    out.nans += std::isnan(x) ? 1 : 0;
    out.infinities += std::isinf(x) ? 1 : 0;
    if (!std::isfinite(x)) continue;
    out.min = std::min(out.min.value_or(x), x);
    out.max = std::max(out.max.value_or(x), x);
    sum += x;
  }
  const std::int64_t finite = tensor.size() - out.nans - out.infinities;
  if (finite > 0) out.mean = sum / static_cast<double>(finite);
  return out;
}

constexpr std::size_t columns = 11;
using Row = std::array<std::string, columns>;

std::string short_number(const std::optional<double>& x) {
  return x ? fmt::format("{:.5g}", *x) : "-";
}

/// The least and the largest are elements: whole numbers are shown whole.
std::string element(const std::optional<double>& x, DType dtype) {
  return x && !is_float(dtype) ? fmt::format("{:.0f}", *x) : short_number(x);
}

Row row(const ValueNumerics& value) {
  const bool bad = value.nans + value.infinities > 0;
  return {
      bad ? "!" : "",
      value.name,
      value.op,
      fmt::format("{} {}", lathe::to_string(value.dtype), lathe::to_string(value.shape)),
      element(value.min, value.dtype),
      element(value.max, value.dtype),
      short_number(value.mean),
      fmt::format("{:.1f}%", 100 * value.share_of_zeros()),
      fmt::format("{}", value.nans),
      fmt::format("{}", value.infinities),
      value.forward ? fmt::format("{}, gradient of {}", describe(value.where), *value.forward) : describe(value.where)};
}

bool is_number_column(std::size_t column) {
  return column >= 4 && column <= 9;
}

}  // namespace

double ValueNumerics::share_of_zeros() const {
  const std::int64_t size = element_count(shape);
  return size == 0 ? 0 : static_cast<double>(zeros) / static_cast<double>(size);
}

Numerics numerics(Session& session, const ValueRefs& fetches, const std::vector<Feed>& feeds) {
  Numerics out;
  run_stepwise(session, fetches, feeds, [&](const NodeValue& value) {
    out.push_back(describe_value(value));
    return true;
  });
  return out;
}

std::string to_string(const Numerics& numerics) {
  std::vector<Row> rows{{"", "node", "op", "type", "min", "max", "mean", "zeros", "NaN", "inf", "line"}};
  for (const ValueNumerics& value : numerics) rows.push_back(row(value));
  std::array<std::size_t, columns> widths{};
  for (const Row& cells : rows) {
    for (std::size_t c = 0; c < columns; ++c) widths[c] = std::max(widths[c], cells[c].size());
  }
  std::string text;
  for (const Row& cells : rows) {
    std::string line;
    for (std::size_t c = 0; c < columns; ++c) {
      line += is_number_column(c) ? fmt::format("{:>{}}  ", cells[c], widths[c])
                                  : fmt::format("{:<{}}  ", cells[c], widths[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace lathe::debug
