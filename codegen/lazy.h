#pragma once

#include <lathe/codegen/lowered.h>

namespace lathe {

/// Lets compiled code pass by what it would compute for nothing: the arms of a Select on indices (the pieces of a
/// concatenation, what padding surrounds) that took long to compute once definitions dissolved into them.
void select_lazily(Lowered& lowered);

}  // namespace lathe
