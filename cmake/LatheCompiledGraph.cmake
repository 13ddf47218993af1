# lathe_add_compiled_graph: compiles a graph ahead of time, as a part of the build, into a static library.
#
#   lathe_add_compiled_graph(<target>
#     SOURCE <file>... [LINK <library>...] | GENERATOR <program>
#     [NAME <name>] [TARGETS <cpu>...])
#
# SOURCE     the generator: a program that describes the graph and hands it, with its command line, to
#            lathe::aot::generate. It is built as <target>_generator, linked to lathe::lathe and to what LINK lists.
# GENERATOR  the generator as a program that exists: the path of one, or an executable target.
# NAME       what the generated files and functions are called; <target> unless given.
# TARGETS    the CPUs to compile for, such as native, x86-64-v3, x86-64-v4 and aarch64; native unless given.
#
# The build runs
#
#   <generator> --name <name> --output <folder> --target <cpu>,<cpu>...
#
# which writes <name>.o, <name>.a and <name>.h into the folder, the current binary one, and runs it again when the generator changes. <target> is
# an imported library: what links to it, C or C++, links <name>.a and includes <name>.h, after they were generated.
#
# The generator runs where the build runs. When cross-compiling, build it natively first and name the program in the
# cache variable LATHE_GENERATOR_<target>, which goes before SOURCE and GENERATOR; or set CMAKE_CROSSCOMPILING_EMULATOR.

include_guard(GLOBAL)
# The oldest CMake with output folders that depend on the configuration; and an older project's policies stay outside.
cmake_policy(VERSION 3.20...3.25)

function(lathe_add_compiled_graph target)
  set(call "lathe_add_compiled_graph(${target})")
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "GENERATOR;NAME" "SOURCE;TARGETS;LINK")
  if(arg_UNPARSED_ARGUMENTS)
    list(JOIN arg_UNPARSED_ARGUMENTS " " unknown)
    message(FATAL_ERROR "${call}: unknown arguments: ${unknown}")
  endif()
  if(arg_KEYWORDS_MISSING_VALUES)
    list(JOIN arg_KEYWORDS_MISSING_VALUES ", " keywords)
    message(FATAL_ERROR "${call}: nothing follows ${keywords}")
  endif()
  if(TARGET ${target})
    message(FATAL_ERROR "${call}: there is already a target of this name")
  endif()
  if(arg_SOURCE AND arg_GENERATOR)
    message(FATAL_ERROR "${call}: SOURCE builds a generator and GENERATOR names one; give one of the two")
  endif()
  if(NOT arg_SOURCE AND NOT arg_GENERATOR)
    message(FATAL_ERROR "${call}: give SOURCE, the files that describe the graph, or GENERATOR, a program built of them")
  endif()
  if(arg_LINK AND NOT arg_SOURCE)
    message(FATAL_ERROR "${call}: LINK is for the generator that SOURCE builds")
  endif()

  set(name ${target})
  if(DEFINED arg_NAME)
    set(name "${arg_NAME}")
  endif()
  if(NOT name MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
    message(FATAL_ERROR "${call}: '${name}' is no C identifier, which the generated functions need; give a NAME that is")
  endif()

  foreach(cpu IN LISTS arg_TARGETS)
    if(NOT cpu MATCHES "^[A-Za-z0-9_.+-]+$")
      message(FATAL_ERROR "${call}: TARGETS has '${cpu}', which is no CPU; separate CPUs by spaces")
    endif()
  endforeach()
  if(CMAKE_CROSSCOMPILING AND (NOT arg_TARGETS OR "native" IN_LIST arg_TARGETS))
    message(FATAL_ERROR "${call}: cross-compiling: give TARGETS without native, which is the CPU of this machine")
  endif()
  if(NOT arg_TARGETS)
    set(arg_TARGETS native)
  endif()
  list(JOIN arg_TARGETS "," cpus)

  set(LATHE_GENERATOR_${target} "" CACHE FILEPATH "The program that generates ${target}, in place of one that is built")
  if(LATHE_GENERATOR_${target})
    lathe_find_generator(generator "${call}: LATHE_GENERATOR_${target}" "${LATHE_GENERATOR_${target}}")
  elseif(arg_GENERATOR)
    lathe_find_generator(generator "${call}: GENERATOR" "${arg_GENERATOR}")
  elseif(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
    message(FATAL_ERROR "${call}: cross-compiling: this machine cannot run the generator that SOURCE builds; build it "
                        "natively and set LATHE_GENERATOR_${target} to that program, or set CMAKE_CROSSCOMPILING_EMULATOR")
  else()
    set(generator ${target}_generator)
    add_executable(${generator} ${arg_SOURCE})
    target_link_libraries(${generator} PRIVATE lathe::lathe ${arg_LINK})
  endif()

  # A folder a configuration: each has its own generator, which may be built with other options.
  set(folder ${CMAKE_CURRENT_BINARY_DIR})
  set(configuration_folder ${folder})
  get_property(is_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  if(is_multi_config)
    set(configuration_folder ${folder}/$<CONFIG>)
  endif()

  # In Lathe's own tree the compiler, which the generator loads and is not linked to.
  set(compiler)
  if(TARGET lathe_llvm)
    set(compiler lathe_llvm)
  endif()
  add_custom_command(
    OUTPUT ${configuration_folder}/${name}.o ${configuration_folder}/${name}.a ${configuration_folder}/${name}.h
    COMMAND ${generator} --name ${name} --output ${configuration_folder} --target ${cpus}
    DEPENDS ${generator} ${compiler}
    COMMENT "Compiling graph ${name} for ${cpus}"
    VERBATIM)
  # A library that nothing links to is built as well, as any library is.
  add_custom_target(${target}_generate ALL DEPENDS ${configuration_folder}/${name}.a)

  add_library(${target} STATIC IMPORTED GLOBAL)
  add_dependencies(${target} ${target}_generate)
  target_include_directories(${target} INTERFACE ${configuration_folder})
  # The folders exist before anything is generated: an imported library's must, and not every generator makes its own.
  if(is_multi_config)
    foreach(configuration IN LISTS CMAKE_CONFIGURATION_TYPES)
      file(MAKE_DIRECTORY ${folder}/${configuration})
      string(TOUPPER ${configuration} upper)
      set_property(TARGET ${target} PROPERTY IMPORTED_LOCATION_${upper} ${folder}/${configuration}/${name}.a)
    endforeach()
    set_property(TARGET ${target} PROPERTY IMPORTED_CONFIGURATIONS ${CMAKE_CONFIGURATION_TYPES})
  else()
    file(MAKE_DIRECTORY ${folder})
    set_property(TARGET ${target} PROPERTY IMPORTED_LOCATION ${folder}/${name}.a)
  endif()
endfunction()

# The executable target or the path of the program that `given` names; `who` asked for it.
function(lathe_find_generator result who given)
  if(TARGET ${given})
    get_target_property(type ${given} TYPE)
    if(NOT type STREQUAL "EXECUTABLE")
      message(FATAL_ERROR "${who}: target ${given} is not an executable")
    endif()
    set(${result} ${given} PARENT_SCOPE)
    return()
  endif()
  get_filename_component(path "${given}" ABSOLUTE)
  if(NOT EXISTS ${path} OR IS_DIRECTORY ${path})
    message(FATAL_ERROR "${who}: there is no target and no program ${given}")
  endif()
  set(${result} ${path} PARENT_SCOPE)
endfunction()
