#include <lathe/codegen/strips.h>

#include <algorithm>
#include <map>
#include <set>

#include <lathe/codegen/access.h>
#include <lathe/codegen/footprint.h>
#include <lathe/codegen/lowered.h>
#include <lathe/codegen/schedule.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// A single point may fill more than a strip should, which is still far from memory. What is read at all points stays
/// beside it.
constexpr std::int64_t most_point_bytes = 8 << 20;
constexpr std::int64_t most_fixed_bytes = 256 << 10;
/// Finer points, by more axes, leave too little of what kernels do in one go.
constexpr std::int64_t least_point_bytes = 8 << 10;

/// A kernel as seen from its first few axes.
struct View {
  bool suits = false;             // it could be one of a group over these
  std::vector<Dim> extents = {};  // of the axes
  std::set<TensorId> along = {};  // tensors of which each point touches a part of its own
};

/// A step as one that might join a group, or be in the way of one.
struct Candidate {
  std::set<TensorId> reads = {};
  std::set<TensorId> writes = {};
  std::vector<View> views = {};  // from one axis, from two, ...
};

bool intersect(const std::set<TensorId>& x, const std::set<TensorId>& y) {
  return std::any_of(x.begin(), x.end(), [&](TensorId id) { return y.contains(id); });
}

/// Whether two steps may not change places.
bool conflict(const Candidate& x, const Candidate& y) {
  return intersect(x.writes, y.writes) || intersect(x.writes, y.reads) || intersect(x.reads, y.writes);
}

template <class T>
std::span<const T> first_of(const std::vector<T>& all, std::size_t count) {
  return std::span(all).first(std::min(count, all.size()));
}

class CandidateMaker {
 public:
  explicit CandidateMaker(const Program& program) : program_(program), pool_(*program.pool) {}

  Candidate make(const Step& step) const {
    const Footprint touched = footprint(pool_, step);
    Candidate out{.reads = {touched.reads.begin(), touched.reads.end()},
                  .writes = {touched.writes.begin(), touched.writes.end()}};
    const auto* kernel = std::get_if<Kernel>(&step);
    // Variables change once nothing can fail any more: that order is not to be touched.
    const bool updates = std::any_of(touched.writes.begin(), touched.writes.end(),
                                     [&](TensorId id) { return program_.tensor(id).role == Role::variable; });
    if (!kernel || updates || contains_check(pool_, touched.roots)) return out;
    Accesses accesses(program_, kernel->locals, kernel->stages);
    std::vector<ExprId> places = loads_of(pool_, values_of(kernel->stages));
    for (const Stage& stage : kernel->stages) {
      for (const Yield& yield : stage.yields) {
        if (std::holds_alternative<ToTensor>(yield.destination)) places.push_back(accesses.target(yield));
      }
    }
    for (std::size_t axes = 1; axes <= kernel->outer.size(); ++axes) {
      out.views.push_back(view(accesses, places, std::span(kernel->outer).first(axes)));
      View& made = out.views.back();
      made.suits = made.suits && std::ranges::includes(made.along, out.writes);
    }
    return out;
  }

 private:
  View view(Accesses& accesses, std::span<const ExprId> places, std::span<const AxisId> axes) const {
    View out;
    std::vector<ExprId> point;
    for (const AxisId axis : axes) {
      out.extents.push_back(pool_.axis(axis).extent);
      point.push_back(pool_.index(axis).id);
    }
    std::map<TensorId, Dim> others;  // and the elements that are read at one point
    for (const ExprId access : places) {
      const auto& load = std::get<Load>(pool_.node(access));
      if (std::ranges::equal(point, first_of(load.indices, axes.size())) &&
          std::ranges::equal(out.extents, first_of(shape(load.tensor), axes.size()))) {
        out.along.insert(load.tensor);
        continue;
      }
      Dim elements = 1;
      for (const AxisId other : accesses.facts(access).axes) {
        if (std::find(axes.begin(), axes.end(), other) == axes.end()) elements = elements * pool_.axis(other).extent;
      }
      others[load.tensor] = elements;
    }
    std::int64_t bytes = 0;
    for (const auto& [id, elements] : others) {
      out.along.erase(id);
      const std::int64_t whole = element_count(shape(id)).as_constant().value_or(INT64_MAX);
      const std::int64_t count = std::min(elements.as_constant().value_or(INT64_MAX), whole);
      if (count > most_fixed_bytes) return out;
      bytes += count * static_cast<std::int64_t>(size_of(program_.tensor(id).type.dtype));
    }
    out.suits = bytes <= most_fixed_bytes;
    return out;
  }

  const Shape& shape(TensorId id) const { return program_.tensor(id).type.shape; }

  const Program& program_;
  Pool& pool_;
};

class Finder {
 public:
  explicit Finder(Program& program) : program_(program) {
    for (const Step& step : program.steps) candidates_.push_back(CandidateMaker(program).make(step));
  }

