#include <cstdlib>

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

int main(int argc, char** argv) {
  // Whoever runs the tests has programs of their own in the cache, and tests are of what compiles them.
  setenv("LATHE_CACHE", "off", 1);
  return doctest::Context(argc, argv).run();
}
