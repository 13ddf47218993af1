#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "../support/installation.h"
#include "../support/shell.h"
#include "../support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using lathe::test::Installation;
using lathe::test::is_installed;
using lathe::test::quoted;
using lathe::test::shell;
using lathe::test::TemporaryFolder;

/// Both packages of this build, made in a temporary folder.
class Packages {
 public:
  Packages() {
    shell("cd " + quoted(folder_.path()) + " && " + quoted(fs::path(LATHE_CMAKE).parent_path() / "cpack") +
          " --config " + quoted(fs::path(LATHE_BINARY_DIR) / "CPackConfig.cmake") + " -G DEB -B " +
          quoted(folder_.path()));
  }

  /// The package whose file has a name that begins so.
  fs::path file(std::string_view start) const {
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(start) && name.ends_with(".deb")) return entry.path();
    }
    FAIL("no package begins with ", start);
    return {};
  }
  std::string field(std::string_view start, const std::string& name) const {
    const std::string value = shell("dpkg-deb --field " + quoted(file(start)) + " " + name);
    return value.substr(0, value.find_last_not_of('\n') + 1);
  }
  /// The files that both packages hold, by their last names.
  std::vector<std::string> names_of_files() const {
    const fs::path root = folder_.path() / "root";
    for (const char* package : {"liblathe0", "liblathe-dev"}) {
      shell("dpkg-deb --extract " + quoted(file(package)) + " " + quoted(root));
    }
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (!entry.is_directory()) names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("the Debian packages hold what is installed, and say what they need") {
  if (!is_installed("dpkg-deb") || !is_installed("file")) {
    MESSAGE("left out: cpack makes Debian packages with dpkg-deb and file only");
    return;
  }
  const Packages packages;

  CHECK(packages.field("liblathe0", "Package") == "liblathe0.1");
  CHECK(packages.field("liblathe0", "Section") == "libs");
  CHECK(packages.field("liblathe-dev", "Package") == "liblathe-dev");
  CHECK(packages.field("liblathe-dev", "Section") == "libdevel");
  const std::string version = packages.field("liblathe0", "Version");
  CHECK(packages.field("liblathe-dev", "Depends") == "liblathe0.1 (= " + version + "), libfmt-dev");
  if (is_installed("dpkg-shlibdeps")) {
    const std::string needs = packages.field("liblathe0", "Depends");
    CAPTURE(needs);
    for (const char* library : {"libc6", "libfmt9", "libstdc++6", "libxxhash0", "zlib1g"}) {
      CHECK(needs.find(library) != std::string::npos);
    }
  }

  const std::string runtime = shell("dpkg-deb --contents " + quoted(packages.file("liblathe0")));
  CHECK(runtime.find("liblathe.so.0.1") != std::string::npos);
  CHECK(runtime.find("liblathe.so\n") == std::string::npos);
  CHECK(runtime.find("/include/") == std::string::npos);

  const Installation installation;
  std::vector<std::string> installed;
  for (const fs::path& file : installation.files()) installed.push_back(file.filename().string());
  std::sort(installed.begin(), installed.end());
  CHECK(packages.names_of_files() == installed);
}
