#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "contest.h"
#include "other_load.h"

namespace lathe::bench {

/// A number about a measurement: {"speed", 512, "GFLOP/s"}.
struct Figure {
  std::string name;
  double value;
  std::string unit;
};

/// What was measured of one subject; a row of a table in the end.
struct Measurement {
  std::string subject;  // "32 x 128 x 784"
  int threads = 1;
  std::vector<Timing> timings = {};  // Lathe's first; empty where figures say all
  std::vector<Figure> figures = {};  // about Lathe
};

/// Figures of work that is all multiplications and additions. `peak_gflops` is of all threads together; 0 if unknown.
std::vector<Figure> speed_figures(double microseconds, double flops, double peak_gflops);

/// "831 ns", "12.3 us", "4.56 ms"
std::string format_time(double microseconds);
/// "512 GFLOP/s", "0.25 ms"
std::string format_figure(const Figure& figure);

/// Prints what a benchmark measures, one measurement after the other, and keeps it for a file.
class Report {
 public:
  /// `about` says in a sentence or two what is measured, for readers of the tables.
  Report(std::string program, std::string about);

  /// Notes a fact about the machine or a library, if there is one: describe("OpenBLAS", "0.3.21, kernels Haswell").
  void describe(const std::string& name, const std::optional<std::string>& value);
  /// Notes how busy other processes were since the last one, too, and with several threads how far apart CPUs are.
  void add(const Measurement& measurement);

  const nlohmann::ordered_json& json() const { return json_; }

 private:
  nlohmann::ordered_json json_;
  OtherLoad other_load_;  // since the last measurement
};

}  // namespace lathe::bench
