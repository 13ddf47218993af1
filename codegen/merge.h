#pragma once

#include <lathe/codegen/program.h>

namespace lathe {

/// The same kernel over fewer outer axes: axes of extent 1 go, and neighbours become one axis wherever every access
/// stays linear without divisions. So an element-wise kernel over whole arrays becomes one long loop.
loop::Kernel merge_outer_axes(const Program& program, loop::Kernel kernel);

}  // namespace lathe
