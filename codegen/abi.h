#pragma once

#include <cstddef>
#include <cstdint>

/// The one C interface between compiled code (just in time or ahead of time) or the interpreter, and whoever calls it.
namespace lathe::abi {

extern "C" {

/// Runs items [begin, end) of a kernel. `frame` is the caller's own business.
using ChunkFunction = void (*)(const void* frame, std::int64_t begin, std::int64_t end);

/// Runs `chunk` over [0, items) in pieces of `grain` items, in any order and on any threads; returns when all is done.
using ParallelFor = void (*)(void* context, ChunkFunction chunk, const void* frame, std::int64_t items,
                             std::int64_t grain);

/// Receives a tensor in the middle of a run: `step` numbers the program's steps.
using HostCall = void (*)(void* context, std::int64_t step, const void* data);

/// The first failed check of a run. `check` is `no_check` before; of several failures the one with the smallest check
/// and then index stays, whatever the threads do.
struct Failure {
  std::int64_t check;
  std::int64_t index;
  std::int64_t detail;
  std::int32_t lock;  // compiled code's own; 0
};

/// All memory is the caller's, aligned to 64 bytes where it is the caller's choice (arena, variables, outputs); inputs
/// need only their elements' alignment. Pointers are never null, and even where a tensor is empty its first element may
/// be read. The interpreter leaves `ticks` alone. Inputs and outputs do not overlap each other, variables or the arena.
struct Arguments {
  const void* const* inputs;
  void* const* outputs;
  void* const* variables;
  const void* const* constants;  // by TensorId; null where the tensor is no constant
  void* arena;
  const std::int64_t* symbols;  // values, in the order of Program::symbols
  ParallelFor parallel_for;     // null: run serially
  void* parallel_context;
  HostCall host;  // null: host steps do nothing
  void* host_context;
  Failure* failure;
  std::int64_t* ticks;  // null, or one a step and one more: the CPU's counter before each step and after the last
};

/// 0, or 1 if a check failed: then no variable has changed, and outputs hold nothing of use.
using EntryPoint = std::int32_t (*)(const Arguments* arguments);

}  // extern "C"

inline constexpr std::int64_t no_check = INT64_MAX;

}  // namespace lathe::abi
