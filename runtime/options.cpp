#include <lathe/runtime/options.h>

#include <algorithm>
#include <utility>

#include <lathe/graph/pass.h>
#include <lathe/runtime/program_cache.h>

namespace lathe {

bool stores_panels(const SessionOptions& options) {
  return std::find(options.disable.begin(), options.disable.end(), "panels") == options.disable.end();
}

SessionOptions fill_from_environment(SessionOptions options) {
  PassOptions environment = PassOptions::from_environment();
  if (options.dump.empty()) options.dump = std::move(environment.dump);
  options.cache = with_environment(std::move(options.cache));
  options.disable.insert(options.disable.end(), environment.disable.begin(), environment.disable.end());
  return options;
}

}  // namespace lathe
