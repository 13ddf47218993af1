#include "way.h"

namespace lathe::laboratory {

std::vector<Way> torch_ways() {
  return {};
}

}  // namespace lathe::laboratory
