/* Reads Fashion-MNIST's files into arrays of the caller's. */
#ifndef IDX_H
#define IDX_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { side = 28, pixels = side * side, train_count = 60000, test_count = 10000, classes = 10 };

/* Ends the program if `folder`/`name`, packed or not, is not an IDX file of `count` items of `bytes` bytes each. */
static void read_idx(const char* folder, const char* name, uint8_t* into, uint32_t count, size_t bytes) {
  char path[4096];
  const int length = snprintf(path, sizeof path, "%s/%s", folder, name);
  gzFile file = length > 0 && (size_t)length < sizeof path ? gzopen(path, "rb") : NULL;
  if (!file) {
    fprintf(stderr, "'%s/%s' cannot be read\n", folder, name);
    exit(1);
  }
  /* Two zeros, 8 for bytes, the number of axes, and each axis as a big-endian number; then the bytes. */
  const unsigned header = bytes == 1 ? 8 : 16;
  uint8_t start[16];
  const int head = gzread(file, start, header);
  const size_t wanted = count * bytes;
  const int got = head == (int)header ? gzread(file, into, (unsigned)wanted) : -1;
  gzclose(file);
  const uint32_t items =
      (uint32_t)start[4] << 24 | (uint32_t)start[5] << 16 | (uint32_t)start[6] << 8 | (uint32_t)start[7];
  if (got < 0 || (size_t)got != wanted || start[2] != 8 || start[3] != (bytes == 1 ? 1 : 3) || items != count) {
    fprintf(stderr, "'%s' does not hold %u items of %zu bytes\n", path, (unsigned)count, bytes);
    exit(1);
  }
}

#endif
