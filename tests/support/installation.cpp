#include "installation.h"

#include <algorithm>
#include <stdexcept>

#include "shell.h"

namespace lathe::test {

namespace fs = std::filesystem;

Installation::Installation() {
  const fs::path first = folder_.path() / "first";
  shell(quoted(LATHE_CMAKE) + " --install " + quoted(LATHE_BINARY_DIR) + " --prefix " + quoted(first));
  fs::rename(first, prefix());
}

std::vector<fs::path> Installation::files() const {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(prefix())) {
    if (!entry.is_directory()) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

fs::path Installation::file(const std::string& name) const {
  std::vector<fs::path> found = files();
  std::erase_if(found, [&](const fs::path& path) { return path.filename() != name; });
  if (found.size() != 1) throw std::runtime_error(std::to_string(found.size()) + " files are called " + name);
  return found.front();
}

fs::path Installation::copy(const fs::path& folder_in_tree) const {
  const fs::path to = folder_.path() / folder_in_tree.filename();
  fs::copy(LATHE_SOURCE_DIR / folder_in_tree, to, fs::copy_options::recursive);
  return to;
}

std::string Installation::configure(const fs::path& source, const fs::path& build, const std::string& arguments) const {
  return "env -u CC -u CXX -u CFLAGS -u CXXFLAGS -u LDFLAGS " + quoted(LATHE_CMAKE) + " -S " + quoted(source) + " -B " +
         quoted(build) + " -D CMAKE_PREFIX_PATH=" + quoted(prefix()) + " " + arguments;
}

}  // namespace lathe::test
