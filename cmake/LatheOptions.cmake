# Warnings, sanitizers and LLVM, each as a target to link to; precompiled headers.
option(LATHE_WERROR "Treat warnings as errors" ON)
set(LATHE_SANITIZE "" CACHE STRING "Sanitizers to build with, such as address,undefined")

add_library(lathe_options INTERFACE)
target_compile_options(lathe_options INTERFACE -Wall -Wextra -Wpedantic -ffp-contract=off $<$<BOOL:${LATHE_WERROR}>:-Werror>)
# Source locations end up in the library; where it was built is nobody's business, and the same source gives the same bytes.
target_compile_options(lathe_options INTERFACE -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=
                                               -fmacro-prefix-map=${PROJECT_BINARY_DIR}/include/=)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 sees these in the standard library's own inlined code, where they are false.
  target_compile_options(lathe_options INTERFACE -Wno-restrict -Wno-maybe-uninitialized -Wno-array-bounds
                                                 -Wno-stringop-overflow -Wno-dangling-pointer)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12's own stable_sort uses a function that it deprecates.
  target_compile_options(lathe_options INTERFACE -Wno-deprecated-declarations)
endif()
if(LATHE_SANITIZE)
  add_compile_options(-fsanitize=${LATHE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${LATHE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # This check reads what Clang puts before a function; code made at run time has nothing there.
    add_compile_options(-fno-sanitize=function)
  endif()
endif()

# The many test programs take GNU ld some minutes to link, mold seconds.
find_program(LATHE_MOLD mold)
if(LATHE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(lathe_llvm_libraries INTERFACE)
target_include_directories(lathe_llvm_libraries SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
separate_arguments(llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
target_compile_definitions(lathe_llvm_libraries INTERFACE ${llvm_definitions})
# Linked into Lathe's own library, and of LLVM only what Lathe calls: libLLVM.so takes four times as long to load.
llvm_map_components_to_libnames(llvm_libraries X86 AArch64 Passes JITLink Linker Object)
target_link_libraries(lathe_llvm_libraries INTERFACE ${llvm_libraries})
target_link_options(lathe_llvm_libraries INTERFACE LINKER:--gc-sections LINKER:--exclude-libs,ALL)

# Parsing these headers takes about a third of the time of a file; the standard library's change with the compiler only.
function(lathe_precompile_headers target)
  target_precompile_headers(${target} PRIVATE <algorithm> <array> <cmath> <cstdint> <filesystem> <functional> <limits>
                                              <map> <memory> <numeric> <optional> <set> <source_location> <span> <string>
                                              <string_view> <unordered_map> <utility> <variant> <vector> <fmt/format.h>
                                              ${ARGN})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fpch-preprocess)
  else()
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endfunction()
