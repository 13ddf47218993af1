# What `cmake --install` copies, in two components: `runtime` is what a program needs to run, `development` what it needs
# to be built.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Every shared library of Lathe; they lie in one folder and find each other there.
set(installed_libraries lathe lathe_llvm)

# Public is what <lathe/lathe.h> includes, directly or not. Other headers stay free to change, and to include Boost and
# LLVM, which a program that uses Lathe then need not have.
function(lathe_public_headers result)
  set(found lathe.h)
  set(unread lathe.h)
  while(unread)
    list(POP_FRONT unread header)
    file(STRINGS ${PROJECT_SOURCE_DIR}/${header} lines REGEX "^#include <lathe/[^>]+>")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#include <lathe/([^>]+)>.*" "\\1" included "${line}")
      if(NOT included IN_LIST found)
        list(APPEND found ${included})
        list(APPEND unread ${included})
      endif()
    endforeach()
  endwhile()
  set(${result} ${found} PARENT_SCOPE)
endfunction()

lathe_public_headers(public_headers)
# A header may come to include another.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${public_headers})
list(TRANSFORM public_headers PREPEND ${PROJECT_BINARY_DIR}/include/lathe/)
target_sources(lathe PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_BINARY_DIR}/include FILES ${public_headers})

# Before 1.0 each minor version may change the ABI. Versions with different ABIs can be installed beside each other.
set(abi_version ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set(runtime_package liblathe${abi_version})
set(development_package liblathe-dev)
set_target_properties(${installed_libraries} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${abi_version}
                                                        INSTALL_RPATH $ORIGIN)

set(cmake_folder ${CMAKE_INSTALL_LIBDIR}/cmake/lathe)
install(TARGETS ${installed_libraries} EXPORT latheTargets
        LIBRARY COMPONENT runtime NAMELINK_COMPONENT development
        FILE_SET HEADERS COMPONENT development
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT latheTargets NAMESPACE lathe:: DESTINATION ${cmake_folder} COMPONENT development)

configure_package_config_file(cmake/latheConfig.cmake.in latheConfig.cmake INSTALL_DESTINATION ${cmake_folder}
                              NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(latheConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/latheConfig.cmake ${PROJECT_BINARY_DIR}/latheConfigVersion.cmake
              cmake/LatheCompiledGraph.cmake
        DESTINATION ${cmake_folder} COMPONENT development)

# The pkg-config file finds the prefix from where it lies, so that an installation can be moved.
set(pkgconfig_folder ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH prefix_from_pkgconfig ${pkgconfig_folder} ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" prefix_from_pkgconfig ${prefix_from_pkgconfig})
file(RELATIVE_PATH libdir_from_prefix ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH includedir_from_prefix ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(cmake/lathe.pc.in lathe.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/lathe.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

# Where Debian looks for a package's licence.
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/${runtime_package} RENAME copyright COMPONENT runtime)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/${development_package} RENAME copyright
        COMPONENT development)
