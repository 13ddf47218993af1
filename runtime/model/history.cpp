#include <lathe/runtime/model/history.h>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lathe/graph/error.h>

namespace lathe::nn {

std::optional<double> Measurements::find(std::string_view name) const {
  const auto found = std::ranges::find(all, name, &NamedNumber::first);
  return found == all.end() ? std::nullopt : std::optional(found->second);
}

double Measurements::at(std::string_view name) const {
  if (const auto number = find(name)) return *number;
  std::vector<std::string_view> names;
  for (const auto& value : all) names.emplace_back(value.first);
  throw RunError(fmt::format("no '{}' was measured, but {}", name, fmt::join(names, ", ")));
}

std::vector<double> History::series(std::string_view name) const {
  std::vector<double> numbers;
  for (const EpochLog& epoch : epochs) numbers.push_back(epoch.values.at(name));
  return numbers;
}

double History::median_step_microseconds() const {
  if (step_microseconds.empty()) return 0;
  std::vector<float> times = step_microseconds;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::ranges::nth_element(times, middle);
  return *middle;
}

}  // namespace lathe::nn