  void run() {
    for (std::size_t first = 0; first < candidates_.size(); ++first) {
      std::vector<std::size_t> best;
      StripGroup group;
      for (std::size_t more = 1; more <= candidates_[first].views.size(); ++more) {
        std::vector<std::size_t> found = grow(first, more);
        if (found.size() < 2 || found.size() < best.size()) continue;
        if (more > 1 && point_bytes(found, more) < least_point_bytes) continue;
        best = std::move(found);
        group = {.first = first, .count = best.size(), .axes = more, .points = points(first, more)};
      }
      if (best.empty() || !may_pay(group, point_bytes(best, group.axes))) continue;
      for (std::size_t i = 0; i < best.size(); ++i) {
        move_step(best[i], first + i);
        best[i] = first + i;
      }
      group.links = links(best, group.axes);
      for (StripGroup::Link& link : group.links) link.is_private = is_private(link);
      program_.strips.push_back(std::move(group));
      first += best.size() - 1;
    }
  }

 private:
  /// The steps that make a group with `first` over so many axes, all of which could come right after it.
  std::vector<std::size_t> grow(std::size_t first, std::size_t axes) const {
    std::vector<std::size_t> members = {first};
    if (!view(first, axes).suits) return members;
    std::vector<std::size_t> passed;
    for (std::size_t next = first + 1; next < candidates_.size(); ++next) {
      const auto moves_past = [&](std::size_t step) { return !conflict(candidates_[step], candidates_[next]); };
      if (joins(members, next, axes) && std::all_of(passed.begin(), passed.end(), moves_past)) {
        members.push_back(next);
      } else {
        passed.push_back(next);
      }
    }
    return members;
  }

  Dim points(std::size_t step, std::size_t axes) const {
    Dim out = 1;
    for (const Dim& extent : view(step, axes).extents) out = out * extent;
    return out;
  }

  const View& view(std::size_t step, std::size_t axes) const { return candidates_[step].views.at(axes - 1); }

  /// Whether step `next` reads what the members write, and all that it shares with them is each point's own.
  bool joins(std::vector<std::size_t> members, std::size_t next, std::size_t axes) const {
    const Candidate& own = candidates_[next];
    if (own.views.size() < axes || !view(next, axes).suits) return false;
    if (view(next, axes).extents != view(members.front(), axes).extents) return false;
    const auto keeps = [&](std::size_t step, const std::set<TensorId>& written) {
      const std::set<TensorId>& reads = candidates_[step].reads;
      return std::all_of(reads.begin(), reads.end(),
                         [&](TensorId id) { return !written.contains(id) || view(step, axes).along.contains(id); });
    };
    bool reads = false;
    for (const std::size_t member : members) {
      reads = reads || intersect(candidates_[member].writes, own.reads);
      if (!keeps(next, candidates_[member].writes) || !keeps(member, own.writes)) return false;
    }
    if (!reads) return false;
    members.push_back(next);
    return point_bytes(members, axes) <= most_point_bytes;
  }

  /// What members leave for each other at one point; more than there may be where that depends on sizes.
  std::int64_t point_bytes(std::span<const std::size_t> members, std::size_t axes) const {
    std::int64_t bytes = 0;
    for (const StripGroup::Link& link : links(members, axes)) {
      if (link.point_bytes == 0) return most_point_bytes + 1;
      bytes += link.point_bytes;
    }
    return bytes;
  }

  /// Bytes of a point are 0 where they depend on sizes.
  std::vector<StripGroup::Link> links(std::span<const std::size_t> members, std::size_t axes) const {
    std::vector<StripGroup::Link> out;
    for (const std::size_t step : members) {
      for (const TensorId id : candidates_[step].writes) {
        StripGroup::Link link{.tensor = id, .first = step, .last = step};
        for (const std::size_t other : members) {
          if (other > step && candidates_[other].reads.contains(id)) link.last = other;
        }
        if (link.last == step) continue;
        const TensorType& type = program_.tensor(id).type;
        const Shape of_point(type.shape.begin() + static_cast<std::ptrdiff_t>(axes), type.shape.end());
        link.point_bytes = bytes_of({type.dtype, of_point}).as_constant().value_or(0);
        out.push_back(link);
      }
    }
    return out;
  }

  /// Whether only steps [first, last] touch what the first of them leaves for the others.
  bool is_private(const StripGroup::Link& link) const {
    if (program_.tensor(link.tensor).role != Role::arena) return false;
    for (std::size_t step = 0; step < candidates_.size(); ++step) {
      if (step != link.first && candidates_[step].writes.contains(link.tensor)) return false;
      const bool within = step >= link.first && step <= link.last;
      if (!within && candidates_[step].reads.contains(link.tensor)) return false;
    }
    return true;
  }

  /// False if the sizes are known, and too small.
  static bool may_pay(const StripGroup& group, std::int64_t point_bytes) {
    const auto points = group.points.as_constant();
    return !points || (*points >= least_strips && *points * point_bytes >= least_link_bytes);
  }

  /// Puts step `from` before step `to`.
  void move_step(std::size_t from, std::size_t to) {
    const auto rotate = [&](auto& steps) {
      const auto at = [&](std::size_t step) { return steps.begin() + static_cast<std::ptrdiff_t>(step); };
      std::rotate(at(to), at(from), at(from + 1));
    };
    rotate(program_.steps);
    rotate(candidates_);
  }

  Program& program_;
  std::vector<Candidate> candidates_;  // by step
};

}  // namespace

void find_strips(Program& program) {
  Finder(program).run();
}

const StripGroup* group_at(const Program& program, std::size_t step) {
  const auto found = std::find_if(program.strips.begin(), program.strips.end(),
                                  [&](const StripGroup& group) { return group.first == step; });
  return found == program.strips.end() ? nullptr : &*found;
}

}  // namespace lathe
