#pragma once

#include <lathe/codegen/program.h>

namespace lathe {

/// Gives every arena tensor its offset, and the program its arena size. Tensors that never live at the same time share
/// memory where one's size is provably enough for the other. Sizes are polynomials in the symbols, rounded up to
/// multiples of 64 bytes coefficient by coefficient.
void plan_memory(Program& program);
/// Whether the plan has put two tensors into the same memory.
bool share_memory(const ProgramTensor& x, const ProgramTensor& y);

}  // namespace lathe
