#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/codegen/executable.h>

namespace lathe {

/// Where machine code is kept for later processes: a file a program, in a folder that only its owner may write to. What
/// is left open here the environment says: LATHE_CACHE, a folder or "off", and LATHE_CACHE_SIZE, bytes with an optional
/// K, M or G behind.
struct CacheOptions {
  /// False: nothing is read or written.
  bool enabled = true;
  /// Empty: $LATHE_CACHE, or $XDG_CACHE_HOME/lathe/programs, or $HOME/.cache/lathe/programs.
  std::filesystem::path folder = {};
  /// Of all files together; those go first that have not been used for longest. Nothing: $LATHE_CACHE_SIZE, or 256 MiB.
  std::optional<std::uint64_t> most_bytes = std::nullopt;
};

/// How a session compiles and runs. None of it changes a result, `instruction_set = portable` and `seed` aside.
struct SessionOptions {
  /// Threads that kernels run on, the caller of run() included; 0: all CPUs that the process may use.
  int threads = 0;
  InstructionSet instruction_set = InstructionSet::native;
  /// Passes to leave out, by name, beside those in $LATHE_DISABLE.
  std::vector<std::string> disable = {};
  /// Where each program's graphs, kernels and code are written, a folder a program; $LATHE_DUMP if empty.
  std::filesystem::path dump = {};
  /// Not used with a dump, which is of what compiling does.
  CacheOptions cache = {};
  /// False: one kernel a node.
  bool fuse = true;
  /// Run programs through the interpreter: slow, and the meaning of compiled code.
  bool interpret = false;
  /// A run in which arithmetic makes a NaN or infinity of any float throws RunError and leaves all variables as they
  /// were. The error names the first such node in the graph's order, with its source line and the element's index, be
  /// it that later nodes hide it. What is fed, constants and variables, and what only moves their elements, may hold
  /// infinities as long as no arithmetic reaches them. Costs a few percent, and memory for another copy of the
  /// variables.
  bool assert_all_finite = false;
  /// Measure every step of every run: ProgramStatistics::steps. Eagerly: eager::Statistics::kernel_microseconds.
  bool profile = false;
  /// What initialize() seeds random numbers with, and runs before it.
  std::uint64_t seed = 0;
  /// Receives what `print` nodes print, without a line end; standard error if empty. What it throws leaves run() after
  /// the run is complete, assignments included.
  std::function<void(std::string_view)> print = {};
};

/// Whether programs compiled so store large variables in panels of columns (codegen/layout.h): unless "panels" is
/// disabled, which is for variables that are also read one op at a time.
bool stores_panels(const SessionOptions& options);

/// The options, with what they leave open taken from the environment: LATHE_DUMP, LATHE_DISABLE, LATHE_CACHE.
SessionOptions fill_from_environment(SessionOptions options);

}  // namespace lathe
