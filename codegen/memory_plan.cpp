#include <lathe/codegen/memory_plan.h>

#include <algorithm>

#include <lathe/codegen/lowered.h>

namespace lathe {
namespace {

using loop::TensorId;

/// At least `bytes`, and a multiple of 64 for all values of the symbols.
Dim aligned(const Dim& bytes) {
  constexpr std::int64_t alignment = 64;
  Dim out;
  for (const Dim::Term& term : bytes.terms()) {
    Dim monomial((term.coefficient + alignment - 1) / alignment * alignment);
    for (const SymbolId factor : term.factors) monomial = monomial * Dim(factor);
    if (term.coefficient > 0) out = out + monomial;
  }
  return out;
}

struct Lifetime {
  TensorId tensor;
  std::size_t first, last;  // steps
};

struct Slot {
  Dim bytes;
  std::size_t free_after;
  std::vector<TensorId> tensors;
};

/// The tensors that a step touches.
std::vector<TensorId> touched(const loop::Pool& pool, const loop::Step& step) {
  std::vector<TensorId> tensors;
  std::vector<loop::ExprId> roots;
  struct Visitor {
    std::vector<TensorId>& tensors;
    std::vector<loop::ExprId>& roots;
    void operator()(const loop::Kernel& kernel) const {
      for (const loop::Stage& stage : kernel.stages) {
        for (const loop::Yield& yield : stage.yields) {
          roots.push_back(yield.value);
          if (const auto* to = std::get_if<loop::ToTensor>(&yield.destination)) tensors.push_back(to->tensor);
        }
      }
    }
    void operator()(const loop::ScatterKernel& scatter) const {
      tensors.insert(tensors.end(), {scatter.base, scatter.out});
      roots.insert(roots.end(), scatter.target.begin(), scatter.target.end());
      roots.push_back(scatter.value);
    }
    void operator()(const loop::HostStep& host) const { tensors.push_back(host.tensor); }
    void operator()(const loop::CommitStep& commit) const {
      tensors.insert(tensors.end(), {commit.from, commit.variable});
    }
  };
  std::visit(Visitor{tensors, roots}, step);
  for (const loop::Load& load : loads_in(pool, roots)) tensors.push_back(load.tensor);
  return tensors;
}

std::vector<Lifetime> lifetimes(const Program& program) {
  std::vector<Lifetime> lives;
  for (std::size_t step = 0; step < program.steps.size(); ++step) {
    for (const TensorId tensor : touched(*program.pool, program.steps[step])) {
      if (program.tensor(tensor).role != Role::arena) continue;
      const auto at =
          std::find_if(lives.begin(), lives.end(), [&](const Lifetime& life) { return life.tensor == tensor; });
      if (at == lives.end()) {
        lives.push_back({tensor, step, step});
      } else {
        at->last = step;
      }
    }
  }
  return lives;
}

}  // namespace

void plan_memory(Program& program) {
  std::vector<Slot> slots;
  for (const Lifetime& life : lifetimes(program)) {
    const TensorType& type = program.tensor(life.tensor).type;
    const Dim bytes = aligned(bytes_of(type));
    const auto slot = std::find_if(slots.begin(), slots.end(), [&](const Slot& candidate) {
      return candidate.free_after < life.first &&
             (loop::never_negative(candidate.bytes - bytes) || loop::never_negative(bytes - candidate.bytes));
    });
    if (slot == slots.end()) {
      slots.push_back({bytes, life.last, {life.tensor}});
      continue;
    }
    if (!loop::never_negative(slot->bytes - bytes)) slot->bytes = bytes;
    slot->free_after = life.last;
    slot->tensors.push_back(life.tensor);
  }
  Dim offset;
  for (const Slot& slot : slots) {
    for (const TensorId tensor : slot.tensors) {
      program.tensors[static_cast<std::size_t>(tensor)].arena_offset_bytes = offset;
    }
    offset = offset + slot.bytes;
  }
  program.arena_bytes = offset;
}

bool share_memory(const ProgramTensor& x, const ProgramTensor& y) {
  return x.role == Role::arena && y.role == Role::arena && x.arena_offset_bytes == y.arena_offset_bytes;
}

}  // namespace lathe
