#include <lathe/runtime/model/history.h>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lathe/graph/error.h>

namespace lathe::nn {

std::optional<double> EpochLog::find(std::string_view name) const {
  const auto found = std::ranges::find(values, name, &NamedNumber::first);
  return found == values.end() ? std::nullopt : std::optional(found->second);
}

std::vector<double> History::series(std::string_view name) const {
  std::vector<double> numbers;
  for (const EpochLog& epoch : epochs) {
    if (const auto number = epoch.find(name)) numbers.push_back(*number);
  }
  if (!numbers.empty() || epochs.empty()) return numbers;
  std::vector<std::string_view> names;
  for (const auto& value : epochs.front().values) names.emplace_back(value.first);
  throw RunError(fmt::format("the history has no '{}'; it has {}", name, fmt::join(names, ", ")));
}

double History::median_step_microseconds() const {
  if (step_microseconds.empty()) return 0;
  std::vector<float> times = step_microseconds;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::ranges::nth_element(times, middle);
  return *middle;
}

}  // namespace lathe::nn
