#pragma once

#include <lathe/codegen/lowered.h>

namespace lathe {

/// Inlines definitions into those that use them, where that saves memory traffic and does not repeat real work. A
/// definition that nobody loads afterwards and that is no target loses its definition.
///
/// - Free definitions (views, broadcasts, constants) always dissolve.
/// - Cheap ones dissolve into all uses, unless they are a reduction's epilogue, which is better computed once, or end a
///   chain of them that all uses would compute from the beginning.
/// - Others dissolve into their only use, if that evaluates every element about once (a use with a border around it
///   evaluates some more), unless they join several reductions' results into one number.
/// - Nothing that computes dissolves into a contraction, which would repeat it for every row or column; but what is
///   cheap, has no other use, and is the same for all columns.
/// - Reductions, scatters and whatever holds a check stay.
void dissolve(Lowered& lowered);

}  // namespace lathe
