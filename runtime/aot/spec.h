#pragma once

#include <vector>

#include <lathe/codegen/library.h>
#include <lathe/runtime/aot/aot.h>

namespace lathe::aot {

/// Lowers each function's part of the graph and decides how the library looks in C. Throws as compile() does.
LibrarySpec describe(const Graph& graph, const std::vector<Function>& functions, const Options& options);

}  // namespace lathe::aot
