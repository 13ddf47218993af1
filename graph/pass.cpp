#include <lathe/graph/pass.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>

#include <lathe/graph/graphviz.h>
#include <lathe/graph/text.h>
#include <lathe/graph/verify.h>

namespace lathe {
namespace {

using Clock = std::chrono::steady_clock;

void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw DataError(fmt::format("cannot write '{}'", path.string()));
}

void dump(const Graph& graph, std::size_t number, std::string_view name, const PassOptions& options) {
  if (options.dump.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(options.dump, error);
  if (error) throw DataError(fmt::format("cannot make folder '{}': {}", options.dump.string(), error.message()));
  const std::string stem = fmt::format("{:02}-{}", number, name);
  write_file(options.dump / (stem + ".txt"), to_text(graph, {.max_elements = 32}));
  write_file(options.dump / (stem + ".dot"), to_graphviz(graph));
}

void verify_after(const Graph& graph, std::string_view pass) {
  try {
    verify(graph);
  } catch (const std::logic_error& error) {
    throw std::logic_error(fmt::format("after pass '{}': {}", pass, error.what()));
  }
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

}  // namespace

bool PassOptions::enabled(std::string_view name) const {
  return std::find(disable.begin(), disable.end(), name) == disable.end();
}

PassOptions PassOptions::from_environment() {
  PassOptions options;
  if (const char* folder = std::getenv("LATHE_DUMP")) options.dump = folder;
  if (const char* names = std::getenv("LATHE_DISABLE")) options.disable = split(names);
  return options;
}

PassResult run_passes(const Graph& graph, std::span<const Pass> passes, const PassOptions& options) {
  PassResult result{graph, {}};
  dump(graph, 0, "input", options);
  for (std::size_t i = 0; i < passes.size(); ++i) {
    const auto& [name, apply] = passes[i];
    PassReport report{.name = name, .nodes_before = result.graph.size(), .nodes_after = result.graph.size()};
    if (!options.enabled(name)) {
      report.skipped = true;
      result.reports.push_back(std::move(report));
      continue;
    }
    const auto start = Clock::now();
    Graph after = apply(result.graph);
    report.time = Clock::now() - start;
    report.changed = !same_structure(result.graph, after);
    report.nodes_after = after.size();
    result.graph = std::move(after);
    if (report.changed && options.verify) verify_after(result.graph, name);
    dump(result.graph, i + 1, name, options);
    result.reports.push_back(std::move(report));
  }
  return result;
}

std::string to_string(std::span<const PassReport> reports) {
  std::string text;
  for (const PassReport& report : reports) {
    const double milliseconds = std::chrono::duration<double, std::milli>(report.time).count();
    const std::string did = report.skipped ? "skipped" : fmt::format("{:.2f} ms", milliseconds);
    text += fmt::format("{:<24} {:>6} -> {:<6} nodes  {}\n", report.name, report.nodes_before, report.nodes_after, did);
  }
  return text;
}

}  // namespace lathe
