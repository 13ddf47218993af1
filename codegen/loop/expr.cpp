#include <lathe/codegen/loop/expr.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe::loop {
namespace {

std::size_t mix(std::size_t seed, std::size_t value) {
  return (seed ^ value) * 0x9e3779b97f4a7c15U + (seed >> 29);
}

std::size_t hash(const ExprNode& node) {
  std::size_t seed = node.index();
  const auto add = [&](auto value) { seed = mix(seed, static_cast<std::size_t>(value)); };
  const auto add_all = [&](const auto& values) {
    for (const auto value : values) add(value);
  };
  struct Visitor {
    decltype(add)& one;
    decltype(add_all)& all;
    void operator()(const Constant& e) const { one(e.bits); }
    void operator()(const AxisIndex& e) const { one(e.axis); }
    void operator()(const Extent& e) const {
      for (const Dim::Term& term : e.dim.terms()) {
        one(term.coefficient);
        all(term.factors);
      }
    }
    void operator()(const Load& e) const {
      one(e.tensor);
      all(e.indices);
    }
    void operator()(const Local& e) const {
      one(e.local);
      all(e.indices);
    }
    void operator()(const Unary& e) const {
      one(e.op);
      one(e.a);
    }
    void operator()(const Binary& e) const {
      one(e.op);
      one(e.a);
      one(e.b);
    }
    void operator()(const Select& e) const {
      one(e.condition);
      one(e.a);
      one(e.b);
      one(e.lazy);
    }
    void operator()(const Fma& e) const {
      one(e.a);
      one(e.b);
      one(e.c);
    }
    void operator()(const Cast& e) const {
      one(e.to);
      one(e.a);
    }
    void operator()(const Bitcast& e) const {
      one(e.to);
      one(e.a);
    }
    void operator()(const Lookup& e) const {
      all(e.table);
      one(e.index);
    }
    void operator()(const Reduce& e) const {
      one(e.op);
      all(e.axes);
      one(e.a);
      one(e.b);
    }
    void operator()(const Check& e) const {
      one(e.check);
      one(e.condition);
      one(e.value);
    }
  };
  std::visit(Visitor{add, add_all}, node);
  return seed;
}

bool is_comparison(BinaryOp op) {
  return op == BinaryOp::eq || op == BinaryOp::ne || op == BinaryOp::lt || op == BinaryOp::le || op == BinaryOp::gt ||
         op == BinaryOp::ge;
}

bool can_bitcast(DType from, DType to) {
  const auto pair = [&](DType a, DType b) { return (from == a && to == b) || (from == b && to == a); };
  return pair(i32, f32) || pair(i64, f64);
}

std::optional<bool> boolean_constant(const Expr& e) {
  if (const auto* constant = std::get_if<Constant>(&e.node()); constant && constant->dtype == boolean) {
    return constant->bits != 0;
  }
  return std::nullopt;
}

}  // namespace

DType Expr::dtype() const {
  return pool->dtype(id);
}

const ExprNode& Expr::node() const {
  return pool->node(id);
}

AxisId Pool::make_axis(Dim extent, std::string name) {
  axes_.push_back({std::move(extent), std::move(name)});
  return static_cast<AxisId>(axes_.size() - 1);
}

CheckId Pool::make_check(CheckInfo info) {
  checks_.push_back(std::move(info));
  return static_cast<CheckId>(checks_.size() - 1);
}

Expr Pool::intern(ExprNode node, DType dtype) {
  const std::size_t key = mix(hash(node), static_cast<std::size_t>(dtype));
  const auto [first, last] = by_hash_.equal_range(key);
  for (auto at = first; at != last; ++at) {
    const Entry& entry = nodes_[static_cast<std::size_t>(at->second)];
    if (entry.dtype == dtype && entry.node == node) return wrap(at->second);
  }
  const auto id = static_cast<ExprId>(nodes_.size());
  nodes_.push_back({std::move(node), dtype});
  by_hash_.emplace(key, id);
  return wrap(id);
}

// The index along an axis of extent 1 is 0, so broadcasts and kept axes dissolve.
Expr Pool::index(AxisId axis) {
  if (this->axis(axis).extent == Dim(1)) return extent(0);
  return intern(AxisIndex{axis}, i64);
}

