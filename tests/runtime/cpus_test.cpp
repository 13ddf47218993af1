#include <lathe/runtime/cpus.h>

#include <sched.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

#include <doctest/doctest.h>

using namespace lathe;

namespace fs = std::filesystem;

namespace {

/// A folder that stands in for /sys/fs/cgroup, gone when the test is.
struct FakeCgroups {
  fs::path root = fs::temp_directory_path() / ("lathe_cgroups_" + std::to_string(getpid()));

  FakeCgroups() {
    fs::remove_all(root);
    fs::create_directories(root);
  }
  ~FakeCgroups() { fs::remove_all(root); }
  FakeCgroups(const FakeCgroups&) = delete;
  FakeCgroups& operator=(const FakeCgroups&) = delete;

  void write(const fs::path& file, const std::string& text) const {
    fs::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text << '\n';
  }
  std::optional<double> limit() const { return cgroup_cpu_limit(root / "membership", root / "mount"); }
};

}  // namespace

TEST_CASE("a process may use at least one CPU, and no more than its affinity mask has") {
  CHECK(usable_cpus() >= 1);
  CHECK(usable_cpus() <= sysconf(_SC_NPROCESSORS_CONF));
}

TEST_CASE("a thread leaves a CPU if it is there and may run on another, and may come back") {
  const auto affinity = [] {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    REQUIRE(sched_getaffinity(0, sizeof mask, &mask) == 0);
    return mask;
  };
  const cpu_set_t before = affinity();
  int moves = 0;
  for (int i = 0; i < 20; ++i) {
    const int cpu = current_cpu();
    leave_cpu(cpu);
    if (current_cpu() != cpu) ++moves;
    const cpu_set_t after = affinity();
    REQUIRE(CPU_EQUAL(&before, &after));
  }
  CHECK((moves > 0) == (CPU_COUNT(&before) > 1));
  leave_cpu(-1);
  const cpu_set_t after = affinity();
  CHECK(CPU_EQUAL(&before, &after));
}

TEST_CASE("a version 2 control group's quota is a number of CPUs, and the tightest of its parents' counts") {
  FakeCgroups groups;
  groups.write("membership", "0::/user/job");
  groups.write("mount/user/job/cpu.max", "350000 100000");
  CHECK(groups.limit() == 3.5);
  groups.write("mount/user/cpu.max", "150000 100000");
  CHECK(groups.limit() == 1.5);
}

TEST_CASE("a version 2 control group without a quota sets no limit") {
  FakeCgroups groups;
  groups.write("membership", "0::/job");
  groups.write("mount/job/cpu.max", "max 100000");
  CHECK_FALSE(groups.limit().has_value());
}

TEST_CASE("a version 1 control group's quota is read from the hierarchy that has the cpu controller") {
  FakeCgroups groups;
  groups.write("membership", "5:memory:/job\n4:cpu,cpuacct:/job\n0::/");
  groups.write("mount/memory/job/cpu.cfs_quota_us", "100000");
  groups.write("mount/memory/job/cpu.cfs_period_us", "100000");
  groups.write("mount/cpu,cpuacct/job/cpu.cfs_quota_us", "200000");
  groups.write("mount/cpu,cpuacct/job/cpu.cfs_period_us", "100000");
  CHECK(groups.limit() == 2.0);
  groups.write("mount/cpu,cpuacct/job/cpu.cfs_quota_us", "-1");
  CHECK_FALSE(groups.limit().has_value());
}

TEST_CASE("a process outside any control group has no limit") {
  FakeCgroups groups;
  CHECK_FALSE(groups.limit().has_value());
  groups.write("membership", "garbage");
  CHECK_FALSE(groups.limit().has_value());
}
