#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <lathe/codegen/executable.h>
#include <lathe/runtime/digest.h>

namespace lathe {

/// The contents of a file that keeps a program's code and `record`, what is known of it besides.
std::vector<std::byte> pack(const Digest& key, const Code& code, std::string_view record);

struct Unpacked {
  Code code;
  std::string_view record;  // of the contents
};
/// What is in a file's contents. Throws DataError saying what is wrong with them.
Unpacked unpack(const Digest& key, std::span<const std::byte> contents);

}  // namespace lathe
