// Makes BENCHMARKS.md and its charts from the figures that the benchmarks wrote with --json.

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <lathe/graph/error.h>

#include <lathe/runtime/write_file.h>
#include "../../examples/support/program.h"
#include "chart.h"
#include "support/report.h"

using namespace lathe;
using namespace lathe::bench;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::string_view introduction = R"(# Benchmarks

`script/bench` measured this and wrote this page: it installs the peers, builds, and runs every program of
[tests/bench]({}), whose first lines say what each of them does.

All contestants of a row do the same work, and their results were compared before they were timed. They take turns in
short blocks; a time is that of a run, the median of all. The factor is the peer's time divided by Lathe's: above 1
Lathe is the faster one; **below 1, in bold, Lathe is the slower one**. Charts show the same factors. Nothing is left
out. A row with a ~ was measured while other processes took more than a tenth of the CPUs, and says little, above all
with more than one thread. A message is what one CPU tells another, and its answer: 100 ns where both share a cache, five
times that where they do not. Virtual machines move from the one to the other while a benchmark runs, and what threads
gain moves with them.
)";

Json read(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw Error(fmt::format("cannot read '{}'", path.string()));
  return Json::parse(file);
}

std::string text(const Json& json, const char* key) {
  return json.at(key).get<std::string>();
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
}

/// The member `name` of a list of objects that have names, or nothing.
const Json* find(const Json& list, const std::string& name) {
  for (const Json& entry : list) {
    if (text(entry, "name") == name) return &entry;
  }
  return nullptr;
}

std::string markdown_row(const std::vector<std::string>& cells) {
  return fmt::format("| {} |\n", fmt::join(cells, " | "));
}

std::string markdown_table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::string> rule(head.size(), "---:");
  rule.front() = "---";
  std::string out = markdown_row(head) + markdown_row(rule);
  for (const auto& row : rows) out += markdown_row(row);
  return out;
}

std::string figure_cell(const Json* figure) {
  if (figure == nullptr) return "";
  return format_figure({text(*figure, "name"), figure->at("value").get<double>(), text(*figure, "unit")});
}

std::string ratio_text(double ratio) {
  return fmt::format("{:.2f}x", ratio);
}

std::string timing_cell(const Json* timing, bool is_peer) {
  if (timing == nullptr) return "";
  std::string cell = format_time(timing->at("us").get<double>());
  if (!is_peer) return cell;
  const double ratio = timing->at("ratio").get<double>();
  return fmt::format(fmt::runtime(ratio < 1 ? "{}, **{}**" : "{}, {}"), cell, ratio_text(ratio));
}

std::string marked_subject(const Json& result) {
  const bool noisy = result.at("others").get<double>() > noisy_share;
  return (noisy ? "~ " : "") + text(result, "subject");
}

std::string results_table(const Json& results) {
  std::vector<std::string> contestants;
  std::vector<std::string> figures;
  for (const Json& result : results) {
    for (const Json& timing : result.at("timings")) add_once(contestants, text(timing, "name"));
    for (const Json& figure : result.at("figures")) add_once(figures, text(figure, "name"));
  }
  // Lathe's time, what is known of it, then the peers.
  std::vector<std::string> head = {"", "threads"};
  const std::size_t own = std::min<std::size_t>(contestants.size(), 1);
  head.insert(head.end(), contestants.begin(), contestants.begin() + own);
  head.insert(head.end(), figures.begin(), figures.end());
  head.insert(head.end(), contestants.begin() + own, contestants.end());
  std::vector<std::vector<std::string>> rows;
  for (const Json& result : results) {
    auto& row = rows.emplace_back();
    row = {marked_subject(result), std::to_string(result.at("threads").get<int>())};
    for (std::size_t i = 0; i < own; ++i) row.push_back(timing_cell(find(result.at("timings"), contestants[i]), false));
    for (const auto& name : figures) row.push_back(figure_cell(find(result.at("figures"), name)));
    for (std::size_t i = own; i < contestants.size(); ++i) {
      row.push_back(timing_cell(find(result.at("timings"), contestants[i]), true));
    }
  }
  return markdown_table(head, rows);
}

