#include <twice.h>

#include <cstdio>

int main() {
  std::printf("twice for %s: %d\n", twice_targets(), twice_run(5));
}
