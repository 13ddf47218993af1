#include <lathe/graph/version.h>

namespace lathe {

std::string_view version() {
  return LATHE_VERSION;
}

}  // namespace lathe
