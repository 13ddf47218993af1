#include <lathe/codegen/lazy.h>

#include <lathe/codegen/loop/expr.h>

namespace lathe {
namespace {

using loop::Expr;
using loop::ExprId;

/// Operations from which on an arm is worth a branch, which may be predicted wrong.
constexpr std::size_t long_operations = 16;

class LazyArms : public loop::Substitution {
 public:
  using Substitution::Substitution;

 protected:
  Expr select(const loop::Select& e) override {
    const Expr plain = Substitution::select(e);
    const auto* choice = std::get_if<loop::Select>(&plain.node());
    if (!choice || choice->lazy || !is_of_indices(pool_, e.condition)) return plain;
    const bool long_a = is_long(e.a);
    const bool long_b = is_long(e.b);
    if (!long_a && !long_b) return plain;
    const Expr condition = pool_.wrap(e.condition);
    const Expr a = pool_.wrap(e.a);
    const Expr b = pool_.wrap(e.b);
    const Expr otherwise = long_b ? pool_.select(~condition, b, long_a ? constant_like(a, 0) : a, true) : b;
    return long_a ? pool_.select(condition, a, otherwise, true) : otherwise;
  }

 private:
  bool is_long(ExprId arm) const {
    const std::vector<ExprId> parts = usual_order(pool_, {&arm, 1});
    std::size_t operations = 0;
    for (const ExprId part : parts) {
      const loop::ExprNode& node = pool_.node(part);
      // Where a check fails must not depend on how things are computed.
      if (std::holds_alternative<loop::Check>(node)) return false;
      if (is_float(pool_.dtype(part)) && !pool_.operands(part).empty()) ++operations;
    }
    return operations >= long_operations;
  }
};

}  // namespace

void select_lazily(Lowered& lowered) {
  LazyArms lazy(*lowered.pool);
  for (auto& definition : lowered.definitions) {
    if (!definition) continue;
    if (auto* root = std::get_if<ExprId>(&definition->value)) *root = lazy(*root);
  }
}

}  // namespace lathe
