#include <lathe/codegen/group.h>

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include <lathe/codegen/reach.h>

namespace lathe {
namespace {

using loop::ExprId;
using loop::TensorId;

/// The largest contraction (inner columns x depth) that runs row by row at the speed of its row kernel.
constexpr std::int64_t row_contraction_limit = 16384;

class Grouper {
 public:
  explicit Grouper(const Lowered& lowered) : lowered_(lowered), group_of_(lowered.tensors.size()) {
    for (std::size_t i = 0; i < lowered.tensors.size(); ++i) loads_.push_back(lowered.loads(static_cast<TensorId>(i)));
  }

  std::vector<Group> run() {
    for (std::size_t i = 0; i < lowered_.tensors.size(); ++i) {
      const auto id = static_cast<TensorId>(i);
      if (lowered_.definition(id)) place(id);
    }
    merge_siblings();
    std::erase_if(groups_, [](const Group& group) { return group.members.empty(); });
    return std::move(groups_);
  }

 private:
  std::size_t rank(TensorId id) const { return lowered_.definition(id)->axes.size(); }
  const Shape& shape(TensorId id) const { return lowered_.tensor(id).type.shape; }
  const std::vector<loop::Load>& loads(TensorId id) const { return loads_[number(id)]; }
  std::optional<std::size_t> group_of(TensorId id) const { return group_of_[number(id)]; }

  bool is_scatter(TensorId id) const { return lowered_.expression(id) == nullptr; }

  /// A contraction that computes one element an outer point, so that outer axes become a register tile.
  bool is_tiled(std::size_t g) const {
    return std::any_of(groups_[g].members.begin(), groups_[g].members.end(),
                       [&](TensorId id) { return lowered_.is_contraction(id) && rank(id) == groups_[g].outer.size(); });
  }

  /// Whether a contraction may compute whole rows beyond its first `outer` axes in a row kernel.
  bool fits_row(TensorId id, std::size_t outer) const {
    Dim work(1);
    for (std::size_t d = outer; d < rank(id); ++d) work = work * shape(id)[d];
    for (const loop::AxisId axis : lowered_.reduction(id)->axes) work = work * lowered_.pool->axis(axis).extent;
    return work.is_constant() && work.constant() <= row_contraction_limit;
  }

  void place(TensorId id) {
    std::string boundary;
    std::set<std::size_t> producers;
    for (const loop::Load& load : loads(id)) {
      if (const auto g = group_of(load.tensor)) producers.insert(*g);
    }
    // Latest first: it is nearest, and the others can only come before it.
    for (auto at = producers.rbegin(); at != producers.rend() && !is_scatter(id); ++at) {
      const std::string refusal = join(id, *at, producers);
      if (refusal.empty()) {
        absorb_producers(id, producers);
        return;
      }
      if (boundary.empty()) boundary = refusal;
    }
    groups_.push_back({{}, shape(id), std::move(boundary)});
    inputs_.emplace_back();
    add(id, groups_.size() - 1);
  }

  void add(TensorId id, std::size_t g) {
    groups_[g].members.push_back(id);
    group_of_[number(id)] = g;
    for (const loop::Load& load : loads(id)) inputs_[g].push_back(load.tensor);
  }

  /// How many leading axes a consumer shares with a group: loads its members at its own index there.
  std::size_t shared_axes(TensorId id, std::size_t g) const {
    const loop::Definition& definition = *lowered_.definition(id);
    const Shape& outer = groups_[g].outer;
    std::size_t shared = 0;
    while (shared < outer.size() && shared < definition.axes.size() && shape(id)[shared] == outer[shared]) ++shared;
    for (const loop::Load& load : loads(id)) {
      if (group_of(load.tensor) != g) continue;
      std::size_t same = 0;
      while (same < shared && load.indices[same] == lowered_.pool->index(definition.axes[same]).id) ++same;
      shared = same;
    }
    return shared;
  }

  /// Adds `id` to group `g`; or says why it cannot.
  std::string join(TensorId id, std::size_t g, const std::set<std::size_t>& producers) {
    Group& group = groups_[g];
    const std::string name = lowered_.tensor(group.members.back()).name;
    if (is_scatter(group.members.front())) return fmt::format("'{}' scatters", name);
    for (const std::size_t other : producers) {
      if (other != g && depends(other, g)) return fmt::format("another operand waits for '{}'", name);
    }
    const std::size_t shared = shared_axes(id, g);
    if (shared < group.outer.size()) {
      if (shared == 0) return fmt::format("needs all of '{}' before it can start", name);
      for (const TensorId member : group.members) {
        if (lowered_.is_contraction(member) && !fits_row(member, shared)) {
          return fmt::format("needs whole rows of '{}', whose contraction is too large to run row by row", name);
        }
      }
    }
    const bool whole_point = shared == rank(id);
    if (shared == 0 && !whole_point) return fmt::format("'{}' is a single number", name);
    if (lowered_.is_contraction(id) && whole_point) return fmt::format("a contraction of its own, after '{}'", name);
    if (lowered_.is_contraction(id) && !fits_row(id, shared)) {
      return fmt::format("a contraction too large to run row by row after '{}'", name);
    }
    if (shared == group.outer.size() && is_tiled(g) && (!whole_point || lowered_.reduction(id))) {
      return fmt::format("'{}' is computed in register tiles", name);
    }
    group.outer.resize(shared);
    add(id, g);
    return {};
  }

