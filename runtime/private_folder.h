#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lathe {

/// An open file or folder; closes it.
class Descriptor {
 public:
  /// -1 stands for none, as with open().
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();

  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

/// A folder whose files can be trusted to be the user's own: it and every file read belong to the user, and nobody else
/// may write to them. Any number of processes may use it at once. What the system refuses, and what cannot be trusted,
/// is a DataError that says why.
class PrivateFolder {
 public:
  /// Nothing if there is no such folder.
  static std::optional<PrivateFolder> open(const std::filesystem::path& path);
  /// Opens the folder and makes it first, for its owner alone, if there is none.
  static PrivateFolder make(const std::filesystem::path& path);

  /// All of a file, which counts as used now. Nothing if there is no such file.
  std::optional<std::vector<std::byte>> read(const std::string& name) const;
  /// The file appears whole or not at all, even if the machine stops meanwhile, and replaces one of the same name.
  void write(const std::string& name, std::span<const std::byte> contents) const;
  /// Where that is not possible the file stays.
  void remove(const std::string& name) const;

  /// Removes files with this suffix, those first that have not been used for longest, until all of them together have
  /// at most so many bytes; and what processes that were stopped while they wrote have left.
  void shrink(std::string_view suffix, std::uint64_t most_bytes) const;

 private:
  explicit PrivateFolder(Descriptor folder) : folder_(std::move(folder)) {}

  Descriptor folder_;
};

}  // namespace lathe