std::string group_label(const Json& result) {
  const int threads = result.at("threads").get<int>();
  return fmt::format("{}, {} thread{}", marked_subject(result), threads, threads == 1 ? "" : "s");
}

/// Ratios to peers; where there are none, the times among the figures.
std::string chart(const Json& report) {
  std::vector<BarGroup> ratios;
  std::vector<BarGroup> times;
  for (const Json& result : report.at("results")) {
    BarGroup peers{group_label(result), {}};
    for (const Json& timing : result.at("timings")) {
      if (&timing == &result.at("timings").front()) continue;
      const double ratio = timing.at("ratio").get<double>();
      peers.bars.push_back({text(timing, "name"), ratio, ratio_text(ratio)});
    }
    if (!peers.bars.empty()) ratios.push_back(std::move(peers));
    BarGroup figures{group_label(result), {}};
    for (const Json& figure : result.at("figures")) {
      if (text(figure, "unit") != "ms") continue;
      figures.bars.push_back({text(figure, "name"), figure.at("value").get<double>(), figure_cell(&figure)});
    }
    if (!figures.bars.empty()) times.push_back(std::move(figures));
  }
  const std::string program = text(report, "program");
  if (ratios.empty()) return amount_chart(program + ": milliseconds", times);
  return ratio_chart(program + ": time of a peer divided by Lathe's (above 1 Lathe is faster)", ratios);
}

struct Tally {
  int comparisons = 0;
  int losses = 0;
};

Tally tally(const std::vector<Json>& reports) {
  Tally sum;
  for (const Json& report : reports) {
    for (const Json& result : report.at("results")) {
      for (std::size_t i = 1; i < result.at("timings").size(); ++i) {
        ++sum.comparisons;
        if (result.at("timings")[i].at("ratio").get<double>() < 1) ++sum.losses;
      }
    }
  }
  return sum;
}

/// Facts that several programs noted come once, as the first noted them.
std::string machine_table(const std::vector<Json>& reports) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> seen;
  for (const Json& report : reports) {
    for (const Json& fact : report.at("machine")) {
      const std::string name = text(fact, "name");
      if (std::ranges::find(seen, name) != seen.end()) continue;
      seen.push_back(name);
      rows.push_back({name, text(fact, "value")});
    }
  }
  return markdown_table({"what", "measured with"}, rows);
}

void write_report(const std::vector<std::filesystem::path>& inputs, const std::filesystem::path& page,
                  const std::string& charts) {
  std::vector<Json> reports;
  for (const auto& path : inputs) reports.push_back(read(path));
  const auto [comparisons, losses] = tally(reports);
  const std::filesystem::path programs = std::filesystem::proximate("tests/bench", absolute(page).parent_path());
  std::string out = fmt::format(introduction, programs.generic_string());
  out += fmt::format("\nOf {} comparisons Lathe loses {}.\n\n## Machine\n\n{}", comparisons, losses,
                     machine_table(reports));
  for (const Json& report : reports) {
    const std::string program = text(report, "program");
    const std::string picture = fmt::format("{}/{}.svg", charts, program);
    write_file(page.parent_path() / picture, chart(report));
    out += fmt::format("\n## {}\n\n{}\n\n![Chart of {}]({})\n\n{}", program, text(report, "about"), program, picture,
                       results_table(report.at("results")));
  }
  write_file(page, out);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path page = "BENCHMARKS.md";
  std::string charts = "benchmarks";
  CLI::App app("Makes a page of tables and charts from the figures of benchmarks.");
  app.option_defaults()->always_capture_default();
  app.add_option("figures", inputs, "Files that benchmarks wrote with --json")->required();
  app.add_option("--out", page, "The page");
  app.add_option("--charts", charts, "Folder for its charts, beside the page");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return examples::guarded([&] { write_report(inputs, page, charts); });
}
