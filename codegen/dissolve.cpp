#include <lathe/codegen/dissolve.h>

#include <algorithm>
#include <set>

#include <lathe/codegen/nest.h>
#include <lathe/graph/nonempty.h>

namespace lathe {
namespace {

using loop::Expr;
using loop::ExprId;
using loop::TensorId;

constexpr int cheap = 4;
/// Of a chain of cheap definitions with several uses: more would be computed over and over, once a use.
constexpr int most_repeated_operations = 12;
constexpr int slow_operation = 8;  // division, square root
/// What contractions make of rows as they go: more would not hide behind their sums, nor would it be worth making by
/// more of them than a layer has, which are the layer and the gradient of its weights.
constexpr int most_row_operations = 16;
constexpr std::size_t most_row_consumers = 2;

/// Operations an element, not counting what only computes indices.
int cost(const loop::Pool& pool, ExprId root) {
  std::set<ExprId> seen;
  std::vector<ExprId> stack{root};
  int operations = 0;
  while (!stack.empty()) {
    const ExprId id = stack.back();
    stack.pop_back();
    if (!seen.insert(id).second) continue;
    const loop::ExprNode& node = pool.node(id);
    if (const auto* load = std::get_if<loop::Load>(&node)) {
      const bool indirect = !loads_in(pool, load->indices).empty();
      operations += indirect ? cheap + 1 : 0;
      continue;
    }
    const std::vector<ExprId> operands = pool.operands(id);
    if (operands.empty()) continue;
    const auto* binary = std::get_if<loop::Binary>(&node);
    const auto* unary = std::get_if<loop::Unary>(&node);
    const bool slow = (binary && (binary->op == loop::BinaryOp::div || binary->op == loop::BinaryOp::floor_div ||
                                  binary->op == loop::BinaryOp::mod)) ||
                      (unary && unary->op == loop::UnaryOp::sqrt);
    operations += slow ? slow_operation : 1;
    stack.insert(stack.end(), operands.begin(), operands.end());
  }
  return operations;
}

/// Points that a definition evaluates its expression at.
Dim domain_size(const Lowered& lowered, TensorId id) {
  Dim count(1);
  const loop::Definition& definition = *lowered.definition(id);
  const auto multiply = [&](const std::vector<loop::AxisId>& axes) {
    for (const loop::AxisId axis : axes) count = count * lowered.pool->axis(axis).extent;
  };
  if (const auto* scatter = std::get_if<loop::Scatter>(&definition.value)) {
    multiply(scatter->axes);
    return count;
  }
  multiply(definition.axes);
  if (const loop::Reduce* reduce = lowered.reduction(id)) multiply(reduce->axes);
  return count;
}

/// How a tensor's value reaches the definitions that stay.
struct Uses {
  std::set<TensorId> consumers;  // that stay
  bool in_contraction = false;
  bool by_rows = true;    // in contractions it is always what runs along rows, not columns
  bool windows = false;   // of several axes, which may overlap
  bool repeated = false;  // elements would be computed more than once
  int chain = 0;          // operations on the way to a consumer that other consumers compute too
  bool pinned = false;    // must exist in memory: a scatter's base, a tensor for the host
};

class Inliner : public loop::Substitution {
 public:
  Inliner(Lowered& lowered, const std::vector<bool>& gone)
      : Substitution(*lowered.pool), lowered_(lowered), gone_(gone) {}

 protected:
  Expr load(const loop::Load& load, DType dtype) override {
    if (!gone_[number(load.tensor)]) return Substitution::load(load, dtype);
    const loop::Definition& definition = *lowered_.definition(load.tensor);
    Substitution instantiate(pool_);
    for (std::size_t d = 0; d < definition.axes.size(); ++d) {
      instantiate.replace(definition.axes[d], pool_.wrap(load.indices[d]));
    }
    return pool_.wrap(instantiate(std::get<ExprId>(definition.value)));
  }

