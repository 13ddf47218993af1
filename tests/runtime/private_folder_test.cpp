#include <lathe/runtime/private_folder.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <iterator>

#include <doctest/doctest.h>

#include <lathe/graph/error.h>

#include "../support/child.h"
#include "../support/temporary_folder.h"

using namespace lathe;
using namespace lathe::test;
namespace fs = std::filesystem;

namespace {

std::vector<std::byte> bytes(std::string_view text) {
  std::vector<std::byte> out;
  std::transform(text.begin(), text.end(), std::back_inserter(out), [](char c) { return static_cast<std::byte>(c); });
  return out;
}

std::vector<std::string> names(const fs::path& folder) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder)) out.push_back(entry.path().filename());
  std::sort(out.begin(), out.end());
  return out;
}

/// What opening the folder, or reading a file in it, is refused with; empty if it is not.
std::string refusal(const std::function<void()>& act) {
  try {
    act();
    return {};
  } catch (const DataError& error) {
    return error.what();
  }
}

void set_age(const fs::path& file, long seconds) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const timespec then{now.tv_sec - seconds, 0};
  const timespec times[] = {then, then};
  REQUIRE(utimensat(AT_FDCWD, file.c_str(), times, 0) == 0);
}

}  // namespace

TEST_CASE("a file comes back as it was written, and replaces one of the same name") {
  const TemporaryFolder temporary;
  const PrivateFolder folder = PrivateFolder::make(temporary.path() / "a" / "b");
  CHECK(!folder.read("x").has_value());
  for (const char* text : {"first", "", "the third"}) {
    folder.write("x", bytes(text));
    CHECK(folder.read("x") == bytes(text));
    CHECK(names(temporary.path() / "a" / "b") == std::vector<std::string>{"x"});
  }
}

TEST_CASE("folders and files are made for their owner alone, whatever the umask") {
  const TemporaryFolder temporary;
  const mode_t old = umask(0);
  PrivateFolder::make(temporary.path() / "a" / "b").write("x", bytes("text"));
  umask(old);
  const auto mode = [&](const char* path) {
    struct stat status {};
    REQUIRE(stat((temporary.path() / path).c_str(), &status) == 0);
    return status.st_mode & 0777;
  };
  CHECK(mode("a") == 0700);
  CHECK(mode("a/b") == 0700);
  CHECK(mode("a/b/x") == 0600);
}

TEST_CASE("a folder that is not there is none, and a file in its place is refused") {
  const TemporaryFolder temporary;
  CHECK(!PrivateFolder::open(temporary.path() / "missing").has_value());
  temporary.write("file", "text");
  CHECK(refusal([&] { PrivateFolder::open(temporary.path() / "file"); }) == "opening the folder: Not a directory");
  CHECK(refusal([&] { PrivateFolder::make(temporary.path() / "file"); }) == "opening the folder: Not a directory");
  CHECK(refusal([&] { PrivateFolder::make(temporary.path() / "file" / "b"); }).ends_with("Not a directory"));
  CHECK(slurp(temporary.path() / "file") == "text");
}

TEST_CASE("a folder or file that others may write to is not trusted") {
  const TemporaryFolder temporary;
  const fs::path path = temporary.path() / "folder";
  const PrivateFolder folder = PrivateFolder::make(path);
  folder.write("x", bytes("text"));
  for (const mode_t mode : {S_IWGRP, S_IWOTH}) {
    REQUIRE(chmod((path / "x").c_str(), 0600 | mode) == 0);
    CHECK(refusal([&] { folder.read("x"); }) == "it is writable by others");
    REQUIRE(chmod(path.c_str(), 0700 | mode) == 0);
    CHECK(refusal([&] { PrivateFolder::open(path); }) == "the folder is writable by others");
    CHECK(refusal([&] { PrivateFolder::make(path); }) == "the folder is writable by others");
    REQUIRE(chmod(path.c_str(), 0755) == 0);
    CHECK(refusal([&] { PrivateFolder::open(path); }) == "");
    REQUIRE(chmod((path / "x").c_str(), 0644) == 0);
    CHECK(refusal([&] { folder.read("x"); }) == "");
  }
}

