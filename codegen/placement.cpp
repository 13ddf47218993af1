#include <lathe/codegen/placement.h>

#include <algorithm>
#include <optional>
#include <set>

#include <lathe/codegen/reach.h>

namespace lathe {
namespace {

using loop::TensorId;

/// A kernel keeps rows of intermediate results in scratch up to this many bytes a row.
constexpr std::int64_t row_scratch_bytes = 8192;

class Placer {
 public:
  Placer(Lowered& lowered, const std::vector<Group>& groups)
      : lowered_(lowered),
        groups_(groups),
        group_of_(lowered.tensors.size(), none),
        reads_(groups.size()),
        can_fail_(groups.size(), false),
        before_(groups.size()) {
    for (std::size_t g = 0; g < groups.size(); ++g) {
      for (const TensorId member : groups[g].members) group_of_[number(member)] = g;
    }
    out_.home.resize(lowered.tensors.size());
    out_.stores.resize(lowered.tensors.size());
    out_.in_scratch.resize(lowered.tensors.size(), false);
    for (std::size_t i = 0; i < lowered.tensors.size(); ++i) {
      out_.home[i] = static_cast<TensorId>(i);
      loads_.push_back(lowered.loads(out_.home[i]));
    }
    for (std::size_t g = 0; g < groups.size(); ++g) {
      for (const TensorId member : groups[g].members) {
        can_fail_[g] = can_fail_[g] || lowered.has_check(member);
        for (const loop::Load& load : loads_[number(member)]) reads_[g].insert(load.tensor);
      }
    }
  }

  Placement run() {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      for (const TensorId read : reads_[g]) {
        const std::size_t producer = group_of_[number(read)];
        if (producer != none && producer != g) before_[g].insert(producer);
      }
    }
    place_outputs();
    place_variables();
    place_rest();
    sort();
    return std::move(out_);
  }

 private:
  static constexpr std::size_t none = SIZE_MAX;

  /// The first output that a tensor goes to is its home; others are copies written along with it.
  void place_outputs() {
    for (const Target& target : lowered_.targets) {
      if (lowered_.tensor(target.destination).role != Role::output) continue;
      store(target.tensor, target.destination);
    }
  }

  void place_variables() {
    for (const Target& target : lowered_.targets) {
      if (lowered_.tensor(target.destination).role != Role::variable) continue;
      if (update_in_place(target)) {
        store(target.tensor, target.destination);
        continue;
      }
      keep_in_arena(target.tensor);
      out_.commits.push_back({out_.home[number(target.tensor)], target.destination});
    }
  }

  void place_rest() {
    std::vector<bool> needed(lowered_.tensors.size(), false);
    for (const loop::HostStep& step : lowered_.host_steps) needed[number(step.tensor)] = true;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const std::set<TensorId>& read_here = reads_[g];
      std::int64_t scratch_bytes = 0;
      for (const TensorId id : read_here) {
        if (group_of_[number(id)] != g) {
          needed[number(id)] = true;
          continue;
        }
        const std::optional<std::int64_t> bytes = row_bytes(groups_[g], id);
        out_.in_scratch[number(id)] = bytes && scratch_bytes + *bytes <= row_scratch_bytes;
        if (out_.in_scratch[number(id)]) {
          scratch_bytes += *bytes;
        } else {
          needed[number(id)] = true;
        }
      }
      // What nobody reads is there for its checks.
      for (const TensorId member : groups_[g].members) {
        if (!read_here.contains(member)) needed[number(member)] = true;
      }
    }
    for (std::size_t i = 0; i < needed.size(); ++i) {
      if (needed[i] && group_of_[i] != none) keep_in_arena(static_cast<TensorId>(i));
    }
  }

  /// Bytes that a member takes a row of its kernel, if their number is constant.
  std::optional<std::int64_t> row_bytes(const Group& group, TensorId member) const {
    const TensorType& type = lowered_.tensor(member).type;
    Dim bytes(static_cast<std::int64_t>(size_of(type.dtype)));
    for (std::size_t d = group.outer.size(); d < type.rank(); ++d) bytes = bytes * type.shape[d];
    return bytes.as_constant();
  }

  void store(TensorId id, TensorId destination) {
    if (out_.stores[number(id)].empty()) out_.home[number(id)] = destination;
    out_.stores[number(id)].push_back(destination);
  }

  void keep_in_arena(TensorId id) {
    if (!out_.stores[number(id)].empty()) return;
    lowered_.tensors[number(id)].role = Role::arena;
    store(id, id);
  }

  // The writer must come after every reader of the old value and after everything that can fail.
  bool update_in_place(const Target& target) {
    const std::size_t writer = group_of_[number(target.tensor)];
    if (can_fail_[writer] || !own_reads_come_first(writer, target)) return false;
    std::vector<std::size_t> earlier;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      if (g == writer || !(can_fail_[g] || reads_[g].contains(target.destination))) continue;
      if (needs(g, writer)) return false;
      earlier.push_back(g);
    }
    before_[writer].insert(earlier.begin(), earlier.end());
    return true;
  }

  /// Whether, within the writing kernel, each element of the old value is read before it is overwritten.
  bool own_reads_come_first(std::size_t writer, const Target& target) const {
    const Group& group = groups_[writer];
    bool written = false;
    for (const TensorId member : group.members) {
      const loop::Definition& definition = *lowered_.definition(member);
      const bool scatter = std::holds_alternative<loop::Scatter>(definition.value);
      const bool reduction = lowered_.reduction(member) != nullptr;
      for (const loop::Load& load : loads_[number(member)]) {
        if (load.tensor != target.destination) continue;
        if (written) return false;
        if (scatter && load.indices.empty()) continue;  // the base itself
        if (scatter) return false;
        // Earlier reductions of the same outer point may read all of its row; everything else only its own element.
        const bool whole_row = reduction && member != target.tensor;
        const std::size_t own = whole_row ? group.outer.size() : definition.axes.size();
        if (load.indices.size() < own) return false;
        for (std::size_t d = 0; d < own; ++d) {
          if (load.indices[d] != lowered_.pool->index(definition.axes[d]).id) return false;
        }
      }
      written = written || member == target.tensor;
    }
    return true;
  }

  /// Whether group `g` must run after group `on`.
  bool needs(std::size_t g, std::size_t on) const {
    return reaches({g}, on, groups_.size(),
                   [&](std::size_t next) -> const std::set<std::size_t>& { return before_[next]; });
  }

  void sort() {
    std::vector<bool> placed(groups_.size(), false);
    while (out_.order.size() < groups_.size()) {
      const std::size_t before = out_.order.size();
      for (std::size_t g = 0; g < groups_.size(); ++g) {
        if (placed[g]) continue;
        if (!std::all_of(before_[g].begin(), before_[g].end(), [&](std::size_t e) { return placed[e]; })) continue;
        out_.order.push_back(g);
        placed[g] = true;
      }
      ensure(out_.order.size() > before, "kernels wait for each other");
    }
  }

  Lowered& lowered_;
  const std::vector<Group>& groups_;
  std::vector<std::size_t> group_of_;
  std::vector<std::vector<loop::Load>> loads_;  // by TensorId
  std::vector<std::set<TensorId>> reads_;       // by group: all tensors that it loads
  std::vector<bool> can_fail_;                  // by group: holds a check
  std::vector<std::set<std::size_t>> before_;   // by group: groups that must have run
  Placement out_;
};

}  // namespace

Placement place(Lowered& lowered, const std::vector<Group>& groups) {
  return Placer(lowered, groups).run();
}

}  // namespace lathe
