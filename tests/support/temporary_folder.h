#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::test {

/// A new empty folder that vanishes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Writes a file into the folder and returns its path.
  std::filesystem::path write(std::string_view name, std::string_view bytes) const;

 private:
  std::filesystem::path path_;
};

/// The bytes as a gzip stream.
std::string gzip(std::string_view bytes);

/// An IDX file: magic, extents and data as given.
std::string idx_bytes(unsigned char type, std::span<const unsigned> extents, std::string_view data);

/// The whole file.
std::string slurp(const std::filesystem::path& path);

}  // namespace lathe::test
