#include <lathe/runtime/cpus.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

#include <doctest/doctest.h>

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
  std::optional<double> limit() const { return lathe::cgroup_cpu_limit(root / "membership", root / "mount"); }
};

}  // namespace

TEST_CASE("a process may use at least one CPU, and no more than its affinity mask has") {
  CHECK(lathe::usable_cpus() >= 1);
  CHECK(lathe::usable_cpus() <= sysconf(_SC_NPROCESSORS_CONF));
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
