#pragma once

#include <filesystem>
#include <optional>

namespace lathe {

/// How many CPUs this process may keep busy: those in its affinity mask, and no more than its control groups (version 1
/// or 2) grant it, rounded up. At least 1.
int usable_cpus();

/// The CPU that the calling thread is on; negative if the system does not say.
int current_cpu();

/// Moves the calling thread to another CPU of those it may run on, if it is on `cpu` and there is another. It may run
/// on the same ones as before.
void leave_cpu(int cpu);

/// The tightest CPU limit of the control groups listed in `membership` (the format of /proc/self/cgroup), whose file
/// systems are mounted under `mount`; nothing if there is no limit. Parents' limits count too.
std::optional<double> cgroup_cpu_limit(const std::filesystem::path& membership, const std::filesystem::path& mount);

}  // namespace lathe
