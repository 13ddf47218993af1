#include "way.h"

namespace lathe::laboratory {

std::vector<Way> ahead_ways() {
  return {};
}

}  // namespace lathe::laboratory
