#include <lathe/codegen/instruction_set.h>

#include <fstream>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include <lathe/codegen/cpu.h>
#include <lathe/graph/error.h>

using namespace lathe;

TEST_CASE("instruction sets have names, which parse back") {
  for (const InstructionSet set : {InstructionSet::native, InstructionSet::portable, InstructionSet::avx2,
                                   InstructionSet::avx512, InstructionSet::neon}) {
    CHECK(parse_instruction_set(to_string(set)) == set);
  }
  CHECK_THROWS_WITH_AS(parse_instruction_set("avx3"),
                       "unknown instruction set 'avx3': it is one of native, portable, avx2, avx512, neon",
                       CompileError);
}

TEST_CASE("native is the best set that the CPU has, and any other is itself or not available") {
  const InstructionSet native = resolve(InstructionSet::native);
  CHECK(native != InstructionSet::native);
  CHECK(is_available(native));
  CHECK(resolve(InstructionSet::portable) == InstructionSet::portable);
  for (const InstructionSet set : {InstructionSet::avx2, InstructionSet::avx512, InstructionSet::neon}) {
    if (is_available(set)) {
      CHECK(resolve(set) == set);
      CHECK(native >= set);
    } else {
      CHECK_THROWS_WITH_AS(resolve(set), doctest::Contains("is not available: this CPU"), CompileError);
    }
  }
}

TEST_CASE("the CPU has a name, and the features that the system lists") {
  const Cpu& cpu = host_cpu();
  CHECK(!cpu.name.empty());
  CHECK(!cpu.identity.empty());
  std::ifstream file("/proc/cpuinfo");
  std::string flags;
  for (std::string line; flags.empty() && std::getline(file, line);) {
    if (line.starts_with("flags")) flags = line.substr(line.find(':') + 1) + " ";
  }
  if (flags.empty()) return;  // not an x86
  for (const std::string_view name : {"avx2", "fma", "avx512f", "avx512vl", "avx512bw", "avx512dq"}) {
    const bool listed = flags.find(" " + std::string(name) + " ") != std::string::npos;
    CHECK((std::find(cpu.features.begin(), cpu.features.end(), name) != cpu.features.end()) == listed);
  }
}
