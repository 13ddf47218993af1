#pragma once

#include <vector>

#include <lathe/codegen/executable.h>

namespace lathe {

/// Runs a program once: by its entry point, or by the interpreter if that is null. Sets `arguments.failure` itself.
/// Throws RunError with the message of the check that failed; then no variable has changed.
void run_program(const Program& program, abi::EntryPoint entry, abi::Arguments arguments);

/// The outputs of a program without inputs, variables or symbols, by the interpreter.
std::vector<Tensor> run_constant_program(const Program& program);

}  // namespace lathe
