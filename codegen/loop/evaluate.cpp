#include <lathe/codegen/loop/evaluate.h>

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include <lathe/codegen/loop/scalar.h>
#include <lathe/graph/error.h>

namespace lathe::loop {
namespace {

/// The row-major strides of an array whose extents are known.
Extents strides_of(const Extents& extents) {
  Extents strides(extents.size(), 1);
  for (std::size_t i = extents.size(); i-- > 1;) strides[i - 1] = strides[i] * extents[i];
  return strides;
}

bool is_comparison(BinaryOp op) {
  return op == BinaryOp::eq || op == BinaryOp::ne || op == BinaryOp::lt || op == BinaryOp::le || op == BinaryOp::gt ||
         op == BinaryOp::ge;
}

}  // namespace

/// What instructions do. Each reads its operands' cells and writes its own.
struct Primitives {
  using Instruction = Evaluator::Instruction;

  template <class T>
  static T in(const Evaluator& e, const Instruction& i, std::size_t operand) {
    return scalar::from_bits<T>(e.cells_[i.in[operand]]);
  }
  template <class T>
  static void out(Evaluator& e, const Instruction& i, T value) {
    e.cells_[i.out] = scalar::to_bits(value);
  }

  template <class T>
  static void unary(Evaluator& e, const Instruction& i) {
    out(e, i, scalar::apply(static_cast<UnaryOp>(i.op), in<T>(e, i, 0)));
  }
  template <class T>
  static void binary(Evaluator& e, const Instruction& i) {
    out(e, i, scalar::apply(static_cast<BinaryOp>(i.op), in<T>(e, i, 0), in<T>(e, i, 1)));
  }
  template <class T>
  static void comparison(Evaluator& e, const Instruction& i) {
    out(e, i, scalar::compare(static_cast<BinaryOp>(i.op), in<T>(e, i, 0), in<T>(e, i, 1)));
  }
  template <class T>
  static void fma(Evaluator& e, const Instruction& i) {
    out(e, i, scalar::fused_multiply_add(in<T>(e, i, 0), in<T>(e, i, 1), in<T>(e, i, 2)));
  }
  static void lookup(Evaluator& e, const Instruction& i) {
    e.cells_[i.out] = e.tables_[i.at][e.cells_[i.in[0]] % e.tables_[i.at].size()];
  }
  static void select(Evaluator& e, const Instruction& i) {
    e.cells_[i.out] = e.cells_[i.in[in<bool>(e, i, 0) ? 1 : 2]];
  }
  /// A value's bits mean the same in both types of a bitcast, so it only moves them.
  static void copy(Evaluator& e, const Instruction& i) { e.cells_[i.out] = e.cells_[i.in[0]]; }

  template <class To>
  static void cast(Evaluator& e, const Instruction& i) {
    dispatch(i.from, [&]<class From>(From) { out(e, i, scalar::convert<To>(in<From>(e, i, 0))); });
  }

  /// Whether an array has no elements: then any index gives 0, which a select will drop.
  static bool is_empty(const Evaluator::Place& place) {
    return std::any_of(place.indices.begin(), place.indices.end(),
                       [](const Evaluator::Place::Index& index) { return index.extent == 0; });
  }

