#include "other_load.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace lathe::bench {

OtherLoad::OtherLoad() : start_(now()) {}

double OtherLoad::share() const {
  const Seconds end = now();
  const double all = end.all - start_.all;
  if (all <= 0) return 0;
  return std::clamp((end.busy - start_.busy - (end.own - start_.own)) / all, 0.0, 1.0);
}

OtherLoad::Seconds OtherLoad::now() {
  Seconds seconds;
  // The first line of /proc/stat, proc(5): clock ticks spent as user, nice, system, idle, iowait, irq, softirq, steal.
  std::ifstream file("/proc/stat");
  std::string name;
  file >> name;
  const auto ticks_a_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  for (int column = 0; column < 8; ++column) {
    double ticks = 0;
    file >> ticks;
    const bool idle = column == 3 || column == 4;
    seconds.all += ticks / ticks_a_second;
    if (!idle) seconds.busy += ticks / ticks_a_second;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  for (const timeval& time : {usage.ru_utime, usage.ru_stime}) {
    seconds.own += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  }
  return seconds;
}

}  // namespace lathe::bench
