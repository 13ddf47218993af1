#include "child.h"

#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

namespace lathe::test {

int in_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      _exit(body());
    } catch (...) {
      _exit(99);
    }
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) throw std::runtime_error("cannot start or await a process");
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace lathe::test
