#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <lathe/codegen/loop/kernel.h>
#include <lathe/graph/graph.h>

namespace lathe {

/// Where a tensor of a program lives.
enum class Role {
  input,     // fed: number `slot` of the inputs
  output,    // fetched: number `slot` of the outputs
  variable,  // number `slot` of the variables; updated in place
  constant,  // part of the program
  arena,     // between kernels
  dissolved  // fused away: nowhere
};

struct ProgramTensor {
  std::string name;  // of the value it holds
  TensorType type;
  Role role = Role::dissolved;
  std::uint32_t slot = 0;
  std::shared_ptr<const Tensor> constant;  // Role::constant only
  Dim arena_offset_bytes;                  // Role::arena only: from the memory plan
  std::int64_t panel = 0;                  // columns a panel of a matrix that is not row-major: see layout.h
};

/// A variable whose new value a run leaves in an output of its own, beyond those of the graph. Once the run has
/// succeeded, the caller swaps the memory of both.
struct Exchange {
  std::uint32_t output = 0;  // slots
  std::uint32_t variable = 0;
  bool operator==(const Exchange&) const = default;
};

/// Neighbouring kernels that may run in strips: all of them for some points of their first axes, then for the next
/// ones, so that what one leaves for another is still in the caches when that comes. At each of these points none of
/// them touches what another one writes at other points.
struct StripGroup {
  /// A tensor that one of them writes and later ones read.
  struct Link {
    loop::TensorId tensor;
    std::size_t first = 0;  // steps
    std::size_t last = 0;
    bool is_private = false;  // nobody else touches it: what one strip left there may be overwritten by the next one
    std::int64_t point_bytes = 0;
  };

  std::size_t first = 0;  // step
  std::size_t count = 0;
  std::size_t axes = 1;  // how many of each kernel's outer axes are common to all
  Dim points = {};       // of these
  std::vector<Link> links = {};
};

/// An optimised graph lowered to an ordered list of steps plus a memory plan. Everything symbolic is a Dim over
/// `symbols`, so that one program serves all their values.
struct Program {
  std::shared_ptr<loop::Pool> pool;
  std::vector<ProgramTensor> tensors;  // by TensorId
  std::vector<loop::Step> steps;
  std::vector<StripGroup> strips;                          // in the steps' order
  std::vector<loop::TensorId> inputs, outputs, variables;  // by slot
  std::vector<Exchange> exchanges;
  std::vector<SymbolId> symbols;
  Dim arena_bytes;

  const ProgramTensor& tensor(loop::TensorId id) const { return tensors.at(static_cast<std::size_t>(id)); }
};

/// Human-readable listing of all steps, in the notation of DESIGN: what LATHE_DUMP writes and tests count.
std::string to_string(const Program& program);
std::string to_string(const loop::Pool& pool, loop::ExprId id);

}  // namespace lathe
