#include <lathe/graph/error.h>

#include <fmt/format.h>

#include <lathe/graph/source_line.h>

namespace lathe {

void ensure(bool condition, std::string_view why, std::source_location where) {
  if (condition) return;
  throw std::logic_error(fmt::format("Lathe is at fault ({}): {}", describe(where), why));
}

}  // namespace lathe
