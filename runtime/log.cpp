#include <lathe/runtime/log.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

namespace lathe {

bool is_logged(std::string_view topic) {
  const char* variable = std::getenv("LATHE_LOG");
  std::string_view topics = variable ? variable : "";
  while (!topics.empty()) {
    const std::size_t comma = std::min(topics.find(','), topics.size());
    if (topics.substr(0, comma) == topic) return true;
    topics.remove_prefix(std::min(comma + 1, topics.size()));
  }
  return false;
}

void log(std::string_view topic, std::string_view text) {
  if (!is_logged(topic)) return;
  const std::string line = fmt::format("lathe: {}: {}\n", topic, text);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace lathe
