#pragma once

#include <cstdint>

namespace lathe::laboratory {

/// How often this program and its libraries have asked for memory so far: by `operator new`, as Lathe and C++ code do,
/// or by posix_memalign, as libtorch does for its tensors.
std::int64_t allocations();

}  // namespace lathe::laboratory