  template <class T>
  static void load(Evaluator& e, const Instruction& i) {
    const Evaluator::LoadSource& source = e.loads_[i.at];
    if (is_empty(source.place)) return out(e, i, T{});
    T value{};
    std::memcpy(&value, source.data + e.offset(source.place) * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
    out(e, i, value);
  }
  static void load_local(Evaluator& e, const Instruction& i) {
    const Evaluator::LoadSource& source = e.loads_[i.at];
    if (is_empty(source.place)) return out(e, i, std::uint64_t{0});
    e.cells_[i.out] = source.local[e.offset(source.place)];
  }

  static void check(Evaluator& e, const Instruction& i) {
    if (!in<bool>(e, i, 0)) {
      e.run_.fail(static_cast<CheckId>(i.op), in<std::int64_t>(e, i, 2), in<std::int64_t>(e, i, 3));
    }
    e.cells_[i.out] = e.cells_[i.in[1]];
  }

  static bool has_points(const Evaluator::Reduction& reduction) {
    return std::all_of(reduction.loops.begin(), reduction.loops.end(),
                       [](const auto& loop) { return loop.extent > 0; });
  }

  /// One chain for every `contract_chunk` indices of the first axis.
  template <class T>
  static void contract(Evaluator& e, const Instruction& i) {
    const Evaluator::Reduction& reduction = *e.reductions_[i.at];
    if (!has_points(reduction)) return out(e, i, T{0});
    e.execute(reduction.once);
    const Evaluator::Loop& first = reduction.loops.front();
    const auto rest = std::span(reduction.loops).subspan(1);
    T total{0};
    for (std::int64_t begin = 0; begin < first.extent; begin += contract_chunk) {
      T chain{0};
      for (std::int64_t k = begin; k < std::min(begin + contract_chunk, first.extent); ++k) {
        e.cells_[first.cell] = static_cast<std::uint64_t>(k);
        e.for_each_point(rest, [&] {
          e.execute(reduction.each);
          chain = scalar::fused_multiply_add(scalar::from_bits<T>(e.cells_[reduction.a]),
                                             scalar::from_bits<T>(e.cells_[reduction.b]), chain);
        });
      }
      total = begin == 0 ? chain : scalar::add(total, chain);
    }
    out(e, i, total);
  }

  template <class T>
  static void reduce(Evaluator& e, const Instruction& i) {
    constexpr int lanes = reduce_lanes(*dtype_of<T>);
    const auto op = static_cast<ReduceOp>(i.op);
    const Evaluator::Reduction& reduction = *e.reductions_[i.at];
    std::array<T, lanes> accumulators;
    accumulators.fill(scalar::neutral<T>(op));
    if (has_points(reduction)) {
      e.execute(reduction.once);
      const Evaluator::Cell last = reduction.loops.back().cell;
      e.for_each_point(reduction.loops, [&] {
        e.execute(reduction.each);
        T& lane = accumulators[e.cells_[last] % lanes];
        lane = scalar::combine(op, lane, scalar::from_bits<T>(e.cells_[reduction.a]));
      });
    }
    for (std::size_t half = lanes / 2; half >= 1; half /= 2) {
      for (std::size_t lane = 0; lane < half; ++lane) {
        accumulators[lane] = scalar::combine(op, accumulators[lane], accumulators[lane + half]);
      }
    }
    out(e, i, accumulators[0]);
  }
};

void Evaluator::add_local(const LocalInfo& local) {
  Extents extents = run_.extents(local.extents);
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(element_count(extents), 0));
  locals_.push_back({local.name, std::move(extents), std::vector<std::uint64_t>(count)});
}

Evaluator::Cell Evaluator::new_cell(std::uint64_t value) {
  cells_.push_back(value);
  return static_cast<Cell>(cells_.size() - 1);
}

Evaluator::Loop Evaluator::loop(AxisId axis) {
  const auto [at, fresh] = axis_cells_.emplace(axis, 0);
  if (fresh) at->second = new_cell();
  return {at->second, run_.number(run_.pool().axis(axis).extent)};
}

std::vector<Evaluator::Loop> Evaluator::loops(std::span<const AxisId> axes) {
  std::vector<Loop> out;
  for (const AxisId axis : axes) out.push_back(loop(axis));
  return out;
}

Evaluator::Cell Evaluator::cell(ExprId expr) {
  if (const auto found = expr_cells_.find(expr); found != expr_cells_.end()) return found->second;
  const ExprNode& node = run_.pool().node(expr);
  Cell cell = 0;
  if (const auto* index = std::get_if<AxisIndex>(&node)) {
    cell = loop(index->axis).cell;
  } else if (const auto* constant = std::get_if<Constant>(&node)) {
    cell = new_cell(constant->bits);
  } else if (const auto* extent = std::get_if<Extent>(&node)) {
    cell = new_cell(static_cast<std::uint64_t>(run_.number(extent->dim)));
  } else {
    cell = new_cell();
  }
  expr_cells_.emplace(expr, cell);
  return cell;
}

Evaluator::Place Evaluator::place(const std::string& array, const Extents& extents, std::span<const ExprId> indices) {
  ensure(indices.size() == extents.size(),
         fmt::format("kernel '{}': {} indices for '{}' of rank {}", kernel_, indices.size(), array, extents.size()));
  const Extents strides = strides_of(extents);
  Place place{{}, array};
  for (std::size_t d = 0; d < indices.size(); ++d) place.indices.push_back({cell(indices[d]), strides[d], extents[d]});
  return place;
}

Evaluator::Place Evaluator::place(TensorId tensor, std::span<const ExprId> indices) {
  return place(run_.program().tensor(tensor).name, run_.extents(tensor), indices);
}

Evaluator::Place Evaluator::place(LocalId local, std::span<const ExprId> indices) {
  const LocalRow& row = locals_.at(static_cast<std::size_t>(local));
  return place(row.name, row.extents, indices);
}

std::int64_t Evaluator::offset(const Place& place) const {
  std::int64_t offset = 0;
  for (const Place::Index& index : place.indices) {
    const auto number = static_cast<std::int64_t>(cells_[index.cell]);
    if (number < 0 || number >= index.extent) {
      ensure(false, fmt::format("kernel '{}': index {} of '{}' is outside an axis of {}", kernel_, number, place.array,
                                index.extent));
    }
    offset += number * index.stride;
  }
  return offset;
}

const std::vector<AxisId>& Evaluator::free_axes(ExprId expr) {
  if (const auto found = free_axes_.find(expr); found != free_axes_.end()) return found->second;
  const ExprNode& node = run_.pool().node(expr);
  std::vector<AxisId> free;
  if (const auto* index = std::get_if<AxisIndex>(&node)) free.push_back(index->axis);
  for (const ExprId operand : run_.pool().operands(expr)) {
    for (const AxisId axis : free_axes(operand)) {
      if (std::find(free.begin(), free.end(), axis) == free.end()) free.push_back(axis);
    }
  }
  if (const auto* reduce = std::get_if<Reduce>(&node)) {
    std::erase_if(free, [&](AxisId axis) {
      return std::find(reduce->axes.begin(), reduce->axes.end(), axis) != reduce->axes.end();
    });
  }
  return free_axes_.emplace(expr, std::move(free)).first->second;
}

// Stops at a Reduce, whose operands are computed in its own loop.
void Evaluator::visit(ExprId expr, std::unordered_map<ExprId, bool>& seen, std::vector<ExprId>& order) const {
  if (!seen.emplace(expr, true).second) return;
  if (!std::holds_alternative<Reduce>(run_.pool().node(expr))) {
    for (const ExprId operand : run_.pool().operands(expr)) visit(operand, seen, order);
  }
  order.push_back(expr);
}

Evaluator::Instructions Evaluator::compile(std::span<const ExprId> roots, std::span<const AxisId> axes) {
  const std::size_t outside = bound_.size();
  bound_.insert(bound_.end(), axes.begin(), axes.end());
  std::unordered_map<ExprId, bool> seen;
  std::vector<ExprId> order;
  for (const ExprId root : roots) visit(root, seen, order);
  Instructions out;
  for (const ExprId expr : order) {
    const Instruction made = instruction(expr);
    if (made.run) out.push_back(made);
  }
  bound_.resize(outside);
  return out;
}

std::size_t Evaluator::reduction(const Reduce& reduce) {
  for (const AxisId axis : reduce.axes) {
    // Its cells would be overwritten while the outer loop still needs them.
    ensure(std::find(bound_.begin(), bound_.end(), axis) == bound_.end(),
           fmt::format("kernel '{}': a reduction over axis '{}' inside a loop over the same axis", kernel_,
                       run_.pool().axis(axis).name));
  }
  auto made = std::make_unique<Reduction>();
  made->loops = loops(reduce.axes);
  if (made->loops.empty()) made->loops.push_back({new_cell(), 1});

  std::unordered_map<ExprId, bool> seen;
  std::vector<ExprId> order;
  visit(reduce.a, seen, order);
  visit(reduce.b, seen, order);
  const auto varies = [&](ExprId expr) {
    const std::vector<AxisId>& free = free_axes(expr);
    return std::find_first_of(free.begin(), free.end(), reduce.axes.begin(), reduce.axes.end()) != free.end();
  };
  // First what stays, outside the loop: it may reduce over the same axes on its own.
  for (const ExprId expr : order) {
    if (varies(expr)) continue;
    if (const Instruction fixed = instruction(expr); fixed.run) made->once.push_back(fixed);
  }
  const std::size_t outside = bound_.size();
  bound_.insert(bound_.end(), reduce.axes.begin(), reduce.axes.end());
  for (const ExprId expr : order) {
    if (!varies(expr)) continue;
    if (const Instruction varying = instruction(expr); varying.run) made->each.push_back(varying);
  }
  bound_.resize(outside);
  made->a = cell(reduce.a);
  made->b = cell(reduce.b);
  reductions_.push_back(std::move(made));
  return reductions_.size() - 1;
}

Evaluator::Instruction Evaluator::instruction(ExprId expr) {
  const Pool& pool = run_.pool();
  const DType dtype = pool.dtype(expr);
  const std::vector<ExprId> operands = pool.operands(expr);
  Instruction out{nullptr, cell(expr), {}, 0, dtype, 0};
  const auto read_operands = [&] {
    for (std::size_t i = 0; i < operands.size(); ++i) out.in[i] = cell(operands[i]);
    out.from = pool.dtype(operands[0]);
  };
  using Function = decltype(out.run);
  struct Visitor {
    Evaluator& self;
    Instruction& out;
    DType dtype;
    const decltype(read_operands)& read;

    void operator()(const Constant&) const {}
    void operator()(const AxisIndex&) const {}
    void operator()(const Extent&) const {}
    void operator()(const Load& e) const {
      out.at = self.loads_.size();
      self.loads_.push_back({self.place(e.tensor, e.indices), self.run_.read(e.tensor), nullptr});
      out.run = dispatch(dtype, []<class T>(T) -> Function { return &Primitives::load<T>; });
    }
    void operator()(const Local& e) const {
      out.at = self.loads_.size();
      self.loads_.push_back({self.place(e.local, e.indices), nullptr, self.local(e.local)});
      out.run = &Primitives::load_local;
    }
    void operator()(const Unary& e) const {
      read();
      out.op = static_cast<int>(e.op);
      out.run = dispatch(dtype, []<class T>(T) -> Function { return &Primitives::unary<T>; });
    }
    void operator()(const Binary& e) const {
      read();
      out.op = static_cast<int>(e.op);
      const bool compares = is_comparison(e.op);
      out.run = dispatch(out.from, [&]<class T>(T) -> Function {
        return compares ? &Primitives::comparison<T> : &Primitives::binary<T>;
      });
    }
    void operator()(const Select&) const {
      read();
      out.run = &Primitives::select;
    }
    void operator()(const Fma&) const {
      read();
      out.run = dispatch(dtype, []<class T>(T) -> Function { return &Primitives::fma<T>; });
    }
    void operator()(const Cast&) const {
      read();
      out.run = dispatch(dtype, []<class T>(T) -> Function { return &Primitives::cast<T>; });
    }
    void operator()(const Bitcast&) const {
      read();
      out.run = &Primitives::copy;
    }
    void operator()(const Lookup& e) const {
      read();
      out.at = self.tables_.size();
      self.tables_.push_back(e.table);
      out.run = &Primitives::lookup;
    }
    void operator()(const Reduce& e) const {
      out.op = static_cast<int>(e.op);
      out.at = self.reduction(e);
      const bool contracts = e.op == ReduceOp::contract;
      out.run = dispatch(
          dtype, [&]<class T>(T) -> Function { return contracts ? &Primitives::contract<T> : &Primitives::reduce<T>; });
    }
    void operator()(const Check& e) const {
      read();
      out.op = static_cast<int>(e.check);
      out.run = &Primitives::check;
    }
  };
  std::visit(Visitor{*this, out, dtype, read_operands}, pool.node(expr));
  return out;
}

}  // namespace lathe::loop
