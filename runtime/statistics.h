#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <lathe/codegen/executable.h>

namespace lathe {

/// What one step of a program took, in nanoseconds.
struct StepTime {
  double fastest = 0;  // of all runs
  double total = 0;
};

/// What the cache of programs did for one of them.
struct CacheReport {
  bool hit = false;
  std::string why;             // not: "no entry", "its checksum differs", "off"
  std::string stored;          // what became of the code that was compiled instead: "stored", "not stored: disk full"
  std::filesystem::path file;  // empty without a cache
};

/// "hit /home/a/.cache/lathe/programs/0123.code", "miss (no entry), stored as ...", "unused (off)"
std::string to_string(const CacheReport& report);

/// What a session knows of one compiled program.
struct ProgramStatistics {
  std::string name;                  // of what was fetched first
  std::vector<CompilePhase> phases;  // extraction, passes, lowering, code generation, ...
  double compile_milliseconds = 0;   // of all phases
  std::size_t kernels = 0;
  std::int64_t arena_bytes = 0;  // of its last run
  CacheReport cache;
  std::string target;  // "znver5, avx512"; "interpreter"
  std::uint64_t runs = 0;
  std::vector<StepTime> steps;  // with SessionOptions::profile: one a step of the compiled program
};

}  // namespace lathe
