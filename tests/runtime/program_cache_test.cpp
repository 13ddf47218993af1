#include <lathe/runtime/program_cache.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/graph/error.h>
#include <lathe/ops/effect.h>
#include <lathe/ops/gather.h>
#include <lathe/ops/math.h>
#include <lathe/ops/matmul.h>
#include <lathe/ops/operators.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/program_file.h>
#include <lathe/runtime/session.h>

#include "../support/child.h"
#include "../support/temporary_folder.h"

using namespace lathe;
using namespace lathe::test;
namespace fs = std::filesystem;

namespace {

struct Run {
  Tensor y;
  CacheReport cache;
  std::size_t compilations = 0;
  std::vector<std::string> phases;
};

/// y = tanh(x w) * factor in a new session. A `w` of many columns is too large to be part of the code.
Run run(SessionOptions options, float factor = 2, std::int64_t columns = 8) {
  Tensor w(f32, {4, columns});
  for (std::size_t i = 0; i < w.data<float>().size(); ++i) w.data<float>()[i] = static_cast<float>(i % 7) - 3;
  Graph graph;
  const Value x = placeholder(graph, "x", f32, {dim("n"), 4});
  const Value y = tanh(matmul(x, constant(graph, std::move(w)))) * constant(graph, factor);
  if (options.threads == 0) options.threads = 1;
  Session session(graph, options);
  Tensor points(f32, {3, 4});
  for (std::size_t i = 0; i < 12; ++i) points.data<float>()[i] = static_cast<float>(i) / 10;
  Run out{session.run(y, {{x, points}}), {}, session.compilations(), {}};
  const ProgramStatistics program = session.statistics().front();
  out.cache = program.cache;
  for (const CompilePhase& phase : program.phases) out.phases.push_back(phase.name);
  return out;
}

SessionOptions cached_in(const fs::path& folder, std::optional<std::uint64_t> most_bytes = std::nullopt) {
  return {.cache = {.folder = folder, .most_bytes = most_bytes}};
}

std::vector<fs::path> files(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(folder)) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

bool has_mapped(std::string_view library) {
  return slurp("/proc/self/maps").find(library) != std::string::npos;
}

/// Sets a variable of the environment, and puts back what was there.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    value ? setenv(name, value, 1) : unsetenv(name);
  }
  ~Environment() { old_ ? setenv(name_, old_->c_str(), 1) : unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace

TEST_CASE("a program found in the cache computes the same bits, and is neither lowered nor compiled") {
  const TemporaryFolder folder;
  const Run cold = run(cached_in(folder.path()));
  CHECK_FALSE(cold.cache.hit);
  CHECK(cold.cache.why == "no entry");
  CHECK(cold.cache.stored == "stored");
  CHECK(cold.compilations == 1);
  CHECK(files(folder.path()) == std::vector<fs::path>{cold.cache.file});

  const Run warm = run(cached_in(folder.path()));
  CHECK(warm.cache.hit);
  CHECK(warm.cache.file == cold.cache.file);
  CHECK(warm.compilations == 0);
  CHECK(warm.y == cold.y);
  CHECK(std::find(cold.phases.begin(), cold.phases.end(), "generate code") != cold.phases.end());
  CHECK(warm.phases == std::vector<std::string>{"look up", "load"});
  CHECK(run({.interpret = true}).y == cold.y);
}

TEST_CASE("code in the cache still reads the constants that are too large to be part of it") {
  const TemporaryFolder folder;
  constexpr std::int64_t many = 32 * 1024;
  const Run cold = run(cached_in(folder.path()), 2, many);
  const Run warm = run(cached_in(folder.path()), 2, many);
  CHECK(warm.cache.hit);
  CHECK(warm.y == cold.y);
  CHECK(run({.interpret = true}, 2, many).y == cold.y);
  CHECK(fs::file_size(cold.cache.file) < 4 * many * 4);
}

TEST_CASE("a program from the cache prints, checks and says where the checked node is now, and explains itself") {
  const TemporaryFolder folder;
  struct Seen {
    bool hit;
    std::string printed, error, explained;
  };
  const auto see = [&](bool moved) {
    Seen out;
    SessionOptions options = cached_in(folder.path());
    options.profile = true;
    options.print = [&](std::string_view text) { out.printed += text; };
    Graph graph;
    const Value places = placeholder(graph, "places", i32, {dim("n")});
    const Value table = constant(graph, Tensor::from<float>({3}, {1, 2, 3})) * 2.0F;  // folded
    const auto here = std::source_location::current();
    const auto there = std::source_location::current();
    const Value picked = gather(table, places, 0, moved ? there : here);
    Session session(graph, options);
    Callable pick = session.prepare({print(picked, "picked")}, {places});
    CHECK(pick({Tensor::from<std::int32_t>({2}, {2, 0})})[0] == Tensor::from<float>({2}, {6, 2}));
    try {
      pick({Tensor::from<std::int32_t>({1}, {3})});
    } catch (const RunError& error) {
      out.error = error.what();
    }
    const Explanation explanation = pick.explain();
    for (const StepReport& step : explanation.steps) out.explained += step.name + " " + step.holds + "\n";
    out.hit = pick.statistics().cache.hit;
    return out;
  };
  const Seen cold = see(false);
  const Seen warm = see(false);
  const Seen moved = see(true);
  CHECK_FALSE(cold.hit);
  CHECK(warm.hit);
  CHECK(moved.hit);
  CHECK(cold.printed == "picked: f32 [2] {6, 2}");
  CHECK(warm.printed == cold.printed);
  CHECK(cold.error.find("program_cache_test.cpp:") != std::string::npos);
  CHECK(warm.error == cold.error);
  CHECK(moved.error != cold.error);
  CHECK(moved.error.size() == cold.error.size());
  CHECK_FALSE(cold.explained.empty());
  CHECK(warm.explained == cold.explained);
}

TEST_CASE("another program, constant, fusion or instruction set is another entry; the number of threads is not") {
  const TemporaryFolder folder;
  SessionOptions options = cached_in(folder.path());
  run(options);
  CHECK_FALSE(run(options, 2, 9).cache.hit);
  CHECK_FALSE(run(options, std::nextafter(2.0F, 3.0F)).cache.hit);
  options.fuse = false;
  CHECK_FALSE(run(options).cache.hit);
  options.fuse = true;
  if (resolve(InstructionSet::native) != InstructionSet::portable) {
    options.instruction_set = InstructionSet::portable;
    CHECK_FALSE(run(options).cache.hit);
  }
  options.instruction_set = resolve(InstructionSet::native);
  options.threads = 3;
  CHECK(run(options).cache.hit);
}

TEST_CASE("a changed file is noticed, named, removed and written again") {
  const TemporaryFolder folder;
  const Run good = run(cached_in(folder.path()));
  const std::string contents = slurp(good.cache.file);
  struct Damage {
    std::string contents;
    std::string why;
  };
  const auto flipped = [&](std::size_t at) {
    std::string out = contents;
    out[at] = static_cast<char>(out[at] ^ 1);
    return out;
  };
  std::string other_key = contents;
  other_key.replace(16, 1, 1, static_cast<char>(other_key[16] ^ 1));
  const Damage damages[] = {
      {flipped(0), "it is no program of Lathe's"},
      {flipped(8), "its format has version 3, not 2"},
      {flipped(12), "its checksum differs"},  // the instruction set
      {other_key, "its key is "},
      {flipped(56), "its checksum differs"},  // where it is entered
      {flipped(contents.size() / 2), "its checksum differs"},
      {flipped(contents.size() - 1), "its checksum differs"},
      {contents.substr(0, contents.size() - 1), "of code and data and"},
      {contents.substr(0, 50), "it has only 50 bytes"},
      {"", "it has only 0 bytes"},
      {contents + "x", "of code and data and"},
  };
  for (const Damage& damage : damages) {
    CAPTURE(damage.why);
    std::ofstream(good.cache.file, std::ios::binary | std::ios::trunc) << damage.contents;
    const Run again = run(cached_in(folder.path()));
    CHECK_FALSE(again.cache.hit);
    CHECK(again.cache.why.find(damage.why) != std::string::npos);
    CHECK(again.cache.stored == "stored");
    CHECK(again.y == good.y);
    CHECK(slurp(good.cache.file) == contents);
    CHECK(run(cached_in(folder.path())).cache.hit);
  }
}

TEST_CASE("a broken entry goes even if the new one cannot be stored") {
  const TemporaryFolder folder;
  const ProgramCache cache({.folder = folder.path(), .most_bytes = 10});
  std::ofstream(cache.file({1, 2})) << "broken";
  CHECK(cache.find({1, 2}, {}).why_not == "it has only 6 bytes");
  CHECK(cache.find({1, 2}, {}).why_not == "no entry");
}

TEST_CASE("an entry that others may write to is not run") {
  const TemporaryFolder folder;
  const Run cold = run(cached_in(folder.path()));
  REQUIRE(chmod(cold.cache.file.c_str(), 0620) == 0);
  CHECK(run(cached_in(folder.path())).cache.why == "it is writable by others");
  CHECK(run(cached_in(folder.path())).cache.hit);
  REQUIRE(chmod(folder.path().c_str(), 0770) == 0);
  const Run refused = run(cached_in(folder.path()));
  CHECK_FALSE(refused.cache.hit);
  CHECK(refused.cache.why == "the folder is writable by others");
  CHECK(refused.cache.stored == "not stored: the folder is writable by others");
  CHECK(refused.y == cold.y);
  CHECK(fs::exists(cold.cache.file));
}

TEST_CASE("an entry of another user is not run") {
  if (geteuid() != 0) {
    MESSAGE("skipped: only root can give files away");
    return;
  }
  const TemporaryFolder folder;
  const Run cold = run(cached_in(folder.path()));
  REQUIRE(chown(cold.cache.file.c_str(), 65534, 65534) == 0);
  CHECK(run(cached_in(folder.path())).cache.why == "it belongs to another user");
  CHECK(run(cached_in(folder.path())).cache.hit);
}

TEST_CASE("a folder that cannot be had, read or written costs the cache and nothing else") {
  const TemporaryFolder folder;
  const Run expected = run({.cache = {.enabled = false}});
  CHECK(to_string(expected.cache) == "unused (off)");
  folder.write("file", "text");
  for (const char* path : {"file", "file/below"}) {
    const Run out = run(cached_in(folder.path() / path));
    CHECK_FALSE(out.cache.hit);
    CHECK(out.cache.stored.starts_with("not stored: "));
    CHECK(out.cache.stored.find("Not a directory") != std::string::npos);
    CHECK(out.y == expected.y);
  }
  // No one may make a folder there, root included.
  const Run nowhere = run(cached_in("/proc/lathe-test"));
  CHECK(nowhere.cache.why == "no entry");
  CHECK(nowhere.cache.stored.starts_with("not stored: making the folder: "));
  CHECK(nowhere.y == expected.y);
  CHECK(slurp(folder.path() / "file") == "text");
}

TEST_CASE("a read-only folder is read all the same") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "cache";
  const Run cold = run(cached_in(path));
  REQUIRE(chmod(path.c_str(), 0500) == 0);
  CHECK(run(cached_in(path)).cache.hit);
  const Run other = run(cached_in(path), 3);
  CHECK_FALSE(other.cache.hit);
  CHECK((other.cache.stored == "stored") == (geteuid() == 0));  // root may write even there
  REQUIRE(chmod(path.c_str(), 0700) == 0);
}

