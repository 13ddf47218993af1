#include <lathe/graph/source_line.h>

#include <mutex>
#include <set>

#include <fmt/format.h>

namespace lathe {
namespace {

std::string_view without_folders(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

/// A copy of `text` that lives as long as the process; equal texts share it.
std::string_view intern(std::string_view text) {
  static std::mutex mutex;
  static std::set<std::string, std::less<>> texts;
  const std::lock_guard lock(mutex);
  const auto found = texts.find(text);
  return found != texts.end() ? *found : *texts.emplace(text).first;
}

}  // namespace

SourceLine::SourceLine(const std::source_location& where)
    : file(without_folders(where.file_name())), line(where.line()) {}

SourceLine::SourceLine(std::string_view file, std::uint32_t line) : file(intern(without_folders(file))), line(line) {}

std::string describe(const SourceLine& where) {
  return fmt::format("{}:{}", where.file, where.line);
}

}  // namespace lathe
