#include "report.h"

#include <cmath>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "message.h"

namespace lathe::bench {

std::vector<Figure> speed_figures(double microseconds, double flops, double peak_gflops) {
  const double gflops = flops / microseconds * 1e-3;
  std::vector<Figure> figures = {{"speed", gflops, "GFLOP/s"}};
  if (peak_gflops > 0) figures.push_back({"of FMA peak", 100 * gflops / peak_gflops, "%"});
  return figures;
}

std::string format_time(double microseconds) {
  if (microseconds < 1) return fmt::format("{:.0f} ns", 1000 * microseconds);
  if (microseconds < 1000) return fmt::format("{:.1f} us", microseconds);
  return fmt::format("{:.2f} ms", microseconds / 1000);
}

std::string format_figure(const Figure& figure) {
  const bool has_fraction = std::abs(figure.value) < 100 && figure.value != std::round(figure.value);
  const int decimals = !has_fraction ? 0 : std::abs(figure.value) < 10 ? 2 : 1;
  return fmt::format("{:.{}f}{}{}", figure.value, decimals, figure.unit.empty() ? "" : " ", figure.unit);
}

Report::Report(std::string program, std::string about) {
  json_["program"] = std::move(program);
  json_["about"] = std::move(about);
  json_["machine"] = nlohmann::ordered_json::array();
  json_["results"] = nlohmann::ordered_json::array();
}

void Report::describe(const std::string& name, const std::optional<std::string>& value) {
  if (!value) return;
  fmt::print("{}: {}\n", name, *value);
  std::fflush(stdout);
  json_["machine"].push_back({{"name", name}, {"value", *value}});
}

void Report::add(const Measurement& measurement) {
  const double others = std::exchange(other_load_, OtherLoad()).share();
  std::vector<Figure> figures = measurement.figures;
  if (measurement.threads > 1) figures.push_back({"message", message_nanoseconds(), "ns"});
  fmt::print("\n{}, {} thread{}", measurement.subject, measurement.threads, measurement.threads == 1 ? "" : "s");
  for (const Figure& figure : figures) fmt::print(", {}: {}", figure.name, format_figure(figure));
  fmt::print("\n");
  if (others > noisy_share) fmt::print("    noisy: other processes took {:.0f}% of the CPUs\n", 100 * others);

  nlohmann::ordered_json timings = nlohmann::ordered_json::array();
  for (const Timing& timing : measurement.timings) {
    fmt::print("    {:<24}{:>10}   ({} to {})", timing.name, format_time(timing.microseconds), format_time(timing.low),
               format_time(timing.high));
    if (&timing != measurement.timings.data()) {
      fmt::print("   {:.2f}x{}", timing.ratio, timing.ratio < 1 ? ", Lathe is slower" : "");
    }
    fmt::print("\n");
    timings.push_back({{"name", timing.name},
                       {"us", timing.microseconds},
                       {"us_low", timing.low},
                       {"us_high", timing.high},
                       {"ratio", timing.ratio}});
  }
  std::fflush(stdout);

  nlohmann::ordered_json facts = nlohmann::ordered_json::array();
  for (const auto& [name, value, unit] : figures) facts.push_back({{"name", name}, {"value", value}, {"unit", unit}});
  json_["results"].push_back({{"subject", measurement.subject},
                              {"threads", measurement.threads},
                              {"others", others},
                              {"timings", timings},
                              {"figures", facts}});
}

}  // namespace lathe::bench
