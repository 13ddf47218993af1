#include "program.h"

#include <cstdio>
#include <exception>
#include <fstream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <lathe/runtime/write_file.h>

namespace lathe::examples {

SessionOptions TrainingArguments::session() const {
  return {
      .threads = threads, .instruction_set = parse_instruction_set(instruction_set), .profile = explain, .seed = seed};
}

void explain(const TrainingArguments& arguments, const Callable& step) {
  if (!arguments.explain) return;
  const Explanation why = step.explain();
  const std::filesystem::path page = arguments.out / "explain.html";
  write_file(page, to_html(why));
  fmt::print("\n{}\nThe same as a page: {}\n", to_text(why), page.string());
}

int guarded(const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}

int run_training_program(int argc, char** argv, const std::string& description,
                         const std::function<void(const TrainingArguments&)>& body, TrainingArguments arguments) {
  CLI::App app(description);
  // Of options given twice the last counts, so that scripts can put theirs first.
  app.option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--epochs", arguments.epochs, "Passes over the training images")->check(CLI::PositiveNumber);
  app.add_option("--batch", arguments.batch, "Images a training step")->check(CLI::PositiveNumber);
  app.add_option("--threads", arguments.threads, "Threads to run on; 0: all CPUs")->check(CLI::NonNegativeNumber);
  app.add_option("--seed", arguments.seed, "Behind initial weights and the order of images");
  app.add_option("--learning-rate", arguments.learning_rate, "Adam's learning rate")->check(CLI::PositiveNumber);
  app.add_option("--limit", arguments.limit, "Train on the first N images only")->check(CLI::PositiveNumber);
  app.add_option("--data", arguments.data, "Folder with the four Fashion-MNIST files");
  app.add_option("--out", arguments.out, "Folder for the pictures");
  app.add_option("--json", arguments.json, "File for the figures of the run");
  app.add_flag("--explain", arguments.explain, "Say what the training step's kernels do, and what they took");
  app.add_option("--instruction-set", arguments.instruction_set, "native, portable, avx2, avx512 or neon");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return guarded([&] { body(arguments); });
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace lathe::examples