Expr Pool::extent(const Dim& dim) {
  return intern(Extent{dim}, i64);
}

Expr Pool::constant(DType dtype, double value) {
  switch (dtype) {
    case DType::f64: return constant_bits(dtype, std::bit_cast<std::uint64_t>(value));
    case DType::f32: return constant_bits(dtype, std::bit_cast<std::uint32_t>(static_cast<float>(value)));
    case DType::i64: return extent(static_cast<std::int64_t>(value));
    case DType::i32: return constant_bits(dtype, static_cast<std::uint32_t>(static_cast<std::int32_t>(value)));
    case DType::u8: return constant_bits(dtype, static_cast<std::uint8_t>(value));
    case DType::boolean: break;
  }
  return constant_bits(dtype, value != 0 ? 1 : 0);
}

Expr Pool::constant_bits(DType dtype, std::uint64_t bits) {
  if (dtype == i64) return extent(static_cast<std::int64_t>(bits));
  return intern(Constant{dtype, bits}, dtype);
}

Expr Pool::load(TensorId tensor, DType dtype, std::vector<ExprId> indices) {
  return intern(Load{tensor, std::move(indices)}, dtype);
}

Expr Pool::local(LocalId local, DType dtype, std::vector<ExprId> indices) {
  return intern(Local{local, std::move(indices)}, dtype);
}

Expr Pool::unary(UnaryOp op, Expr a) {
  if (a.dtype() == i64 && op == UnaryOp::neg) return binary(BinaryOp::sub, extent(0), a);
  return intern(Unary{op, a.id}, a.dtype());
}

Expr Pool::binary(BinaryOp op, Expr a, Expr b) {
  ensure(a.dtype() == b.dtype(),
         fmt::format("a binary expression mixes {} and {}", to_string(a.dtype()), to_string(b.dtype())));
  if (a.dtype() == i64) return index_binary(op, a, b);
  return intern(Binary{op, a.id, b.id}, is_comparison(op) ? boolean : a.dtype());
}

// Keeps indices in linear form, which is what makes views dissolve and accesses recognisable.
Expr Pool::index_binary(BinaryOp op, Expr a, Expr b) {
  const auto* x = std::get_if<Extent>(&a.node());
  const auto* y = std::get_if<Extent>(&b.node());
  const auto plain = [&] { return intern(Binary{op, a.id, b.id}, is_comparison(op) ? boolean : i64); };
  switch (op) {
    case BinaryOp::add:
      if (x && y) return extent(x->dim + y->dim);
      if (x && x->dim == Dim(0)) return b;
      if (y && y->dim == Dim(0)) return a;
      if (x) return intern(Binary{op, b.id, a.id}, i64);
      return plain();
    case BinaryOp::sub:
      if (x && y) return extent(x->dim - y->dim);
      if (y && y->dim == Dim(0)) return a;
      if (a == b) return extent(0);
      if (y && y->dim.is_constant()) return binary(BinaryOp::add, a, extent(Dim(0) - y->dim));
      return plain();
    case BinaryOp::mul:
      if (x && y) return extent(x->dim * y->dim);
      if (x) return index_binary(op, b, a);
      if (y && y->dim == Dim(1)) return a;
      if (y && y->dim == Dim(0)) return b;
      return plain();
    case BinaryOp::floor_div:
    case BinaryOp::mod: break;
    default: return plain();
  }
  if (!y) return plain();
  const bool divides = op == BinaryOp::floor_div;
  if (y->dim == Dim(1)) return divides ? a : extent(0);
  if (x && x->dim.is_constant() && y->dim.is_constant() && y->dim.constant() > 0) {
    const std::int64_t n = x->dim.constant();
    const std::int64_t d = y->dim.constant();
    const std::int64_t remainder = ((n % d) + d) % d;
    return extent(divides ? (n - remainder) / d : remainder);
  }
  const std::optional<Expr> apart = take_apart(op, a, y->dim);
  return apart ? *apart : plain();
}

Expr Pool::select(Expr condition, Expr a, Expr b, bool lazy) {
  ensure(condition.dtype() == boolean && a.dtype() == b.dtype(), "a select's operands do not fit");
  if (a == b) return a;
  if (const auto known = boolean_constant(condition)) return *known ? a : b;
  return intern(Select{condition.id, a.id, b.id, lazy}, a.dtype());
}

