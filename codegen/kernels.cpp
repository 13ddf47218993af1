#include <lathe/codegen/kernels.h>

#include <algorithm>
#include <map>
#include <set>

namespace lathe {
namespace {

using loop::AxisId;
using loop::Expr;
using loop::ExprId;
using loop::LocalId;
using loop::TensorId;

class Builder {
 public:
  Builder(const Lowered& lowered, const Group& group, const Placement& placement)
      : lowered_(lowered), pool_(*lowered.pool), group_(group), placement_(placement) {}

  loop::Step run() {
    if (!lowered_.expression(group_.members.front())) return scatter(group_.members.front());
    for (const TensorId member : in_stage_order()) add(member);
    drop_unread_locals();
    describe();
    return std::move(kernel_);
  }

 private:
  /// Rewrites a member's expression for its place in the kernel.
  class Rename : public loop::Substitution {
   public:
    Rename(Builder& builder) : Substitution(builder.pool_), builder_(builder) {}

   protected:
    Expr load(const loop::Load& load, DType dtype) override { return builder_.load(load, dtype); }

   private:
    Builder& builder_;
  };

  /// A register tile begins with its contraction; what does not depend on it can wait.
  std::vector<TensorId> in_stage_order() const {
    std::vector<TensorId> order = group_.members;
    std::stable_partition(order.begin(), order.end(), [&](TensorId id) {
      return lowered_.is_contraction(id) && lowered_.definition(id)->axes.size() == group_.outer.size();
    });
    return order;
  }

  void add(TensorId id) {
    const loop::Definition& definition = *lowered_.definition(id);
    make_outer_axes(definition);
    const bool reduction = lowered_.reduction(id) != nullptr;
    if (reduction || !continues_stage(definition)) open_stage(definition, !reduction);
    loop::Stage& stage = kernel_.stages.back();

    Rename rename(*this);
    const std::size_t outer = kernel_.outer.size();
    std::vector<ExprId> here;
    for (std::size_t d = 0; d < definition.axes.size(); ++d) {
      const Expr index = pool_.index(d < outer ? kernel_.outer[d] : stage.inner[d - outer]);
      rename.replace(definition.axes[d], index);
      here.push_back(index.id);
    }
    const ExprId value = rename(std::get<ExprId>(definition.value));
    open_values_[id] = value;
    for (const TensorId store : placement_.stores[number(id)])
      stage.yields.push_back({value, loop::ToTensor{store, here}});
    if (!placement_.in_scratch[number(id)]) return;
    const ProgramTensor& tensor = lowered_.tensor(id);
    const auto local = static_cast<LocalId>(kernel_.locals.size());
    kernel_.locals.push_back(
        {tensor.name,
         tensor.type.dtype,
         {tensor.type.shape.begin() + static_cast<std::ptrdiff_t>(outer), tensor.type.shape.end()}});
    local_of_[id] = local;
    stage.yields.push_back(
        {value, loop::ToLocal{local, {here.begin() + static_cast<std::ptrdiff_t>(outer), here.end()}}});
  }

  void make_outer_axes(const loop::Definition& definition) {
    for (std::size_t d = kernel_.outer.size(); d < group_.outer.size(); ++d) {
      kernel_.outer.push_back(pool_.make_axis(group_.outer[d], pool_.axis(definition.axes[d]).name));
    }
  }

  void open_stage(const loop::Definition& definition, bool map) {
    loop::Stage stage;
    for (std::size_t d = kernel_.outer.size(); d < definition.axes.size(); ++d) {
      const loop::AxisInfo axis = pool_.axis(definition.axes[d]);
      stage.inner.push_back(pool_.make_axis(axis.extent, axis.name));
    }
    kernel_.stages.push_back(std::move(stage));
    open_values_.clear();
    open_ = map;
  }

