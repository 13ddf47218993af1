#pragma once

#include <vector>

#include <lathe/codegen/program.h>

namespace lathe {

/// What a step evaluates, and the tensors it touches.
struct Footprint {
  std::vector<loop::ExprId> roots = {};     // values, and the indices of where they go
  std::vector<loop::TensorId> writes = {};  // in the order of its yields
  std::vector<loop::TensorId> reads = {};
};
Footprint footprint(const loop::Pool& pool, const loop::Step& step);

}  // namespace lathe
