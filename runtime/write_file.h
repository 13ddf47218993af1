#pragma once

#include <filesystem>
#include <string_view>

namespace lathe {

/// Writes a file as a whole: under a temporary name beside it first, so that nobody ever sees half of it.
/// Makes the folder if it is missing. Throws DataError, naming the path, if that fails.
void write_file(const std::filesystem::path& path, std::string_view bytes);

}  // namespace lathe
