#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "temporary_folder.h"

namespace lathe::test {

/// This build of Lathe, installed into a temporary folder and moved from there once, as a package may be; beside it
/// projects that use it, outside of Lathe's own tree. All of it vanishes with the object.
class Installation {
 public:
  Installation();

  std::filesystem::path prefix() const { return folder_.path() / "prefix"; }
  /// Every file below the prefix, links included, in alphabetical order.
  std::vector<std::filesystem::path> files() const;
  /// The only file below the prefix with this name. Throws if there is none or more.
  std::filesystem::path file(const std::string& name) const;

  /// A copy of a folder of Lathe's tree, for example "tests/package/consumer", beside the prefix.
  std::filesystem::path copy(const std::filesystem::path& folder_in_tree) const;
  /// The configuring command of the project in `source`: with the system's default compiler and no other package of
  /// Lathe. `arguments` are further ones, for the shell.
  std::string configure(const std::filesystem::path& source, const std::filesystem::path& build,
                        const std::string& arguments = "-G Ninja") const;

 private:
  TemporaryFolder folder_;
};

}  // namespace lathe::test
