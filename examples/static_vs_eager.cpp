// The laboratory: one network, trained eagerly, as a traced function, as a graph with a session, ahead of time, and by
// libtorch. All of Lathe's ways must give the same bits at every step; what they cost otherwise becomes a table, JSON
// and a page.

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <lathe/runtime/write_file.h>

#include "laboratory/laboratory.h"
#include "laboratory/report.h"
#include "support/program.h"

using namespace lathe;

namespace {

/// Exit code of a run in which bits differ.
constexpr int bits_differ = 2;

int run(const laboratory::Settings& settings, const std::filesystem::path& out,
        const std::optional<std::filesystem::path>& json) {
  const laboratory::Results results = laboratory::investigate(settings);
  fmt::print("\n{}", laboratory::to_table(results));
  const nlohmann::json figures = laboratory::to_json(results);
  const std::filesystem::path page = out / "static_vs_eager.html";
  write_file(page, laboratory::to_html(figures));
  if (json) write_file(*json, figures.dump(2) + "\n");
  fmt::print("The same as a page, with charts and sources: {}\n", page.string());
  return results.bits_equal() ? 0 : bits_differ;
}

}  // namespace

int main(int argc, char** argv) {
  laboratory::Settings settings;
  std::filesystem::path out = "out";
  std::optional<std::filesystem::path> json;

  CLI::App app("Trains one network in every way that Lathe has, and compares what they give and what they take.");
  app.option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--batches", settings.batches, "Batch sizes, with commas")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--epochs", settings.epochs, "Epochs in which every step of 32 images is compared")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--steps", settings.steps, "Steps that are compared at each batch size")->check(CLI::PositiveNumber);
  app.add_option("--milliseconds", settings.milliseconds, "How long each way is timed at each batch size")
      ->check(CLI::PositiveNumber);
  app.add_option("--threads", settings.threads, "Threads to run on; 0: all CPUs")->check(CLI::NonNegativeNumber);
  app.add_option("--seed", settings.seed, "Behind initial weights and the order of images");
  app.add_option("--limit", settings.limit, "Train on N images only")->check(CLI::PositiveNumber);
  app.add_option("--data", settings.data, "Folder with the four Fashion-MNIST files");
  app.add_option("--out", out, "Folder for the page");
  app.add_option("--json", json, "File for the figures");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  int code = 1;
  const int failed = examples::guarded([&] { code = run(settings, out, json); });
  return failed != 0 ? failed : code;
}
