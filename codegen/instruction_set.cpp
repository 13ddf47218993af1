#include <lathe/codegen/instruction_set.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lathe/codegen/cpu.h>
#include <lathe/graph/error.h>

namespace lathe {
namespace {

constexpr std::array<std::pair<InstructionSet, std::string_view>, 5> names = {{{InstructionSet::native, "native"},
                                                                               {InstructionSet::portable, "portable"},
                                                                               {InstructionSet::avx2, "avx2"},
                                                                               {InstructionSet::avx512, "avx512"},
                                                                               {InstructionSet::neon, "neon"}}};

std::span<const std::string_view> required(InstructionSet set) {
  static constexpr std::array<std::string_view, 2> avx2 = {"avx2", "fma"};
  static constexpr std::array<std::string_view, 6> avx512 = {"avx2",     "fma",      "avx512f",
                                                             "avx512vl", "avx512bw", "avx512dq"};
  static constexpr std::array<std::string_view, 1> neon = {"neon"};
  switch (set) {
    case InstructionSet::avx512: return avx512;
    case InstructionSet::avx2: return avx2;
    case InstructionSet::neon: return neon;
    case InstructionSet::portable:
    case InstructionSet::native: break;
  }
  return {};
}

std::vector<std::string_view> missing(InstructionSet set) {
  std::vector<std::string_view> out;
  const std::vector<std::string_view>& present = host_cpu().features;
  for (const std::string_view feature : required(set)) {
    if (std::find(present.begin(), present.end(), feature) == present.end()) out.push_back(feature);
  }
  return out;
}

}  // namespace

std::string_view to_string(InstructionSet set) {
  for (const auto& [known, name] : names) {
    if (known == set) return name;
  }
  return "unknown";
}

InstructionSet parse_instruction_set(std::string_view name) {
  for (const auto& [set, known] : names) {
    if (known == name) return set;
  }
  throw CompileError(
      fmt::format("unknown instruction set '{}': it is one of native, portable, avx2, avx512, neon", name));
}

bool is_available(InstructionSet set) {
  return missing(set).empty();
}

InstructionSet resolve(InstructionSet set) {
  if (set == InstructionSet::native) {
    for (const InstructionSet candidate : {InstructionSet::avx512, InstructionSet::avx2, InstructionSet::neon}) {
      if (is_available(candidate)) return candidate;
    }
    return InstructionSet::portable;
  }
  if (const std::vector<std::string_view> lacking = missing(set); !lacking.empty()) {
    throw CompileError(fmt::format("instruction set '{}' is not available: this CPU ({}) lacks {}", to_string(set),
                                   host_cpu().name, fmt::join(lacking, ", ")));
  }
  return set;
}

}  // namespace lathe
