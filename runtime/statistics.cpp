#include <lathe/runtime/statistics.h>

#include <fmt/format.h>

namespace lathe {

std::string to_string(const CacheReport& report) {
  if (report.file.empty()) return fmt::format("unused ({})", report.why);
  const std::string file = report.file.string();
  if (report.hit) return fmt::format("hit {}", file);
  return fmt::format("miss ({}) {}, {}", report.why, file, report.stored);
}

}  // namespace lathe
