// The part of Graph that knows which extents are equal.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include <lathe/graph/graph.h>

namespace lathe {
namespace {

/// Two extents that are equal exactly if a and b are, with what they have in common cancelled.
struct Equation {
  Dim left, right;
};

Equation cancel(const Dim& a, const Dim& b) {
  const Dim difference = a - b;
  std::int64_t divisor = 0;
  for (const Dim::Term& term : difference.terms()) divisor = std::gcd(divisor, term.coefficient);
  Equation equation;
  for (const Dim::Term& term : difference.terms()) {
    Dim monomial(term.coefficient < 0 ? -(term.coefficient / divisor) : term.coefficient / divisor);
    for (const SymbolId factor : term.factors) monomial = monomial * Dim(factor);
    Dim& side = term.coefficient < 0 ? equation.right : equation.left;
    side = side + monomial;
  }
  return equation;
}

bool is_anonymous(const Dim& dim) {
  const auto symbol = dim.as_symbol();
  return symbol && name_of(*symbol).starts_with('_');
}

bool is_symbol_or_positive(const Dim& dim) {
  const auto number = dim.as_constant();
  return dim.as_symbol() || (number && *number > 0);
}

}  // namespace

Dim Graph::fresh_symbol() {
  return dim(fmt::format("_{}", counters_.symbols++));
}

Dim Graph::resolve(const Dim& dim) const {
  Dim out = dim;
  for (const auto& [symbol, meaning] : equalities_) out = out.substitute(symbol, meaning);
  return out;
}

Shape Graph::resolve(const Shape& shape) const {
  Shape out;
  out.reserve(shape.size());
  for (const Dim& extent : shape) out.push_back(resolve(extent));
  return out;
}

bool Graph::unify(const Dim& a, const Dim& b) {
  ensure(!a.is_unknown() && !b.is_unknown(), "an open extent reached unify()");
  Dim x = resolve(a);
  Dim y = resolve(b);
  if (x == y) return true;
  if (!x.as_symbol() && !y.as_symbol()) {
    const Equation equation = cancel(x, y);
    // Only what a reader of the two shapes would conclude: n + m = n does not make m zero.
    if (!is_symbol_or_positive(equation.left) || !is_symbol_or_positive(equation.right)) return false;
    x = equation.left;
    y = equation.right;
  }
  // The younger, anonymous side gives way, so that users' names survive in messages.
  if (is_anonymous(x) || !y.as_symbol()) return learn(x, y) || learn(y, x);
  return learn(y, x) || learn(x, y);
}

bool Graph::learn(const Dim& symbol, const Dim& meaning) {
  const auto id = symbol.as_symbol();
  if (!id || meaning.mentions(*id)) return false;
  if (const auto number = meaning.as_constant(); number && *number < 0) return false;
  if (inferring_ && !unlearned_) {
    unlearned_ = Unlearned{equalities_, {}};
    for (const Node& node : nodes_) unlearned_->types.push_back(node.outputs);
  }
  for (auto& [known, dim] : equalities_) dim = dim.substitute(*id, meaning);
  equalities_.emplace_back(*id, meaning);
  for (Node& node : nodes_) {
    for (TensorType& type : node.outputs) {
      // In place, because type rules hold references to extents while they unify.
      for (Dim& extent : type.shape) extent = resolve(extent);
    }
  }
  return true;
}

void Graph::adopt_symbols(std::vector<Equality> equalities, Counters counters) {
  equalities_ = std::move(equalities);
  counters_ = counters;
}

}  // namespace lathe
