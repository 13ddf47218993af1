#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <lathe/runtime/session.h>

namespace lathe::examples {

/// What the Fashion-MNIST programs take on their command line.
struct TrainingArguments {
  std::int64_t epochs = 10;
  std::int64_t batch = 32;
  int threads = 0;
  std::uint64_t seed = 1;
  double learning_rate = 0.001;
  std::optional<std::int64_t> limit = std::nullopt;
  std::optional<std::filesystem::path> data = std::nullopt;
  std::filesystem::path out = "out";
  std::optional<std::filesystem::path> json = std::nullopt;
  std::string instruction_set = "native";
  bool explain = false;

  SessionOptions session() const;
};

/// The body of main(): reads the command line, runs `body`, and turns errors into a message and an exit code. What the
/// command line leaves out is as in `defaults`.
int run_training_program(int argc, char** argv, const std::string& description,
                         const std::function<void(const TrainingArguments&)>& body, TrainingArguments defaults = {});

/// With --explain: prints why the training step looks as it does and what its kernels took, and writes explain.html
/// into the folder of --out.
void explain(const TrainingArguments& arguments, const Callable& step);

/// Runs `body`; an exception becomes a message on standard error and exit code 1.
int guarded(const std::function<void()>& body);

/// "AMD EPYC 7763 64-Core Processor"; "unknown" where the system does not say.
std::string cpu_name();

}  // namespace lathe::examples
