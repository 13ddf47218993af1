#include <lathe/graph/error.h>

#include <fmt/format.h>

namespace lathe {

std::string describe(const std::source_location& where) {
  std::string_view file = where.file_name();
  if (const auto slash = file.rfind('/'); slash != std::string_view::npos) file.remove_prefix(slash + 1);
  return fmt::format("{}:{}", file, where.line());
}

void ensure(bool condition, std::string_view why, std::source_location where) {
  if (condition) return;
  throw std::logic_error(fmt::format("Lathe is at fault ({}): {}", describe(where), why));
}

}  // namespace lathe