TEST_CASE("a full disk costs the entry and nothing else") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "cache";
  const int code = in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};  // of any file, which stands for a full disk and binds root, too
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    const Run out = run(cached_in(path));
    if (out.cache.stored != "not stored: writing: File too large") return 2;
    return out.y == run({.interpret = true}).y ? 0 : 3;
  });
  CHECK(code == 0);
  CHECK(files(path).empty());
  CHECK(run(cached_in(path)).cache.stored == "stored");
}

TEST_CASE("the folder keeps to its size, and what was used last stays") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "cache";
  const auto age = [](const fs::path& file, int seconds) {
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::seconds(seconds));
  };
  const fs::path first = run(cached_in(path), 1).cache.file;
  const fs::path second = run(cached_in(path), 2).cache.file;
  const fs::path third = run(cached_in(path), 3).cache.file;
  age(first, 300);
  age(second, 200);
  age(third, 100);
  CHECK(run(cached_in(path), 1).cache.hit);  // and so it is the newest
  const std::uint64_t room = fs::file_size(first) + fs::file_size(second) + fs::file_size(third) + 100;
  CHECK(run(cached_in(path, room), 4).cache.stored == "stored");
  CHECK(fs::exists(first));
  CHECK_FALSE(fs::exists(second));
  CHECK(fs::exists(third));
}

