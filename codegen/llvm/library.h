#pragma once

#include <vector>

#include <lathe/codegen/library.h>

namespace lathe::emit {

/// compile() of library.h.
LibraryObject compile_library(const LibrarySpec& library, const std::vector<AotTarget>& targets);

}  // namespace lathe::emit
