#pragma once

#include <string>

#include <lathe/codegen/library.h>

namespace lathe::aot {

/// The header of a library, for C11 and C++.
std::string header_of(const LibrarySpec& library);

}  // namespace lathe::aot
