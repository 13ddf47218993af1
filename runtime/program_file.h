#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <lathe/codegen/executable.h>
#include <lathe/runtime/digest.h>

namespace lathe {

/// The contents of a file that keeps `code`.
std::vector<std::byte> pack(const Digest& key, const Code& code);

/// The code in a file's contents. Throws DataError saying what is wrong with them.
Code unpack(const Digest& key, std::span<const std::byte> contents);

}  // namespace lathe
