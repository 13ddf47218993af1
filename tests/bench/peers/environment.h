#pragma once

#include <cstdlib>
#include <initializer_list>
#include <string>

namespace lathe::bench {

/// Those of the environment's variables that are set, to follow a peer's description: ", OPENBLAS_CORETYPE=Haswell".
inline std::string environment(std::initializer_list<const char*> names) {
  std::string text;
  for (const char* const name : names) {
    if (const char* const value = std::getenv(name)) text += std::string(", ") + name + "=" + value;
  }
  return text;
}

/// What decides how the threads of GNU OpenMP wait.
inline std::string openmp_environment() {
  return environment({"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"});
}

}  // namespace lathe::bench
