#include <algorithm>
#include <array>
#include <string_view>

#include "../support/program.h"
#include "embedded.h"
#include "report.h"

namespace lathe::laboratory {
namespace {

template <class T>
nlohmann::json or_null(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

nlohmann::json to_json(const Figures& figures) {
  nlohmann::json json = {{"step_us", figures.step_us},
                         {"dispatches", figures.costs.dispatches},
                         {"kernels", figures.costs.kernels},
                         {"bytes_moved", or_null(figures.costs.bytes_moved)},
                         {"peak_bytes", figures.costs.peak_bytes},
                         {"arena_bytes", or_null(figures.costs.arena_bytes)},
                         {"allocations", figures.allocations},
                         {"first_result_ms", figures.first_result_ms},
                         {"first_result_warm_ms", figures.first_result_warm_ms},
                         {"kernels_us", or_null(figures.kernels_us)},
                         {"profiled_step_us", or_null(figures.profiled_step_us)},
                         {"break_even", nullptr}};
  if (figures.break_even) {
    json["break_even"] = {{"cold", or_null(figures.break_even->cold)},
                          {"warm", or_null(figures.break_even->warm)},
                          {"edited", or_null(figures.break_even->edited)}};
  }
  return json;
}

nlohmann::json to_json(const Agreement& agreement) {
  return {{"batch", agreement.batch},           {"steps", agreement.steps},
          {"first_loss", agreement.first_loss}, {"last_loss", agreement.last_loss},
          {"difference", agreement.difference}, {"libtorch_distance", or_null(agreement.distance)}};
}

void replace(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

std::string escaped(std::string_view source) {
  std::string text(source);
  replace(text, "&", "&amp;");
  replace(text, "<", "&lt;");
  replace(text, ">", "&gt;");
  return text;
}

}  // namespace

nlohmann::json to_json(const Results& results) {
  nlohmann::json json = {{"bits_equal", results.bits_equal()},    {"cpu", examples::cpu_name()},
                         {"threads", results.settings.threads},   {"batches", results.settings.batches},
                         {"agreements", nlohmann::json::array()}, {"names", nlohmann::json::object()},
                         {"ways", nlohmann::json::object()}};
  for (const Agreement& agreement : results.agreements) json["agreements"].push_back(to_json(agreement));
  for (const Way& way : results.ways) json["names"][std::string(1, way.letter)] = way.name;
  for (const Figures& figures : results.figures) {
    json["ways"][std::string(1, figures.way)][std::to_string(figures.batch)] = to_json(figures);
  }
  return json;
}

std::string to_html(const nlohmann::json& figures) {
  std::string page(embedded("page.html"));
  constexpr std::array sources = {"network.h",        "eager_training.h", "graph_training.h", "traced_training.h",
                                  "ahead_training.h", "ahead_graph.cpp",  "torch_training.h"};
  for (const std::string_view source : sources) {
    replace(page, "{{source " + std::string(source) + "}}", escaped(embedded(source)));
  }
  // What ends a script must not occur within it.
  std::string json = figures.dump();
  replace(json, "<", "\\u003c");
  replace(page, "{{figures}}", json);
  return page;
}

}  // namespace lathe::laboratory