TEST_CASE("a folder or file of another user is not trusted") {
  if (geteuid() != 0) {
    MESSAGE("skipped: only root can give files away");
    return;
  }
  constexpr uid_t nobody = 65534;
  const TemporaryFolder temporary;
  const fs::path path = temporary.path() / "folder";
  const PrivateFolder folder = PrivateFolder::make(path);
  folder.write("x", bytes("text"));
  REQUIRE(chown((path / "x").c_str(), nobody, nobody) == 0);
  CHECK(refusal([&] { folder.read("x"); }) == "it belongs to another user");
  REQUIRE(chown(path.c_str(), nobody, nobody) == 0);
  CHECK(refusal([&] { PrivateFolder::open(path); }) == "the folder belongs to another user");
  // Nor does root's code come from a link to it.
  fs::create_directory_symlink(path, temporary.path() / "link");
  CHECK(refusal([&] { PrivateFolder::open(temporary.path() / "link"); }) == "the folder belongs to another user");
}

TEST_CASE("only files are read: no link, no folder, and no pipe that would block") {
  const TemporaryFolder temporary;
  const PrivateFolder folder = PrivateFolder::make(temporary.path() / "folder");
  temporary.write("target", "text");
  fs::create_symlink(temporary.path() / "target", temporary.path() / "folder" / "link");
  fs::create_directory(temporary.path() / "folder" / "inner");
  REQUIRE(mkfifo((temporary.path() / "folder" / "pipe").c_str(), 0600) == 0);
  CHECK(refusal([&] { folder.read("link"); }).starts_with("opening it: "));
  CHECK(refusal([&] { folder.read("inner"); }) == "it is not a file");
  CHECK(refusal([&] { folder.read("pipe"); }) == "it is not a file");
}

TEST_CASE("what cannot be written leaves no trace, and what was there stays") {
  const TemporaryFolder temporary;
  const PrivateFolder folder = PrivateFolder::make(temporary.path() / "folder");
  folder.write("x", bytes("text"));
  // A limit on the size of files stands for a full disk, and binds root too.
  const int code = in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100, 100};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    if (refusal([&] { folder.write("x", std::vector<std::byte>(1000)); }) != "writing: File too large") return 2;
    return refusal([&] { folder.write("y", std::vector<std::byte>(100)); }).empty() ? 0 : 3;
  });
  CHECK(code == 0);
  fs::create_directory(temporary.path() / "folder" / "z");
  CHECK(refusal([&] { folder.write("z", bytes("text")); }).starts_with("naming the file: "));
  CHECK(names(temporary.path() / "folder") == std::vector<std::string>{"x", "y", "z"});
  CHECK(folder.read("x") == bytes("text"));
}

TEST_CASE("a folder shrinks by what was not used for longest") {
  const TemporaryFolder temporary;
  const PrivateFolder folder = PrivateFolder::make(temporary.path() / "folder");
  const auto path = [&](const char* name) { return temporary.path() / "folder" / name; };
  for (const char* name : {"a.code", "b.code", "c.code", "d.code", "other"}) folder.write(name, bytes("0123456789"));
  set_age(path("a.code"), 100);
  set_age(path("b.code"), 400);
  set_age(path("c.code"), 300);
  set_age(path("d.code"), 200);
  set_age(path("other"), 1000);
  folder.shrink(".code", 40);
  CHECK(names(temporary.path() / "folder").size() == 5);
  folder.shrink(".code", 39);
  CHECK(names(temporary.path() / "folder") == std::vector<std::string>{"a.code", "c.code", "d.code", "other"});
  folder.read("c.code");
  folder.shrink(".code", 20);
  CHECK(names(temporary.path() / "folder") == std::vector<std::string>{"a.code", "c.code", "other"});
  folder.shrink(".code", 0);
  CHECK(names(temporary.path() / "folder") == std::vector<std::string>{"other"});
}

TEST_CASE("what stopped writers have left goes, once it is old") {
  const TemporaryFolder temporary;
  const PrivateFolder folder = PrivateFolder::make(temporary.path() / "folder");
  folder.write("old.part", bytes("text"));
  folder.write("new.part", bytes("text"));
  set_age(temporary.path() / "folder" / "old.part", 2 * 3600);
  folder.shrink(".code", 1000);
  CHECK(names(temporary.path() / "folder") == std::vector<std::string>{"new.part"});
}
