#include <doubler.h>
#include <stdio.h>
#include <twice.h>

int main(void) {
  printf("doubler for %s: %d\n", doubler_targets(), doubler_run(21));
  printf("twice for %s: %d\n", twice_targets(), twice_run(4));
  return 0;
}