Expr Pool::fma(Expr a, Expr b, Expr c) {
  ensure(is_float(a.dtype()) && a.dtype() == b.dtype() && a.dtype() == c.dtype(), "an fma's operands do not fit");
  return intern(Fma{a.id, b.id, c.id}, a.dtype());
}

Expr Pool::cast(DType to, Expr a) {
  if (a.dtype() == to) return a;
  return intern(Cast{to, a.id}, to);
}

Expr Pool::bitcast(DType to, Expr a) {
  ensure(can_bitcast(a.dtype(), to), "a bitcast between types of different sizes");
  return intern(Bitcast{to, a.id}, to);
}

Expr Pool::lookup(const std::array<float, 16>& table, Expr index) {
  ensure(index.dtype() == i32, "a lookup's index is not i32");
  return intern(Lookup{std::bit_cast<std::array<std::uint32_t, 16>>(table), index.id}, f32);
}

Expr Pool::reduce(ReduceOp op, std::vector<AxisId> axes, Expr a, std::optional<Expr> b) {
  ensure((op == ReduceOp::contract) == b.has_value(), "a contraction has two factors, other reductions one operand");
  ensure(!b || b->dtype() == a.dtype(), "a contraction's factors differ in dtype");
  return intern(Reduce{op, std::move(axes), a.id, b ? b->id : a.id}, a.dtype());
}

Expr Pool::check(CheckId check, Expr condition, Expr value, Expr index, Expr detail) {
  return intern(Check{check, condition.id, value.id, index.id, detail.id}, value.dtype());
}

Expr Pool::call(Expr result, std::string function, std::vector<ExprId> arguments) {
  calls_.try_emplace(result.id, Call{std::move(function), std::move(arguments)});
  return result;
}

const Call* Pool::call(ExprId id) const {
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : &found->second;
}

std::vector<ExprId> Pool::operands(ExprId id) const {
  struct Visitor {
    std::vector<ExprId> operator()(const Constant&) const { return {}; }
    std::vector<ExprId> operator()(const AxisIndex&) const { return {}; }
    std::vector<ExprId> operator()(const Extent&) const { return {}; }
    std::vector<ExprId> operator()(const Load& e) const { return e.indices; }
    std::vector<ExprId> operator()(const Local& e) const { return e.indices; }
    std::vector<ExprId> operator()(const Unary& e) const { return {e.a}; }
    std::vector<ExprId> operator()(const Binary& e) const { return {e.a, e.b}; }
    std::vector<ExprId> operator()(const Select& e) const { return {e.condition, e.a, e.b}; }
    std::vector<ExprId> operator()(const Fma& e) const { return {e.a, e.b, e.c}; }
    std::vector<ExprId> operator()(const Cast& e) const { return {e.a}; }
    std::vector<ExprId> operator()(const Bitcast& e) const { return {e.a}; }
    std::vector<ExprId> operator()(const Lookup& e) const { return {e.index}; }
    std::vector<ExprId> operator()(const Reduce& e) const {
      return e.op == ReduceOp::contract ? std::vector{e.a, e.b} : std::vector{e.a};
    }
    std::vector<ExprId> operator()(const Check& e) const { return {e.condition, e.value, e.index, e.detail}; }
  };
  return std::visit(Visitor{}, node(id));
}

Expr Pool::with_operands(ExprId id, std::span<const ExprId> operands) {
  struct Visitor {
    Pool& pool;
    ExprId id;
    std::span<const ExprId> in;
    Expr at(std::size_t i) const { return pool.wrap(in[i]); }
    Expr operator()(const Constant&) const { return pool.wrap(id); }
    Expr operator()(const AxisIndex&) const { return pool.wrap(id); }
    Expr operator()(const Extent&) const { return pool.wrap(id); }
    Expr operator()(const Load& e) const { return pool.load(e.tensor, pool.dtype(id), {in.begin(), in.end()}); }
    Expr operator()(const Local& e) const { return pool.local(e.local, pool.dtype(id), {in.begin(), in.end()}); }
    Expr operator()(const Unary& e) const { return pool.unary(e.op, at(0)); }
    Expr operator()(const Binary& e) const { return pool.binary(e.op, at(0), at(1)); }
    Expr operator()(const Select& e) const { return pool.select(at(0), at(1), at(2), e.lazy); }
    Expr operator()(const Fma&) const { return pool.fma(at(0), at(1), at(2)); }
    Expr operator()(const Cast& e) const { return pool.cast(e.to, at(0)); }
    Expr operator()(const Bitcast& e) const { return pool.bitcast(e.to, at(0)); }
    Expr operator()(const Lookup& e) const { return pool.intern(Lookup{e.table, in[0]}, f32); }
    Expr operator()(const Reduce& e) const {
      return pool.reduce(e.op, e.axes, at(0), e.op == ReduceOp::contract ? std::optional(at(1)) : std::nullopt);
    }
    Expr operator()(const Check& e) const { return pool.check(e.check, at(0), at(1), at(2), at(3)); }
  };
  const ExprNode copy = node(id);
  return std::visit(Visitor{*this, id, operands}, copy);
}

