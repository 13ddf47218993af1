#pragma once

#include <string_view>

namespace lathe {

/// The vector instructions that compiled code may use. `native` is the best of them that this CPU has. avx2, avx512 and
/// neon give the same bits as each other and as the interpreter; `portable` (x86-64's baseline, or whatever the host
/// is) has no fused multiply-add and so may differ in last bits.
enum class InstructionSet { native, portable, avx2, avx512, neon };

std::string_view to_string(InstructionSet set);
/// Throws CompileError listing the names if `name` is none of them.
InstructionSet parse_instruction_set(std::string_view name);

/// Whether this machine's CPU runs code for `set`.
bool is_available(InstructionSet set);
/// What `set` means on this machine: never native. Throws CompileError naming what the CPU lacks.
InstructionSet resolve(InstructionSet set);

}  // namespace lathe
