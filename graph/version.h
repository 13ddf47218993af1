#pragma once

#include <string_view>

namespace lathe {

/// "0.1.0"
std::string_view version();

}  // namespace lathe