  /// Whether a map can be computed at the same points as the open stage: same inner axes, and of the stage's own
  /// results it reads only those of the same point.
  bool continues_stage(const loop::Definition& definition) const {
    if (!open_) return false;
    const loop::Stage& stage = kernel_.stages.back();
    const std::size_t outer = kernel_.outer.size();
    if (definition.axes.size() != outer + stage.inner.size()) return false;
    for (std::size_t d = 0; d < stage.inner.size(); ++d) {
      if (pool_.axis(definition.axes[outer + d]).extent != pool_.axis(stage.inner[d]).extent) return false;
    }
    const ExprId roots[] = {std::get<ExprId>(definition.value)};
    for (const loop::Load& load : loads_in(pool_, roots)) {
      if (!open_values_.contains(load.tensor)) continue;
      for (std::size_t d = 0; d < definition.axes.size(); ++d) {
        if (load.indices[d] != pool_.index(definition.axes[d]).id) return false;
      }
    }
    return true;
  }

  /// A load as seen from the open stage: a value at hand, a local, or memory.
  Expr load(const loop::Load& load, DType dtype) {
    if (const auto value = open_values_.find(load.tensor); value != open_values_.end())
      return pool_.wrap(value->second);
    if (const auto local = local_of_.find(load.tensor); local != local_of_.end()) {
      const auto inner = load.indices.begin() + static_cast<std::ptrdiff_t>(kernel_.outer.size());
      return pool_.local(local->second, dtype, {inner, load.indices.end()});
    }
    return pool_.load(placement_.home[number(load.tensor)], dtype, load.indices);
  }

  /// Locals that no later stage reads are values at hand in their stage, and need no place.
  void drop_unread_locals() {
    std::set<LocalId> read;
    for (const loop::Stage& stage : kernel_.stages) {
      std::vector<ExprId> roots;
      for (const loop::Yield& yield : stage.yields) roots.push_back(yield.value);
      for (const ExprId id : post_order(pool_, roots)) {
        if (const auto* local = std::get_if<loop::Local>(&pool_.node(id))) read.insert(local->local);
      }
    }
    for (loop::Stage& stage : kernel_.stages) {
      std::erase_if(stage.yields, [&](const loop::Yield& yield) {
        const auto* local = std::get_if<loop::ToLocal>(&yield.destination);
        return local && !read.contains(local->local);
      });
    }
    std::erase_if(kernel_.stages, [](const loop::Stage& stage) { return stage.yields.empty(); });
  }

  void describe() {
    TensorId main = group_.members.back();
    for (const TensorId member : group_.members) {
      const bool first_reduction = lowered_.reduction(member) && !lowered_.reduction(main);
      const bool first_contraction = lowered_.is_contraction(member) && !lowered_.is_contraction(main);
      if (first_reduction || first_contraction) main = member;
      const std::string& node = lowered_.nodes[number(member)];
      if (std::find(kernel_.nodes.begin(), kernel_.nodes.end(), node) == kernel_.nodes.end())
        kernel_.nodes.push_back(node);
    }
    kernel_.name = lowered_.nodes[number(main)];
    kernel_.boundary = group_.boundary;
  }

  loop::Step scatter(TensorId id) {
    const auto& scatter = std::get<loop::Scatter>(lowered_.definition(id)->value);
    Rename rename(*this);
    loop::ScatterKernel step{lowered_.nodes[number(id)],
                             placement_.home[number(scatter.base)],
                             placement_.home[number(id)],
                             scatter.axes,
                             {},
                             rename(scatter.value)};
    for (const ExprId index : scatter.target) step.target.push_back(rename(index));
    return step;
  }

  const Lowered& lowered_;
  loop::Pool& pool_;
  const Group& group_;
  const Placement& placement_;
  loop::Kernel kernel_;
  bool open_ = false;                       // the last stage is a map that may take further members
  std::map<TensorId, ExprId> open_values_;  // what the last stage computes
  std::map<TensorId, LocalId> local_of_;
};

}  // namespace

loop::Step build_step(const Lowered& lowered, const Group& group, const Placement& placement) {
  return Builder(lowered, group, placement).run();
}

}  // namespace lathe
