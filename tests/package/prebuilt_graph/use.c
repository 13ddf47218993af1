#include <prebuilt.h>
#include <stdio.h>

int main(void) {
  printf("prebuilt for %s: %d\n", prebuilt_targets(), prebuilt_run(5));
  return 0;
}
