#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <lathe/codegen/executable.h>

namespace lathe {

/// What one step of a program took, in nanoseconds.
struct StepTime {
  double fastest = 0;  // of all runs
  double total = 0;
};

/// What a session knows of one compiled program.
struct ProgramStatistics {
  std::string name;                  // of what was fetched first
  std::vector<CompilePhase> phases;  // extraction, passes, lowering, code generation, ...
  double compile_milliseconds = 0;   // of all phases
  std::size_t kernels = 0;
  std::int64_t arena_bytes = 0;  // of its last run
  std::string target;            // "znver5, avx512"; "interpreter"
  std::uint64_t runs = 0;
  std::vector<StepTime> steps;  // with SessionOptions::profile: one a step of the compiled program
};

}  // namespace lathe
