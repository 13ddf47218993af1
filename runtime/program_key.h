#pragma once

#include <optional>

#include <lathe/codegen/cpu.h>
#include <lathe/codegen/instruction_set.h>
#include <lathe/codegen/lower.h>
#include <lathe/graph/graph.h>
#include <lathe/runtime/digest.h>

namespace lathe {

/// What a program's code is known by: two programs with equal keys have the same code, which either can run.
///
/// It is made of what the code depends on and nothing else. Of the program: the graph after all passes, so that graphs
/// which the passes make equal share code and passes need not be named; the bytes of its constants; how it was lowered;
/// and what code and its caller have to agree on, from where tensors lie to the numbers of checks, because that may
/// depend on the order in which the process met the graph's symbols. Of Lathe:
/// the build ids of both its libraries, and LLVM's version. Of the machine: all that its CPU says of itself, the
/// instruction set, and the size of a page. The number of threads, and lines of the user's source, have no part in it.
///
/// Nothing if a library has no build id, since then code of an older Lathe could not be told.
std::optional<Digest> program_key(const Graph& optimised, const LowerOptions& options, const Program& program,
                                  InstructionSet set, const Cpu& cpu);

/// Whether code that was generated just now is the work of the library whose build id keys have: not if that one was
/// replaced since the first key was made.
bool compiler_is_as_keyed();

}  // namespace lathe
