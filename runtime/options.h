#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/codegen/executable.h>

namespace lathe {

/// How a session compiles and runs. None of it changes a result, `instruction_set = portable` and `seed` aside.
struct SessionOptions {
  /// Threads that kernels run on, the caller of run() included; 0: all CPUs that the process may use.
  int threads = 0;
  InstructionSet instruction_set = InstructionSet::native;
  /// Passes to leave out, by name, beside those in $LATHE_DISABLE.
  std::vector<std::string> disable = {};
  /// Where each program's graphs, kernels and code are written, a folder a program; $LATHE_DUMP if empty.
  std::filesystem::path dump = {};
  /// False: one kernel a node.
  bool fuse = true;
  /// Run programs through the interpreter: slow, and the meaning of compiled code.
  bool interpret = false;
  /// Measure every step of every run: ProgramStatistics::steps.
  bool profile = false;
  /// What initialize() seeds random numbers with, and runs before it.
  std::uint64_t seed = 0;
  /// Receives what `print` nodes print, without a line end; standard error if empty. What it throws leaves run() after
  /// the run is complete, assignments included.
  std::function<void(std::string_view)> print = {};
};

}  // namespace lathe
