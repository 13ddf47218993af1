#pragma once

#include <cstdint>

#include <lathe/codegen/instruction_set.h>

namespace lathe {

/// Bytes of a line of the caches, on every CPU that there is code for.
inline constexpr std::int64_t cache_line_bytes = 64;

/// What schedules may assume of a CPU. It decides how kernels run, never what they compute.
struct MachineModel {
  int vector_bits;  // of one register
  int vector_registers;
  int fma_latency;      // cycles
  int fma_per_cycle;    // of whole registers
  int loads_per_cycle;  // of whole registers or broadcasts
  int accumulators;     // registers that a tile's accumulators may take and still leave room for an epilogue
  bool masks;           // a vector of any type can do without some of its lanes, gathers and scatters too, at no cost
};

/// The model of an instruction set; `set` is not `native`.
MachineModel machine_model(InstructionSet set);

}  // namespace lathe
