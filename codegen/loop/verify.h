#pragma once

#include <lathe/codegen/program.h>

namespace lathe::loop {

/// Checks that a program is well-formed: axes are used only where they are defined and dtypes agree; tensors and locals
/// take one index an axis, live somewhere and are written only where they may be; locals are written before they are
/// read; a Reduce stands only at the top of a yield, alone in its stage; checks exist; variables change only through
/// kernels and commits.
/// Throws std::logic_error that names the step and stage: a program that fails is our own mistake.
void verify(const Program& program);

}  // namespace lathe::loop