TEST_CASE("a bound of 0 keeps nothing") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "cache";
  run(cached_in(path));
  const Run out = run(cached_in(path, 0), 3);
  CHECK(out.cache.stored.find("are more than the cache may have") != std::string::npos);
  CHECK(files(path).empty());
}

TEST_CASE("a dump compiles, whatever is in the cache") {
  const TemporaryFolder folder;
  SessionOptions options = cached_in(folder.path() / "cache");
  run(options);
  options.dump = folder.path() / "dump";
  const Run out = run(options);
  CHECK_FALSE(out.cache.hit);
  CHECK(out.compilations == 1);
  CHECK(to_string(out.cache) == "unused (a dump needs a compilation)");
  CHECK(fs::exists(folder.path() / "dump" / "00_mul" / "module.s"));
}

TEST_CASE("many processes may use one folder at once, for the same and for different programs") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "cache";
  std::vector<Tensor> expected;
  for (int i = 0; i < 3; ++i) expected.push_back(run({.interpret = true}, static_cast<float>(i)).y);
  std::vector<pid_t> children;
  for (int process = 0; process < 8; ++process) {
    const pid_t child = fork();
    if (child == 0) {
      bool good = true;
      for (int i = 0; i < 6; ++i) {
        const int program = (process + i) % 3;
        const Run out = run(cached_in(path), static_cast<float>(program));
        good = good && out.y == expected[static_cast<std::size_t>(program)];
        good = good && (out.cache.hit || (out.cache.why == "no entry" && out.cache.stored == "stored"));
      }
      _exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  CHECK(files(path).size() == 3);
  for (int i = 0; i < 3; ++i) CHECK(run(cached_in(path), static_cast<float>(i)).cache.hit);
}

TEST_CASE("alone in a process: runs a program, and says by its exit code what was loaded" * doctest::skip()) {
  const Run out = run(cached_in(std::getenv("LATHE_TEST_FOLDER")));
  const bool loaded = has_mapped("liblathe_llvm.so") || has_mapped("libLLVM");
  REQUIRE(out.cache.hit != loaded);
  _exit(loaded ? 10 : 11);
}

TEST_CASE("a process that finds its programs in the cache never loads LLVM") {
  const TemporaryFolder folder;
  const auto run_alone = [&] {
    return in_child([&] {
      setenv("LATHE_TEST_FOLDER", folder.path().c_str(), 1);
      execl("/proc/self/exe", "program_cache_test", "--no-skip", "--test-case=alone in a process*", nullptr);
      return 1;
    });
  };
  CHECK(run_alone() == 10);
  CHECK(run_alone() == 11);
}

TEST_CASE("what the options leave open the environment says") {
  const Environment off("LATHE_CACHE", "off");
  CHECK_FALSE(with_environment({}).enabled);
  CHECK(with_environment({.folder = "/a"}).enabled);
  CHECK_FALSE(with_environment({.enabled = false, .folder = "/a"}).enabled);
  {
    const Environment folder("LATHE_CACHE", "/b/c");
    CHECK(with_environment({}).folder == "/b/c");
    CHECK(with_environment({.folder = "/a"}).folder == "/a");
    CHECK_FALSE(with_environment({.enabled = false}).enabled);
  }
  const Environment none("LATHE_CACHE", nullptr);
  const Environment home("HOME", "/home/a");
  const Environment caches("XDG_CACHE_HOME", "/caches");
  CHECK(with_environment({}).folder == "/caches/lathe/programs");
  const Environment relative("XDG_CACHE_HOME", "caches");
  CHECK(with_environment({}).folder == "/home/a/.cache/lathe/programs");
  const Environment homeless("HOME", nullptr);
  CHECK(with_environment({}).folder.empty());
  CHECK(to_string(run({}).cache) == "unused (neither XDG_CACHE_HOME nor HOME is set)");
}

TEST_CASE("the bound takes units, and what is no number of bytes is an error") {
  const Environment none("LATHE_CACHE", nullptr);
  const auto parsed = [](const char* text) {
    const Environment size("LATHE_CACHE_SIZE", text);
    return *with_environment({}).most_bytes;
  };
  CHECK(parsed(nullptr) == 256 << 20);
  CHECK(parsed("") == 256 << 20);
  CHECK(parsed("0") == 0);
  CHECK(parsed("1000000") == 1000000);
  CHECK(parsed("64K") == 64 << 10);
  CHECK(parsed("3M") == 3 << 20);
  CHECK(parsed("2G") == std::uint64_t{2} << 30);
  for (const char* bad : {"M", "-1", "1.5M", "10MB", " 1", "lots", "99999999999999999999", "99999999999999G"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parsed(bad), RunError);
  }
  Graph graph;
  const Environment size("LATHE_CACHE_SIZE", "lots");
  CHECK_THROWS_WITH_AS(Session{graph},
                       "LATHE_CACHE_SIZE is 'lots': it is a number of bytes, such as 1000000, 64K, 256M or 1G",
                       RunError);
  const Environment on("LATHE_CACHE", "on");
  CHECK_THROWS_WITH_AS(Session{graph}, doctest::Contains("LATHE_CACHE is 'on'"), RunError);
}

TEST_CASE("the log says of each program what the cache did") {
  const TemporaryFolder folder;
  const auto logged = [&] {
    const fs::path file = folder.path() / "log";
    const int code = in_child([&] {
      setenv("LATHE_LOG", "cache", 1);
      if (!std::freopen(file.c_str(), "w", stderr)) return 1;
      run(cached_in(folder.path() / "cache"));
      std::fflush(stderr);
      return 0;
    });
    CHECK(code == 0);
    return slurp(file);
  };
  const std::string cold = logged();
  const std::string entry = files(folder.path() / "cache").front();
  CHECK(cold == fmt::format("lathe: cache: 'mul' miss (no entry) {}, stored\n", entry));
  CHECK(logged() == fmt::format("lathe: cache: 'mul' hit {}\n", entry));
}

TEST_CASE("an explanation says where the code is from") {
  const TemporaryFolder folder;
  const auto explained = [&] {
    Graph graph;
    const Value x = placeholder(graph, "x", f32, {dim("n")});
    Session session(graph, cached_in(folder.path()));
    Callable doubled = session.prepare({x * 2.0F}, {x});
    const Tensor one(f32, {1});
    doubled({one});
    return doubled.explain();
  };
  const Explanation cold = explained();
  CHECK(to_text(cold).find("cache of programs: miss (no entry)") != std::string::npos);
  const Explanation warm = explained();
  CHECK(to_text(warm).find("cache of programs: hit " + folder.path().string()) != std::string::npos);
  CHECK(to_html(warm).find("Cache of programs: hit") != std::string::npos);
  CHECK(warm.target == cold.target);
}
