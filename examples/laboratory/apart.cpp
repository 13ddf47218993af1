#include "apart.h"

#include <cstdio>
#include <exception>

#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe::laboratory {
namespace {

/// Never returns: what the parent would do at its end is not done twice.
[[noreturn]] void measure_and_tell(const std::function<double()>& measure, int pipe) {
  try {
    const double result = measure();
    _exit(write(pipe, &result, sizeof result) == sizeof result ? 0 : 1);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    _exit(1);
  }
}

}  // namespace

double measured_apart(const std::function<double()>& measure) {
  int ends[2];
  if (pipe(ends) != 0) throw Error("no pipe to another process can be had");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) measure_and_tell(measure, ends[1]);
  close(ends[1]);
  double result = 0;
  const bool told = child > 0 && read(ends[0], &result, sizeof result) == sizeof result;
  close(ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  if (!told) throw Error("a measurement in a process of its own failed");
  return result;
}

}  // namespace lathe::laboratory
