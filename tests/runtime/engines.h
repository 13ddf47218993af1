#pragma once

#include <doctest/doctest.h>

#include <lathe/runtime/session.h>

/// Runs `test` with options for the interpreter and for compiled code, on one thread and on three.
template <class Test>
void on_every_engine(Test test) {
  for (const bool interpret : {true, false}) {
    for (const int threads : {1, 3}) {
      if (interpret && threads > 1) continue;
      CAPTURE(interpret);
      CAPTURE(threads);
      lathe::SessionOptions options;
      options.interpret = interpret;
      options.threads = threads;
      test(options);
    }
  }
}
