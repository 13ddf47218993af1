#pragma once

#include <cstdint>

namespace lathe {

/// While it lives, the calling thread's floating-point unit reads and writes subnormal numbers as zeros of the same
/// sign; then the thread's earlier mode returns. Part of the numerics contract: every thread that runs kernels,
/// compiled or interpreted, holds one. On x86 this is FTZ and DAZ in MXCSR, on AArch64 FZ in FPCR; elsewhere it does
/// nothing.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  std::uint64_t before_;
};

}  // namespace lathe