  /// A new member may connect groups over the same outer points: then they are one kernel.
  void absorb_producers(TensorId id, const std::set<std::size_t>& producers) {
    const std::size_t g = *group_of(id);
    for (const std::size_t other : producers) {
      if (other == g || groups_[other].members.empty()) continue;
      if (takes_own_elements(g, other)) merge(other, g);
    }
  }

  /// Whether all that members of `g` load of group `from` is at their own outer points.
  bool takes_own_elements(std::size_t g, std::size_t from) const {
    return std::all_of(groups_[g].members.begin(), groups_[g].members.end(), [&](TensorId member) {
      const bool takes = std::any_of(loads(member).begin(), loads(member).end(),
                                     [&](const loop::Load& load) { return group_of(load.tensor) == from; });
      return !takes || shared_axes(member, from) == groups_[from].outer.size();
    });
  }

  /// Makes `from` part of `into` if both run over the same outer points and no third group stands between them.
  bool merge(std::size_t from, std::size_t into) {
    if (from == into || groups_[from].outer != groups_[into].outer) return false;
    if (is_scatter(groups_[from].members.front()) || is_scatter(groups_[into].members.front())) return false;
    if (is_tiled(from)) return false;
    if (is_tiled(into) && !only_maps(from)) return false;
    if (depends_through_others(from, into) || depends_through_others(into, from)) return false;
    for (const TensorId member : groups_[from].members) group_of_[number(member)] = into;
    auto& members = groups_[into].members;
    members.insert(members.end(), groups_[from].members.begin(), groups_[from].members.end());
    std::sort(members.begin(), members.end());
    groups_[from].members.clear();
    inputs_[into].insert(inputs_[into].end(), inputs_[from].begin(), inputs_[from].end());
    inputs_[from].clear();
    return true;
  }

  bool only_maps(std::size_t g) const {
    return std::all_of(groups_[g].members.begin(), groups_[g].members.end(),
                       [&](TensorId id) { return !lowered_.reduction(id) && rank(id) == groups_[g].outer.size(); });
  }

  /// An update has its own place in the order of things: after all reads of the old value and all that can fail.
  bool updates_variable(std::size_t g) const {
    return std::any_of(lowered_.targets.begin(), lowered_.targets.end(), [&](const Target& target) {
      return group_of(target.tensor) == g && lowered_.tensor(target.destination).role == Role::variable;
    });
  }

  /// Whether some member of `g` needs, directly or through others, a member of `on`.
  bool depends(std::size_t g, std::size_t on) const { return g != on && reaches_group({g}, on); }

  /// The same through a third group.
  bool depends_through_others(std::size_t g, std::size_t on) const {
    std::vector<std::size_t> others = producers_of(g);
    std::erase(others, on);
    return reaches_group(std::move(others), on);
  }

  bool reaches_group(std::vector<std::size_t> from, std::size_t on) const {
    return reaches(std::move(from), on, groups_.size(), [&](std::size_t next) { return producers_of(next); });
  }

  /// The other groups that `g` reads from, some perhaps several times.
  std::vector<std::size_t> producers_of(std::size_t g) const {
    std::vector<std::size_t> producers;
    for (const TensorId input : inputs_[g]) {
      if (const auto producer = group_of(input); producer && *producer != g) producers.push_back(*producer);
    }
    return producers;
  }

  /// Tensors in memory that a group reads, scalars aside.
  std::vector<TensorId> reads(std::size_t g) const {
    std::vector<TensorId> tensors = inputs_[g];
    std::erase_if(tensors, [&](TensorId input) { return group_of(input) == g || shape(input).empty(); });
    return tensors;
  }

  // Two loops over the same domain that read the same tensor read it once when they are one loop. Single numbers that
  // need no loop are computed together.
  void merge_siblings() {
    for (std::size_t a = 0; a < groups_.size(); ++a) {
      for (std::size_t b = a + 1; b < groups_.size(); ++b) {
        if (is_sibling(a) && is_sibling(b) && groups_[a].outer == groups_[b].outer && worth_merging(a, b) &&
            !depends(b, a) && !depends(a, b)) {
          merge(b, a);
        }
      }
    }
  }

  bool is_sibling(std::size_t g) const { return !groups_[g].members.empty() && !is_tiled(g) && !updates_variable(g); }

  bool worth_merging(std::size_t a, std::size_t b) const {
    if (groups_[a].outer.empty() && only_maps(a) && only_maps(b)) return true;
    const std::vector<TensorId> left = reads(a);
    const std::vector<TensorId> right = reads(b);
    return std::find_first_of(left.begin(), left.end(), right.begin(), right.end()) != left.end();
  }

  const Lowered& lowered_;
  std::vector<std::vector<loop::Load>> loads_;  // by TensorId
  std::vector<Group> groups_;
  std::vector<std::vector<TensorId>> inputs_;  // by group: what its members load
  std::vector<std::optional<std::size_t>> group_of_;
};

}  // namespace

std::vector<Group> group(const Lowered& lowered) {
  return Grouper(lowered).run();
}

std::vector<Group> group_alone(const Lowered& lowered) {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < lowered.tensors.size(); ++i) {
    const auto id = static_cast<TensorId>(i);
    if (lowered.definition(id)) groups.push_back({{id}, lowered.tensor(id).type.shape, "fusion is off"});
  }
  return groups;
}

}  // namespace lathe
