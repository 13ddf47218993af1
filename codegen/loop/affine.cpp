// Linear forms of index expressions, and what comes apart of their quotients.
#include <algorithm>

#include <lathe/codegen/loop/expr.h>
#include <lathe/graph/error.h>

namespace lathe::loop {
namespace {

void add_term(Affine& out, ExprId atom, const Dim& coefficient) {
  const auto at =
      std::find_if(out.terms.begin(), out.terms.end(), [&](const auto& term) { return term.first == atom; });
  if (at == out.terms.end()) {
    if (coefficient != Dim(0)) out.terms.emplace_back(atom, coefficient);
    return;
  }
  at->second = at->second + coefficient;
  if (at->second == Dim(0)) out.terms.erase(at);
}

void collect(Pool& pool, ExprId id, const Dim& scale, Affine& out) {
  const ExprNode& node = pool.node(id);
  if (const auto* extent = std::get_if<Extent>(&node)) {
    out.constant = out.constant + extent->dim * scale;
    return;
  }
  if (const auto* binary = std::get_if<Binary>(&node)) {
    const auto* factor = std::get_if<Extent>(&pool.node(binary->b));
    if (binary->op == BinaryOp::add || binary->op == BinaryOp::sub) {
      collect(pool, binary->a, scale, out);
      collect(pool, binary->b, binary->op == BinaryOp::add ? scale : Dim(0) - scale, out);
      return;
    }
    if (binary->op == BinaryOp::mul && factor) {
      collect(pool, binary->a, scale * factor->dim, out);
      return;
    }
  }
  add_term(out, id, scale);
}

/// Whether `quotient` is x / c. For x = y / b it may also be y / (b c).
bool divides(const Pool& pool, ExprId quotient, ExprId x, const Dim& c) {
  const auto extent = [&](const Binary& e) { return std::get_if<Extent>(&pool.node(e.b)); };
  const auto* outer = std::get_if<Binary>(&pool.node(quotient));
  if (!outer || outer->op != BinaryOp::floor_div || !extent(*outer)) return false;
  const Dim divisor = extent(*outer)->dim;
  if (outer->a == x) return divisor == c;
  const auto* inner = std::get_if<Binary>(&pool.node(x));
  if (!inner || inner->op != BinaryOp::floor_div || !extent(*inner)) return false;
  return outer->a == inner->a && divisor == extent(*inner)->dim * c;
}

/// Finds one pair (x / c) * (c k) + (x % c) * k and makes it x * k; false if there is none.
bool recombine(Pool& pool, Affine& out) {
  for (const auto& [atom, coefficient] : out.terms) {
    const auto* modulus = std::get_if<Binary>(&pool.node(atom));
    if (!modulus || modulus->op != BinaryOp::mod) continue;
    const auto* divisor = std::get_if<Extent>(&pool.node(modulus->b));
    if (!divisor) continue;
    for (const auto& [other, scaled] : out.terms) {
      if (scaled != coefficient * divisor->dim || !divides(pool, other, modulus->a, divisor->dim)) continue;
      const Dim scale = coefficient;
      const ExprId whole = modulus->a;
      const ExprId first = atom;
      const ExprId second = other;
      std::erase_if(out.terms, [&](const auto& term) { return term.first == first || term.first == second; });
      collect(pool, whole, scale, out);
      return true;
    }
  }
  return false;
}

struct Digits {
  Affine quotient;
  Affine rest;
  bool is_digit = false;
};

/// whole = quotient * radix + rest, where `is_digit` says that 0 <= rest < radix for every index in its axis.
Digits digits_of(const Pool& pool, const Affine& whole, const Dim& radix) {
  Digits out;
  Dim upper(0);  // rest <= upper
  bool bounded = true;
  for (const auto& [atom, coefficient] : whole.terms) {
    if (const auto exact = divide(coefficient, radix)) {
      out.quotient.terms.emplace_back(atom, *exact);
      continue;
    }
    out.rest.terms.emplace_back(atom, coefficient);
    const ExprNode& inner = pool.node(atom);
    Dim extent_of_atom;
    if (const auto* index = std::get_if<AxisIndex>(&inner)) {
      extent_of_atom = pool.axis(index->axis).extent;
    } else if (const auto* modulus = std::get_if<Binary>(&inner);
               modulus && modulus->op == BinaryOp::mod && std::holds_alternative<Extent>(pool.node(modulus->b))) {
      extent_of_atom = std::get<Extent>(pool.node(modulus->b)).dim;
    } else {
      bounded = false;
      continue;
    }
    bounded = bounded && never_negative(coefficient);
    upper = upper + coefficient * (extent_of_atom - Dim(1));
  }
  if (const auto exact = divide(whole.constant, radix)) {
    out.quotient.constant = *exact;
  } else {
    out.rest.constant = whole.constant;
    bounded = bounded && never_negative(whole.constant);
    upper = upper + whole.constant;
  }
  out.is_digit = bounded && never_negative(radix - Dim(1) - upper);
  return out;
}

}  // namespace

std::optional<Expr> Pool::take_apart(BinaryOp op, Expr a, const Dim& divisor) {
  const bool divides = op == BinaryOp::floor_div;
  const Affine whole = affine(*this, a.id);
  const Digits digits = digits_of(*this, whole, divisor);
  if (digits.is_digit) return to_expr(*this, divides ? digits.quotient : digits.rest);
  if (!digits.quotient.terms.empty() || digits.quotient.constant != Dim(0)) {
    const Expr rest = binary(op, to_expr(*this, digits.rest), extent(divisor));
    return divides ? to_expr(*this, digits.quotient) + rest : rest;
  }
  // Of g q + r and a divisor g c with 0 <= r < g: q and c are all that a quotient needs.
  std::vector<std::int64_t> factors;
  for (const auto& [atom, coefficient] : whole.terms) factors.push_back(coefficient.as_constant().value_or(0));
  std::sort(factors.rbegin(), factors.rend());
  for (const std::int64_t factor : factors) {
    const auto part = factor > 1 ? divide(divisor, Dim(factor)) : std::nullopt;
    if (!part) continue;
    const Digits inner = digits_of(*this, whole, Dim(factor));
    if (!inner.is_digit) continue;
    const Expr quotient = binary(op, to_expr(*this, inner.quotient), extent(*part));
    return divides ? quotient : quotient * extent(Dim(factor)) + to_expr(*this, inner.rest);
  }
  return std::nullopt;
}

Dim Affine::coefficient(ExprId atom) const {
  for (const auto& [other, coefficient] : terms) {
    if (other == atom) return coefficient;
  }
  return 0;
}

Affine affine(Pool& pool, ExprId id) {
  Affine out;
  collect(pool, id, 1, out);
  while (recombine(pool, out)) {
  }
  return out;
}

Expr to_expr(Pool& pool, const Affine& affine) {
  std::optional<Expr> sum;
  for (const auto& [atom, coefficient] : affine.terms) {
    const Expr term = pool.wrap(atom) * pool.extent(coefficient);
    sum = sum ? *sum + term : term;
  }
  if (!sum) return pool.extent(affine.constant);
  return *sum + pool.extent(affine.constant);
}

bool never_negative(const Dim& dim) {
  return std::all_of(dim.terms().begin(), dim.terms().end(),
                     [](const Dim::Term& term) { return term.coefficient >= 0; });
}

}  // namespace lathe::loop
