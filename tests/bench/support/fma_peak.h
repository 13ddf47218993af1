#pragma once

namespace lathe::bench {

/// What one core does at best here and now: billions of f32 operations a second in fused multiply-adds (two each) that
/// depend on nothing but registers, with the widest vectors that the CPU has. 0 where we do not know how to ask.
double fma_peak_gflops();
/// What so many threads do together, each doing nothing else: on a virtual machine two CPUs may be one core.
double fma_peak_gflops(int threads);

/// How long the units that multiply are busy with Adam's update of one number, f32, beside that: four multiplications,
/// a square root and a division. 0 where we do not know how to ask.
double update_nanoseconds();

}  // namespace lathe::bench
