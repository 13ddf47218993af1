#pragma once

#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace lathe {

/// Everything Lathe throws because of what a user gave it. The message says what was wrong and where.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A graph that cannot be built: wrong rank, dtype, extents, names or attributes.
class GraphError : public Error {
 public:
  using Error::Error;
};

/// A valid graph that cannot be compiled as asked.
class CompileError : public Error {
 public:
  using Error::Error;
};

/// A run that cannot start or finish: missing or mismatched feeds, failed checks. Variables stay as they were.
class RunError : public Error {
 public:
  using Error::Error;
};

/// Data that cannot be read: missing, truncated or corrupt files, wrong magic numbers.
class DataError : public Error {
 public:
  using Error::Error;
};

/// Our own mistake, never the user's: throws std::logic_error with file and line.
/// A literal costs nothing when the condition holds.
void ensure(bool condition, std::string_view why, std::source_location where = std::source_location::current());

}  // namespace lathe
