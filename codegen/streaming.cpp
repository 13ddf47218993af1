#include <lathe/codegen/streaming.h>

#include <algorithm>

#include <lathe/codegen/schedule.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// Whether vectors along `axis` that begin at a multiple of a line's elements are lines of memory.
bool writes_lines(Accesses& accesses, ExprId target, AxisId axis) {
  const auto bytes = static_cast<std::int64_t>(size_of(accesses.pool().dtype(target)));
  const auto is_lines = [&](const Dim& elements) {
    const auto count = elements.as_constant();
    return count && *count * bytes % cache_line_bytes == 0;
  };
  const Affine& flat = accesses.flat(target);
  return is_lines(flat.constant) && std::all_of(flat.terms.begin(), flat.terms.end(), [&](const auto& term) {
           const auto* index = std::get_if<AxisIndex>(&accesses.pool().node(term.first));
           return index && index->axis == axis ? term.second == Dim(1) : is_lines(term.second);
         });
}

}  // namespace

std::vector<TensorId> choose_streamed(Accesses& accesses, std::span<const Stage> stages,
                                      const std::optional<AxisId>& column) {
  const std::vector<ExprId> loads = loads_of(accesses.pool(), values_of(stages));
  std::vector<TensorId> out;
  for (const Stage& stage : stages) {
    if (!column && stage.inner.empty()) continue;
    const AxisId along = column ? *column : stage.inner.back();
    for (const Yield& yield : stage.yields) {
      const auto* to = std::get_if<ToTensor>(&yield.destination);
      if (!to || accesses.program().tensor(to->tensor).role == Role::variable) continue;
      if (accesses.is_read(to->tensor, loads) || !writes_lines(accesses, accesses.target(yield), along)) continue;
      out.push_back(to->tensor);
    }
  }
  return out;
}

}  // namespace lathe
