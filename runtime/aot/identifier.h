#pragma once

#include <set>
#include <string>
#include <string_view>

namespace lathe::aot {

/// Whether C and C++ take `name` for a function's or parameter's.
bool is_identifier(std::string_view name);

/// A name that C takes, as near to `name` as can be: "dense_1/kernel:0" becomes "dense_1_kernel_0".
std::string to_identifier(std::string_view name);

/// Identifiers of one scope, all different.
class Identifiers {
 public:
  /// to_identifier(name), with a number behind it if that is taken.
  std::string add(std::string_view name);
  /// False if it is taken.
  bool reserve(std::string_view identifier) { return taken_.emplace(identifier).second; }

 private:
  std::set<std::string, std::less<>> taken_;
};

}  // namespace lathe::aot
