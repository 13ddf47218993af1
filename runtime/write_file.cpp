#include <lathe/runtime/write_file.h>

#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe {

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  const auto fail = [&](const std::error_code& error) {
    throw DataError(fmt::format("'{}' cannot be written: {}", path.string(), error.message()));
  };
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error) fail(error);
  std::filesystem::path temporary = path;
  temporary += fmt::format(".{}.tmp", getpid());
  std::ofstream file(temporary, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (file) {
    std::filesystem::rename(temporary, path, error);
  } else {
    error = std::error_code(errno, std::generic_category());
  }
  if (!error) return;
  std::error_code ignored;
  std::filesystem::remove(temporary, ignored);
  fail(error);
}

}  // namespace lathe
