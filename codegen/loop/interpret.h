#pragma once

#include <lathe/codegen/abi.h>
#include <lathe/codegen/program.h>

namespace lathe::loop {

/// Runs a program step by step, element by element: simple, slow, and the meaning of every program. Takes what a
/// compiled entry point takes and returns what it returns; ignores parallel_for.
std::int32_t interpret(const Program& program, const abi::Arguments& arguments);

}  // namespace lathe::loop
