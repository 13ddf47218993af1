# Other libraries that do the same work, where they are installed: for benchmarks, and examples that compare.
option(LATHE_BENCH_PEERS "Measure libtorch, oneDNN and OpenBLAS beside Lathe where they are installed" ON)

# Peers are not built with sanitizers, and Clang takes neither libtorch's headers nor, without a package of its own, OpenMP.
set(LATHE_PEERS OFF)
if(LATHE_BENCH_PEERS AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT LATHE_SANITIZE)
  set(LATHE_PEERS ON)
  # libtorch's CMake files want far more packages than its headers do.
  find_path(TORCH_API_INCLUDE torch/torch.h PATH_SUFFIXES torch/csrc/api/include)
  find_library(TORCH_LIBRARY torch)
  find_library(TORCH_CPU_LIBRARY torch_cpu)
  find_library(C10_LIBRARY c10)
  if(TORCH_API_INCLUDE AND TORCH_LIBRARY AND TORCH_CPU_LIBRARY AND C10_LIBRARY)
    add_library(lathe_libtorch INTERFACE)
    target_include_directories(lathe_libtorch SYSTEM INTERFACE ${TORCH_API_INCLUDE})
    target_link_libraries(lathe_libtorch INTERFACE ${TORCH_LIBRARY} ${TORCH_CPU_LIBRARY} ${C10_LIBRARY})
  endif()
endif()
