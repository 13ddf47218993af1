#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lathe/codegen/executable.h>

namespace lathe {

/// What one step of a program does at given sizes.
struct StepReport {
  std::string name;
  std::string holds = {};     // the graph nodes whose work it does
  std::string boundary = {};  // why it was not fused further; empty if nothing was in the way
  std::string schedule = {};  // "tile i, j: 8x2 vectors of 16; panels of 64 columns"; empty for what is no loop nest
  double flops = 0;           // floating-point operations
  double bytes = 0;           // each element that is read or written counted once
  std::int64_t chunks = 1;
  double predicted_us = 0;                 // by the machine model
  std::optional<double> measured_us = {};  // of kernels in strips the first one's is that of them all
};

/// Why a program looks as it does, and what it costs.
struct Explanation {
  std::string program;
  std::string target;  // "znver5, avx512"
  std::string sizes;   // "batch = 32"
  std::int64_t arena_bytes = 0;
  std::vector<StepReport> steps;
  std::vector<CompilePhase> phases;
  std::string cache = {};  // whether the code came from there, and if not why; empty if there was none to ask
};

/// Explains a compiled program for the sizes that `bindings` give its symbols. `measured_us` holds one time a step of
/// the program, or nothing.
Explanation explain(const Executable& executable, const Bindings& bindings, std::span<const double> measured_us = {});

/// A table of the steps, then what each holds and why it ends where it ends, then compile time by phase.
std::string to_text(const Explanation& explanation);
/// The same as one self-contained page, with a timeline.
std::string to_html(const Explanation& explanation);

}  // namespace lathe
