#pragma once

#include <string_view>

namespace lathe::laboratory {

/// The text of a file of this folder, as it was when the program was built.
std::string_view embedded(std::string_view file);

}  // namespace lathe::laboratory
