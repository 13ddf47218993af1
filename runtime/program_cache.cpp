#include <lathe/runtime/program_cache.h>

#include <charconv>
#include <cstdlib>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <lathe/graph/error.h>
#include <lathe/runtime/private_folder.h>
#include <lathe/runtime/program_file.h>

namespace lathe {
namespace {

constexpr std::uint64_t default_bytes = 256 << 20;
constexpr std::string_view suffix = ".code";

/// Empty if it is not set, or to nothing.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// "1000", "64K", "256M", "1G"
std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  constexpr std::string_view units = "KMG";
  int shift = 0;
  if (const std::size_t unit = text.empty() ? units.npos : units.find(text.back()); unit != units.npos) {
    shift = 10 * (static_cast<int>(unit) + 1);
    text.remove_suffix(1);
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool fits = number <= std::numeric_limits<std::uint64_t>::max() >> shift;
  if (error != std::errc() || end != text.data() + text.size() || !fits) return std::nullopt;
  return number << shift;
}

std::filesystem::path folder_of_environment() {
  if (const std::string folder = variable("LATHE_CACHE"); !folder.empty()) {
    if (folder.find('/') == std::string::npos) {
      throw RunError(
          fmt::format("LATHE_CACHE is '{}': it can be off, or the path of a folder, with a / in it", folder));
    }
    return std::filesystem::absolute(folder);
  }
  constexpr const char* own = "lathe/programs";
  const std::filesystem::path caches = variable("XDG_CACHE_HOME");
  if (caches.is_absolute()) return caches / own;
  const std::filesystem::path home = variable("HOME");
  return home.is_absolute() ? home / ".cache" / own : std::filesystem::path();
}

std::uint64_t bytes_of_environment() {
  const std::string text = variable("LATHE_CACHE_SIZE");
  if (text.empty()) return default_bytes;
  if (const auto bytes = parse_bytes(text)) return *bytes;
  throw RunError(
      fmt::format("LATHE_CACHE_SIZE is '{}': it is a number of bytes, such as 1000000, 64K, 256M or 1G", text));
}

}  // namespace

CacheOptions with_environment(CacheOptions options) {
  if (!options.enabled) return options;
  if (options.folder.empty() && variable("LATHE_CACHE") == "off") return {.enabled = false};
  if (options.folder.empty()) options.folder = folder_of_environment();
  if (!options.most_bytes) options.most_bytes = bytes_of_environment();
  return options;
}

ProgramCache::ProgramCache(CacheOptions options) : options_(std::move(options)) {
  ensure(options_.enabled && options_.most_bytes, "a cache was made of options that are not complete");
}

std::filesystem::path ProgramCache::file(const Digest& key) const {
  return options_.folder / (to_string(key) + std::string(suffix));
}

ProgramCache::Found ProgramCache::find(const Digest& key, const Graph& source) const {
  const std::string name = file(key).filename();
  try {
    const std::optional<PrivateFolder> folder = PrivateFolder::open(options_.folder);
    if (!folder) return {std::nullopt, "no entry"};
    try {
      const auto contents = folder->read(name);
      if (!contents) return {std::nullopt, "no entry"};
      Unpacked unpacked = unpack(key, *contents);
      return {CachedProgram{std::move(unpacked.code), read_record(unpacked.record, source)}, {}};
    } catch (const DataError&) {
      folder->remove(name);
      throw;
    }
  } catch (const DataError& error) {
    return {std::nullopt, error.what()};
  }
}

std::string ProgramCache::store(const Digest& key, const CachedProgram& program, const Graph& source) const {
  try {
    const PrivateFolder folder = PrivateFolder::make(options_.folder);
    const std::vector<std::byte> contents = pack(key, program.code, write_record(program.record, source));
    const std::uint64_t most = *options_.most_bytes;
    const bool fits = contents.size() <= most;
    folder.shrink(suffix, fits ? most - contents.size() : most);
    if (!fits) return fmt::format("not stored: its {} bytes are more than the cache may have", contents.size());
    folder.write(file(key).filename(), contents);
    return "stored";
  } catch (const DataError& error) {
    return fmt::format("not stored: {}", error.what());
  }
}

}  // namespace lathe