 private:
  Lowered& lowered_;
  const std::vector<bool>& gone_;
};

class Dissolver {
 public:
  explicit Dissolver(Lowered& lowered)
      : lowered_(lowered), uses_(lowered.tensors.size()), gone_(lowered.tensors.size(), false), needed_(gone_) {
    for (const Target& target : lowered.targets) needed_[number(target.tensor)] = true;
    for (const loop::HostStep& step : lowered.host_steps) uses_[number(step.tensor)].pinned = true;
    for (std::size_t i = 0; i < lowered.tensors.size(); ++i) results_.push_back(results_of(static_cast<TensorId>(i)));
  }

  // Users come after what they use, so walking backwards meets every tensor with its uses decided.
  void run() {
    for (std::size_t i = lowered_.tensors.size(); i-- > 0;) decide(static_cast<TensorId>(i));
    for (std::size_t i = 0; i < lowered_.tensors.size(); ++i) inline_into(static_cast<TensorId>(i));
    for (std::size_t i = 0; i < lowered_.tensors.size(); ++i) {
      if (gone_[i] && !needed_[i]) lowered_.definitions[i].reset();
    }
  }

 private:
  bool stays(TensorId id) const {
    const Uses& uses = uses_[number(id)];
    return needed_[number(id)] || uses.pinned || (lowered_.has_check(id) && !belongs_in_rows(id, uses));
  }

  /// A check that one map of more axes needs belongs where the map is computed, row by row; unless there may be no
  /// rows.
  bool belongs_in_rows(TensorId id, const Uses& uses) const {
    const ExprId* root = lowered_.expression(id);
    if (!root || !std::holds_alternative<loop::Check>(lowered_.pool->node(*root))) return false;
    if (uses.consumers.size() != 1 || uses.in_contraction) return false;
    const TensorId consumer = *uses.consumers.begin();
    return lowered_.expression(consumer) && !lowered_.reduction(consumer) &&
           lowered_.definition(consumer)->axes.size() > lowered_.definition(id)->axes.size() &&
           nonempty_with(lowered_.tensor(id).type.shape, lowered_.tensor(consumer).type.shape);
  }

  void decide(TensorId id) {
    if (!lowered_.definition(id)) return;
    Uses& uses = uses_[number(id)];
    if (!stays(id) && uses.consumers.empty()) {  // nobody wants it
      lowered_.definitions[number(id)].reset();
      return;
    }
    if (uses.consumers.size() < 2) uses.chain = 0;
    const ExprId* root = lowered_.expression(id);
    const int operations = root ? cost(*lowered_.pool, *root) : 0;
    gone_[number(id)] = dissolves(id, uses, operations);
    const Dim points = domain_size(lowered_, id);
    for (const loop::Load& load : lowered_.loads(id)) {
      Uses& source = uses_[number(load.tensor)];
      // Somewhat more points than elements is a guarded load that reaches over the tensor's edges.
      const Dim elements = element_count(lowered_.tensor(load.tensor).type.shape);
      const bool repeats = !loop::never_negative(elements * Dim(3) - points * Dim(2));
      if (gone_[number(id)]) {
        source.consumers.insert(uses.consumers.begin(), uses.consumers.end());
        source.in_contraction |= uses.in_contraction;
        source.by_rows &= uses.by_rows;
        source.windows |= uses.windows;
        source.repeated |= uses.repeated || repeats;
        source.chain = std::max(source.chain, uses.chain + operations);
      }
      if (!gone_[number(id)] || needed_[number(id)]) {
        source.consumers.insert(id);
        source.in_contraction |= lowered_.is_contraction(id);
        if (lowered_.is_contraction(id)) {
          source.by_rows &= runs_along_rows(id, load);
          source.windows |= lowered_.reduction(id)->axes.size() > 1;
        }
        source.repeated |= repeats;
      }
    }
    if (const auto* scatter = std::get_if<loop::Scatter>(&lowered_.definition(id)->value)) {
      uses_[number(scatter->base)].pinned = true;
    }
  }

