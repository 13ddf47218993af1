#include "program.h"

#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <lathe/ops/source.h>
#include <lathe/runtime/cpus.h>
#include <lathe/runtime/session.h>

#include <lathe/runtime/write_file.h>
#include "../../../examples/support/program.h"
#include "copy.h"
#include "fma_peak.h"

namespace lathe::bench {
namespace {

/// "znver5, avx512": what Lathe compiles for.
std::string lathe_target(const SessionOptions& options) {
  Graph graph;
  const Value zero = constant(graph, 0.0F);
  Session session(graph, options);
  return session.prepare({zero}).statistics().target;
}

void describe_machine(const Setting& setting, Report& report) {
  report.describe("CPU", fmt::format("{}, {} usable", examples::cpu_name(), usable_cpus()));
  report.describe("Lathe",
                  fmt::format("LLVM {}, compiles for {}", LATHE_LLVM_VERSION, lathe_target(setting.session(1))));
  report.describe("benchmarks compiled with", LATHE_COMPILER);
  const int cpus = usable_cpus();
  report.describe("FMA peak", fmt::format("{:.0f} GFLOP/s a core (f32), {:.0f} GFLOP/s on {} thread{} at once",
                                          setting.fma_peak_gflops, fma_peak_gflops(cpus), cpus, cpus == 1 ? "" : "s"));
  std::vector<std::string> rates = {fmt::format("{:.0f} GB/s in cache", copy_gbytes_per_second(bytes_in_cache, 1))};
  for (const int threads : std::set<int>{1, usable_cpus()}) {
    rates.push_back(fmt::format("{:.0f} GB/s out of cache on {} thread{}",
                                copy_gbytes_per_second(bytes_out_of_cache, threads), threads, threads == 1 ? "" : "s"));
  }
  report.describe("copying (bytes read and written)", fmt::format("{}", fmt::join(rates, ", ")));
}

}  // namespace

SessionOptions Setting::session(int thread_count) const {
  return {.threads = thread_count,
          .instruction_set = parse_instruction_set(instruction_set),
          .cache = {.enabled = false}};  // what compiling costs is measured, too
}

std::vector<double> numbers(const Tensor& tensor) {
  std::vector<double> out(static_cast<std::size_t>(tensor.size()));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = tensor.at(static_cast<std::int64_t>(i));
  return out;
}

int run_benchmark(int argc, char** argv, const std::string& program, const std::string& about,
                  const std::function<void(const Setting& setting, Report& report)>& body) {
  Setting setting;
  const std::set<int> one_and_all = {1, usable_cpus()};
  setting.threads.assign(one_and_all.begin(), one_and_all.end());
  CLI::App app(about);
  app.option_defaults()->always_capture_default();
  app.add_option("--blocks", setting.pace.blocks, "Turns that each contestant takes")->check(CLI::PositiveNumber);
  app.add_option("--block-ms", setting.pace.block_milliseconds, "Milliseconds of a turn")->check(CLI::PositiveNumber);
  app.add_option("--threads", setting.threads, "Numbers of threads to measure with")->check(CLI::PositiveNumber);
  app.add_option("--only", setting.only, "Measure only subjects that contain this text");
  app.add_option("--instruction-set", setting.instruction_set, "native, portable, avx2 or avx512");
  app.add_option("--json", setting.json, "File for the figures");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return examples::guarded([&] {
    Report report(program, about);
    setting.fma_peak_gflops = fma_peak_gflops();
    describe_machine(setting, report);
    body(setting, report);
    if (setting.json) write_file(*setting.json, report.json().dump(2) + "\n");
  });
}

}  // namespace lathe::bench
