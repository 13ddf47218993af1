#pragma once

#include <optional>

#include <lathe/codegen/cpu.h>
#include <lathe/codegen/instruction_set.h>
#include <lathe/graph/graph.h>
#include <lathe/runtime/digest.h>
#include <lathe/runtime/options.h>

namespace lathe {

/// What a program is known by: two programs with equal keys have the same code, which either can run.
///
/// It is made of what the program depends on and nothing else. Of the user: the graph as it was extracted, with the
/// bytes of its constants, and the passes that the options leave out. Of Lathe, which passes and lowers: the build ids
/// of both its libraries, and LLVM's version. Of the machine: all that its CPU says of itself, the instruction set, and
/// the size of a page. The number of threads, and lines of the user's source, have no part in it.
///
/// Nothing if a library has no build id, since then code of an older Lathe could not be told.
std::optional<Digest> program_key(const Graph& graph, const SessionOptions& options, InstructionSet set,
                                  const Cpu& cpu);

/// Whether code that was generated just now is the work of the library whose build id keys have: not if that one was
/// replaced since the first key was made.
bool compiler_is_as_keyed();

}  // namespace lathe
