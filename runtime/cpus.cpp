#include <lathe/runtime/cpus.h>

#include <sched.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

namespace lathe {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

std::optional<double> positive_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number <= 0) return std::nullopt;
  return number;
}

std::optional<double> quotient(std::string_view quota, std::string_view period) {
  const auto allowed = positive_number(quota);  // "max" and -1 mean no limit
  const auto of = positive_number(period);
  if (!allowed || !of) return std::nullopt;
  return *allowed / *of;
}

// Version 2 keeps "quota period" in one file, version 1 a number in each of two.
std::optional<double> limit_of_v2(const fs::path& group) {
  const std::string line = first_line(group / "cpu.max");
  const auto space = line.find(' ');
  if (space == std::string::npos) return std::nullopt;
  return quotient(std::string_view(line).substr(0, space), std::string_view(line).substr(space + 1));
}

std::optional<double> limit_of_v1(const fs::path& group) {
  return quotient(first_line(group / "cpu.cfs_quota_us"), first_line(group / "cpu.cfs_period_us"));
}

template <class LimitOf>
void tighten(std::optional<double>& limit, const fs::path& root, fs::path group, LimitOf limit_of) {
  group = group.relative_path();
  for (;;) {
    if (const auto found = limit_of(root / group)) limit = std::min(limit.value_or(*found), *found);
    if (group.empty()) return;
    group = group.parent_path();
  }
}

bool lists(std::string_view controllers, std::string_view wanted) {
  while (!controllers.empty()) {
    const auto comma = controllers.find(',');
    if (controllers.substr(0, comma) == wanted) return true;
    if (comma == std::string_view::npos) return false;
    controllers.remove_prefix(comma + 1);
  }
  return false;
}

/// The CPUs that a thread may run on. The mask grows until the kernel's fits: it may number more than cpu_set_t holds.
struct Affinity {
  std::array<cpu_set_t, 64> mask{};
  std::size_t bytes = 0;  // 0: unknown

  static Affinity of_this_thread() {
    Affinity affinity;
    for (std::size_t sets = 1; sets <= affinity.mask.size(); sets *= 2) {
      const std::size_t bytes = sets * sizeof(cpu_set_t);
      if (sched_getaffinity(0, bytes, affinity.mask.data()) != 0) continue;
      affinity.bytes = bytes;
      break;
    }
    return affinity;
  }
};

}  // namespace

std::optional<double> cgroup_cpu_limit(const fs::path& membership, const fs::path& mount) {
  std::optional<double> limit;
  std::ifstream in(membership);
  for (std::string line; std::getline(in, line);) {  // "4:cpu,cpuacct:/user.slice", version 2: "0::/user.slice"
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = line.substr(second + 1);
    if (controllers.empty()) {
      tighten(limit, mount, group, limit_of_v2);
    } else if (lists(controllers, "cpu")) {
      tighten(limit, mount / controllers, group, limit_of_v1);
      if (controllers != "cpu") tighten(limit, mount / "cpu", group, limit_of_v1);
    }
  }
  return limit;
}

int usable_cpus() {
  const Affinity affinity = Affinity::of_this_thread();
  int cpus = affinity.bytes > 0 ? CPU_COUNT_S(affinity.bytes, affinity.mask.data())
                                : static_cast<int>(std::thread::hardware_concurrency());
  cpus = std::max(cpus, 1);
  if (const auto limit = cgroup_cpu_limit("/proc/self/cgroup", "/sys/fs/cgroup")) {
    cpus = std::min(cpus, std::max(1, static_cast<int>(std::ceil(std::min(*limit, 1e6)))));
  }
  return cpus;
}

int current_cpu() {
  return sched_getcpu();
}

void leave_cpu(int cpu) {
  if (cpu < 0 || current_cpu() != cpu) return;
  const Affinity before = Affinity::of_this_thread();
  Affinity others = before;
  CPU_CLR_S(static_cast<std::size_t>(cpu), others.bytes, others.mask.data());
  if (others.bytes == 0 || CPU_COUNT_S(others.bytes, others.mask.data()) == 0) return;
  if (sched_setaffinity(0, others.bytes, others.mask.data()) != 0) return;
  sched_setaffinity(0, before.bytes, before.mask.data());
}

}  // namespace lathe