  /// `operations`: that it takes to make an element.
  bool dissolves(TensorId id, const Uses& uses, int operations) const {
    if (!lowered_.expression(id) || lowered_.reduction(id) || uses.pinned) return false;
    if (lowered_.has_check(id)) return !stays(id);
    if (operations == 0) return true;
    if (needed_[number(id)]) return false;
    // A contraction computes what it reads along rows as it goes, so that no thread waits for another to do so, and
    // none has to fetch it; but not what can be made of another's results while they are in registers.
    if (uses.in_contraction) {
      return uses.by_rows && uses.consumers.size() <= most_row_consumers &&
             operations <= (uses.windows ? cheap : most_row_operations) && results_[number(id)].empty();
    }
    if (uses.consumers.size() == 1 && !uses.repeated) return !joins_reductions(id);
    const std::vector<loop::Load> loads = lowered_.loads(id);
    const bool epilogue = std::any_of(
        loads.begin(), loads.end(), [&](const loop::Load& load) { return lowered_.reduction(load.tensor) != nullptr; });
    return operations <= cheap && uses.chain + operations <= most_repeated_operations && !epilogue;
  }

  /// Whether what contraction `id` loads is the same for all columns, and either a block of its rows has a known size
  /// or neighbours in a row belong to different rows of the result, so that a few terms of the sum can be made at a
  /// time.
  bool runs_along_rows(TensorId id, const loop::Load& load) const {
    const loop::Pool& pool = *lowered_.pool;
    const std::vector<loop::AxisId>& axes = lowered_.definition(id)->axes;
    if (axes.empty()) return false;
    const auto varies = [&](std::span<const ExprId> indices, loop::AxisId axis) {
      const std::vector<ExprId> parts = post_order(pool, indices);
      return std::any_of(parts.begin(), parts.end(), [&](ExprId part) {
        const auto* index = std::get_if<loop::AxisIndex>(&pool.node(part));
        return index && index->axis == axis;
      });
    };
    if (varies(load.indices, axes.back())) return false;
    const loop::Reduce& reduce = *lowered_.reduction(id);
    const std::optional<std::int64_t> length = reduced_length(pool, reduce);
    if (length && *length <= loop::contract_chunk) return true;
    return reduce.axes.size() == 1 && axes.size() > 1 && !load.indices.empty() &&
           !varies({&load.indices.back(), 1}, reduce.axes.front());
  }

  /// Whether a definition makes one number out of several reductions' results: it belongs where they are at hand.
  bool joins_reductions(TensorId id) const { return results_[number(id)].size() > 1; }

  /// The reductions that an element of a map is made from, one result of each, directly or through other maps.
  std::set<TensorId> results_of(TensorId id) const {
    std::set<TensorId> results;
    if (!lowered_.expression(id) || lowered_.reduction(id)) return results;
    const Dim points = domain_size(lowered_, id);
    for (const loop::Load& load : lowered_.loads(id)) {
      if (element_count(lowered_.tensor(load.tensor).type.shape) != points) continue;
      if (lowered_.reduction(load.tensor)) results.insert(load.tensor);
      results.insert(results_[number(load.tensor)].begin(), results_[number(load.tensor)].end());
    }
    return results;
  }

  void inline_into(TensorId id) {
    auto& definition = lowered_.definitions[number(id)];
    if (!definition) return;
    Inliner inliner(lowered_, gone_);
    if (auto* root = std::get_if<ExprId>(&definition->value)) {
      *root = inliner(*root);
      return;
    }
    auto& scatter = std::get<loop::Scatter>(definition->value);
    for (ExprId& index : scatter.target) index = inliner(index);
    scatter.value = inliner(scatter.value);
  }

  Lowered& lowered_;
  std::vector<std::set<TensorId>> results_;
  std::vector<Uses> uses_;
  std::vector<bool> gone_;    // inlined into every use
  std::vector<bool> needed_;  // a target: its definition stays even where its uses inline it
};

}  // namespace

void dissolve(Lowered& lowered) {
  Dissolver(lowered).run();
}

}  // namespace lathe
