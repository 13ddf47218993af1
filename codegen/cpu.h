#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lathe {

/// The CPU that this process runs on, as it describes itself.
struct Cpu {
  std::string name;  // "AMD EPYC 9B45 128-Core Processor"
  /// Of the features that an InstructionSet can ask for: those that the CPU has and the system lets programs use.
  std::vector<std::string_view> features;
  /// All that the CPU says of its model and instructions, for comparison: code that a code generator made for this very
  /// CPU suits one with equal words.
  std::vector<std::uint64_t> identity;
};

const Cpu& host_cpu();

}  // namespace lathe
