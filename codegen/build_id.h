#pragma once

#include <filesystem>
#include <string>

namespace lathe {

/// The linker's digest of a program or shared library, its GNU build id, in hexadecimal digits: other contents, another
/// id. Empty if it has none.
std::string build_id(const std::filesystem::path& file);
/// Of the program or library in memory that `address` is in, whatever has become of its file since.
std::string loaded_build_id(const void* address);

}  // namespace lathe
