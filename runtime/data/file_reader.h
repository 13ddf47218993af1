#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

namespace lathe::data {

/// Reads a file front to back and unpacks gzip on the way, whatever the file's name: gzip is told by its first two
/// bytes. All that gzip promises is checked: headers, lengths and CRCs (RFC 1952; members may follow each other).
/// Every failure is a DataError that names the path and says what is wrong with it.
class FileReader {
 public:
  /// Throws DataError if `path` does not exist, is not a regular file, is empty or cannot be opened.
  explicit FileReader(std::filesystem::path path);
  ~FileReader();
  FileReader(FileReader&&) noexcept;
  FileReader& operator=(FileReader&&) noexcept;

  /// Fills `out` as far as the file reaches and returns how many bytes that is. Throws DataError for corrupt gzip.
  std::size_t read(std::span<std::byte> out);

  const std::filesystem::path& path() const;
  /// Throws DataError: the path, then what is wrong.
  [[noreturn]] void fail(std::string_view what) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lathe::data
