#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <lathe/graph/tensor.h>
#include <lathe/runtime/options.h>

#include "contest.h"
#include "report.h"

namespace lathe::bench {

/// What every benchmark takes on its command line, and what was measured of the machine at its start.
struct Setting {
  Pace pace;
  std::vector<int> threads;  // each number of threads to measure with
  std::string instruction_set = "native";
  std::string only;  // subjects to measure contain this
  std::optional<std::filesystem::path> json;
  double fma_peak_gflops = 0;  // f32, of one core

  SessionOptions session(int thread_count) const;
  bool wants(const std::string& subject) const { return subject.find(only) != std::string::npos; }
  /// Of `thread_count` cores, for elements of so many bytes.
  double peak_gflops(int thread_count, std::size_t element_bytes = 4) const {
    return fma_peak_gflops * thread_count * 4 / static_cast<double>(element_bytes);
  }
};

/// All elements, for Contestant::result.
std::vector<double> numbers(const Tensor& tensor);

/// The body of main(): reads the command line, describes the machine, runs `body`, writes the report's file, and turns
/// errors into a message and an exit code.
int run_benchmark(int argc, char** argv, const std::string& program, const std::string& about,
                  const std::function<void(const Setting& setting, Report& report)>& body);

}  // namespace lathe::bench
