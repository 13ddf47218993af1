#include <lathe/codegen/executable.h>

#include <array>
#include <utility>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe {
namespace {

constexpr std::array<std::pair<InstructionSet, std::string_view>, 5> names = {{{InstructionSet::native, "native"},
                                                                               {InstructionSet::portable, "portable"},
                                                                               {InstructionSet::avx2, "avx2"},
                                                                               {InstructionSet::avx512, "avx512"},
                                                                               {InstructionSet::neon, "neon"}}};

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

}  // namespace lathe
