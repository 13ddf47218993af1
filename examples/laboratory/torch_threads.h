#pragma once

#include <dlfcn.h>

#include <ATen/Parallel.h>

namespace lathe {

/// How many threads libtorch uses from now on, and OpenBLAS, if that is its BLAS: it has threads of its own, of which
/// at::set_num_threads knows nothing.
inline void use_torch_threads(int threads) {
  at::set_num_threads(threads);
  using SetThreads = void (*)(int);
  if (const auto set = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) set(threads);
}

}  // namespace lathe
