#include <lathe/codegen/memory_plan.h>

#include <algorithm>
#include <array>
#include <ranges>

#include <lathe/codegen/footprint.h>

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

/// Steps from the first to the last.
struct Range {
  std::size_t first, last;
  bool overlaps(const Range& other) const { return first <= other.last && other.first <= last; }
};

struct Lifetime {
  TensorId tensor;
  Range steps;
  Range at_work;            // with all kernels that may run in strips with those that touch it
  bool is_private = false;  // a link that is nobody else's
};

struct Slot {
  Dim bytes;
  std::vector<Lifetime> lives;
};

/// Of each step: those that may be at work together with it.
std::vector<Range> ranges_of(const Program& program) {
  std::vector<Range> ranges;
  for (std::size_t step = 0; step < program.steps.size(); ++step) ranges.push_back({step, step});
  for (const StripGroup& group : program.strips) {
    const Range all{group.first, group.first + group.count - 1};
    std::fill_n(ranges.begin() + static_cast<std::ptrdiff_t>(group.first), group.count, all);
  }
  return ranges;
}

bool is_private_link(const Program& program, TensorId tensor) {
  return std::any_of(program.strips.begin(), program.strips.end(), [&](const StripGroup& group) {
    return std::any_of(group.links.begin(), group.links.end(),
                       [&](const auto& link) { return link.tensor == tensor && link.is_private; });
  });
}

std::vector<Lifetime> lifetimes(const Program& program) {
  std::vector<Lifetime> lives;
  const std::vector<Range> ranges = ranges_of(program);
  for (std::size_t step = 0; step < program.steps.size(); ++step) {
    const Footprint touched = footprint(*program.pool, program.steps[step]);
    for (const TensorId tensor : std::array{std::span(touched.writes), std::span(touched.reads)} | std::views::join) {
      if (program.tensor(tensor).role != Role::arena) continue;
      const auto at =
          std::find_if(lives.begin(), lives.end(), [&](const Lifetime& life) { return life.tensor == tensor; });
      if (at == lives.end()) {
        lives.push_back({tensor, {step, step}, ranges[step], is_private_link(program, tensor)});
      } else {
        at->steps.last = step;
        at->at_work.last = ranges[step].last;
      }
    }
  }
  return lives;
}

/// Whether two tensors may lie at one place. In strips a group's kernels take turns; but there tensors whose points
/// have the same size, and which nobody else needs, meet at the same points alone.
bool may_share(const Program& program, const Lifetime& x, const Lifetime& y) {
  if (!x.at_work.overlaps(y.at_work)) return true;
  const auto bytes = [&](const Lifetime& life) { return bytes_of(program.tensor(life.tensor).type); };
  return x.is_private && y.is_private && x.at_work.first == y.at_work.first && bytes(x) == bytes(y) &&
         !x.steps.overlaps(y.steps);
}

}  // namespace

void plan_memory(Program& program) {
  std::vector<Slot> slots;
  for (const Lifetime& life : lifetimes(program)) {
    const TensorType& type = program.tensor(life.tensor).type;
    const Dim bytes = aligned(bytes_of(type));
    const auto slot = std::find_if(slots.begin(), slots.end(), [&](const Slot& candidate) {
      return std::all_of(candidate.lives.begin(), candidate.lives.end(),
                         [&](const Lifetime& other) { return may_share(program, life, other); }) &&
             (loop::never_negative(candidate.bytes - bytes) || loop::never_negative(bytes - candidate.bytes));
    });
    if (slot == slots.end()) {
      slots.push_back({bytes, {life}});
      continue;
    }
    if (!loop::never_negative(slot->bytes - bytes)) slot->bytes = bytes;
    slot->lives.push_back(life);
  }
  Dim offset;
  for (const Slot& slot : slots) {
    for (const Lifetime& life : slot.lives) {
      program.tensors[static_cast<std::size_t>(life.tensor)].arena_offset_bytes = offset;
    }
    offset = offset + slot.bytes;
  }
  program.arena_bytes = offset;
}

bool share_memory(const ProgramTensor& x, const ProgramTensor& y) {
  return x.role == Role::arena && y.role == Role::arena && x.arena_offset_bytes == y.arena_offset_bytes;
}

}  // namespace lathe
