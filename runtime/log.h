#pragma once

#include <string_view>

namespace lathe {

/// Whether $LATHE_LOG, topics separated by commas, names this one. Topics: cache.
bool is_logged(std::string_view topic);

/// Writes "lathe: topic: text" to standard error, a line that others do not tear, if the topic is logged.
void log(std::string_view topic, std::string_view text);

}  // namespace lathe
