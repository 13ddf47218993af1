#include <lathe/runtime/private_folder.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe {
namespace {

constexpr std::string_view unfinished = ".part";
constexpr mode_t owner_only = S_IRWXU;

[[noreturn]] void refuse(std::string_view doing) {
  throw DataError(fmt::format("{}: {}", doing, std::strerror(errno)));
}

struct stat status_of(const Descriptor& open) {
  struct stat status {};
  if (fstat(open.get(), &status) != 0) refuse("looking at it");
  return status;
}

void check_trust(const struct stat& status, std::string_view what) {
  if (status.st_uid != geteuid()) throw DataError(fmt::format("{} belongs to another user", what));
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) throw DataError(fmt::format("{} is writable by others", what));
}

void write_all(const Descriptor& file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refuse("writing");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

/// A name that nothing else uses.
std::string unfinished_name(const std::string& name) {
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof(number), 0) != sizeof(number)) refuse("finding a name");
  return fmt::format("{}.{:016x}{}", name, number, unfinished);
}

struct Entry {
  std::string name;
  timespec used;
  std::uint64_t bytes;
};

bool used_before(const Entry& a, const Entry& b) {
  return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
}

std::vector<Entry> entries(const Descriptor& folder) {
  struct Close {
    void operator()(DIR* open) const { closedir(open); }
  };
  const std::unique_ptr<DIR, Close> listing(fdopendir(openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  if (!listing) refuse("listing the folder");
  std::vector<Entry> out;
  while (const dirent* entry = readdir(listing.get())) {
    struct stat status {};
    if (fstatat(folder.get(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) continue;
    out.push_back({entry->d_name, status.st_mtim, static_cast<std::uint64_t>(status.st_size)});
  }
  return out;
}

}  // namespace

Descriptor::~Descriptor() {
  if (is_open()) close(number_);
}

std::optional<PrivateFolder> PrivateFolder::open(const std::filesystem::path& path) {
  Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open() && errno == ENOENT) return std::nullopt;
  if (!folder.is_open()) refuse("opening the folder");
  check_trust(status_of(folder), "the folder");
  return PrivateFolder(std::move(folder));
}

PrivateFolder PrivateFolder::make(const std::filesystem::path& path) {
  std::filesystem::path prefix;
  for (const std::filesystem::path& part : path) {
    prefix /= part;
    mkdir(prefix.c_str(), owner_only);  // most are there already
  }
  const int error = errno;
  if (std::optional<PrivateFolder> folder = open(path)) return std::move(*folder);
  errno = error;
  refuse("making the folder");
}

std::optional<std::vector<std::byte>> PrivateFolder::read(const std::string& name) const {
  // A pipe in a file's place must not block.
  const Descriptor file(openat(folder_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.is_open() && errno == ENOENT) return std::nullopt;
  if (!file.is_open()) refuse("opening it");
  const struct stat status = status_of(file);
  if (!S_ISREG(status.st_mode)) throw DataError("it is not a file");
  check_trust(status, "it");
  std::vector<std::byte> contents(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < contents.size()) {
    const ssize_t got = ::read(file.get(), contents.data() + done, contents.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse("reading it");
    if (got == 0) throw DataError("it became shorter while it was read");
    done += static_cast<std::size_t>(got);
  }
  futimens(file.get(), nullptr);  // where that is not allowed, the file only seems older than it is
  return contents;
}

void PrivateFolder::write(const std::string& name, std::span<const std::byte> contents) const {
  const std::string temporary = unfinished_name(name);
  const Descriptor file(openat(folder_.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                               S_IRUSR | S_IWUSR));
  if (!file.is_open()) refuse("making a file");
  try {
    write_all(file, contents);
    if (fsync(file.get()) != 0) refuse("writing");
    if (renameat(folder_.get(), temporary.c_str(), folder_.get(), name.c_str()) != 0) refuse("naming the file");
  } catch (const DataError&) {
    remove(temporary);
    throw;
  }
}

void PrivateFolder::remove(const std::string& name) const {
  unlinkat(folder_.get(), name.c_str(), 0);
}

void PrivateFolder::shrink(std::string_view suffix, std::uint64_t most_bytes) const {
  constexpr std::time_t long_ago = 3600;  // seconds; nobody writes for that long
  std::vector<Entry> kept;
  std::uint64_t bytes = 0;
  for (Entry& entry : entries(folder_)) {
    if (entry.name.ends_with(unfinished) && entry.used.tv_sec < std::time(nullptr) - long_ago) remove(entry.name);
    if (!entry.name.ends_with(suffix)) continue;
    bytes += entry.bytes;
    kept.push_back(std::move(entry));
  }
  std::sort(kept.begin(), kept.end(), used_before);
  for (const Entry& entry : kept) {
    if (bytes <= most_bytes) break;
    remove(entry.name);
    bytes -= entry.bytes;
  }
}

}  // namespace lathe
