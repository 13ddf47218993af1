#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>

namespace lathe {

/// The line of the user's program that asked for something. Made by itself from a std::source_location, which cannot
/// be made from text, as the parser of graphs must. `file` has no folders, so that what a graph prints does not depend
/// on where the program was built, and lives as long as the process.
struct SourceLine {
  std::string_view file;
  std::uint32_t line = 0;

  SourceLine() = default;
  SourceLine(const std::source_location& where);
  /// A line read from text; keeps a copy of `file`.
  SourceLine(std::string_view file, std::uint32_t line);

  bool operator==(const SourceLine&) const = default;
};

/// "model.cpp:41"
std::string describe(const SourceLine& where);

}  // namespace lathe