ExprId Substitution::operator()(ExprId id) {
  const ExprId roots[] = {id};
  for (const ExprId next : post_order(pool_, roots)) {
    if (done_.contains(next)) continue;
    std::vector<ExprId> operands = pool_.operands(next);
    for (ExprId& operand : operands) operand = done_.at(operand);
    ExprId result = next;
    if (const auto* axis = std::get_if<AxisIndex>(&pool_.node(next))) {
      if (const auto found = axes_.find(axis->axis); found != axes_.end()) result = found->second;
    } else if (const auto* load = std::get_if<Load>(&pool_.node(next))) {
      result = this->load(Load{load->tensor, operands}, pool_.dtype(next)).id;
    } else if (const auto* choice = std::get_if<Select>(&pool_.node(next))) {
      result = select({operands[0], operands[1], operands[2], choice->lazy}).id;
    } else if (!operands.empty()) {
      result = pool_.with_operands(next, operands).id;
    }
    done_.emplace(next, result);
    if (const Call* call = pool_.call(next); call && result != next) copy_call(*call, result);
  }
  return done_.at(id);
}

void Substitution::copy_call(Call call, ExprId result) {
  for (ExprId& argument : call.arguments) {
    const auto found = done_.find(argument);
    if (found != done_.end()) {
      argument = found->second;
    } else if (!std::holds_alternative<Constant>(pool_.node(argument)) &&
               !std::holds_alternative<Extent>(pool_.node(argument))) {
      return;  // the result does not depend on it
    }
  }
  pool_.call(pool_.wrap(result), std::move(call.function), std::move(call.arguments));
}

namespace {

template <class Operands>
std::vector<ExprId> post_order(std::span<const ExprId> roots, const Operands& operands_of) {
  std::vector<ExprId> order;
  std::unordered_map<ExprId, bool> seen;  // true: its operands are listed
  std::vector<ExprId> stack(roots.rbegin(), roots.rend());
  while (!stack.empty()) {
    const ExprId id = stack.back();
    const auto [at, first] = seen.emplace(id, false);
    if (first) {
      const std::vector<ExprId> operands = operands_of(id);
      stack.insert(stack.end(), operands.rbegin(), operands.rend());
      continue;
    }
    stack.pop_back();
    if (!at->second) {
      at->second = true;
      order.push_back(id);
    }
  }
  return order;
}

}  // namespace

std::vector<ExprId> post_order(const Pool& pool, std::span<const ExprId> roots) {
  return post_order(roots, [&](ExprId id) { return pool.operands(id); });
}

std::vector<ExprId> usual_operands(const Pool& pool, ExprId id) {
  const auto* choice = std::get_if<Select>(&pool.node(id));
  if (choice && choice->lazy && !is_of_indices(pool, choice->condition)) return {choice->condition, choice->b};
  return pool.operands(id);
}

std::vector<ExprId> usual_order(const Pool& pool, std::span<const ExprId> roots) {
  return post_order(roots, [&](ExprId id) { return usual_operands(pool, id); });
}

bool is_of_indices(const Pool& pool, ExprId id) {
  const std::vector<ExprId> parts = post_order(pool, {&id, 1});
  return std::none_of(parts.begin(), parts.end(), [&](ExprId part) {
    const ExprNode& node = pool.node(part);
    return std::holds_alternative<Load>(node) || std::holds_alternative<Local>(node);
  });
}

}  // namespace lathe::loop
