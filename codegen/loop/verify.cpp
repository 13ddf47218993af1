#include <lathe/codegen/loop/verify.h>

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe::loop {
namespace {

bool is_comparison(BinaryOp op) {
  return op == BinaryOp::eq || op == BinaryOp::ne || op == BinaryOp::lt || op == BinaryOp::le || op == BinaryOp::gt ||
         op == BinaryOp::ge;
}

bool is_bitwise(BinaryOp op) {
  return op == BinaryOp::bit_and || op == BinaryOp::bit_or || op == BinaryOp::bit_xor;
}

class Verifier {
 public:
  explicit Verifier(const Program& program) : program_(program), pool_(*program.pool) {}

  void run() {
    check_tables();
    for (std::size_t i = 0; i < program_.steps.size(); ++i) {
      std::visit([&](const auto& step) { check_step(step, i); }, program_.steps[i]);
    }
  }

 private:
  void demand(bool condition, std::string_view why) const {
    if (!condition) ensure(false, fmt::format("{}: {}", place_, why));
  }

  const ProgramTensor& tensor(TensorId id) const {
    demand(static_cast<std::size_t>(id) < program_.tensors.size(), "a tensor that the program does not have");
    return program_.tensor(id);
  }

  // Slots lead to tensors of their role and back; constants and the arena have what they need.
  void check_tables() {
    place_ = "tensors";
    const auto check_slots = [&](const std::vector<TensorId>& slots, Role role) {
      for (std::size_t i = 0; i < slots.size(); ++i) {
        const ProgramTensor& held = tensor(slots[i]);
        demand(held.role == role && held.slot == i, fmt::format("'{}' is not in its slot", held.name));
      }
    };
    check_slots(program_.inputs, Role::input);
    check_slots(program_.outputs, Role::output);
    check_slots(program_.variables, Role::variable);
    check_symbols(program_.arena_bytes);
    for (const ProgramTensor& held : program_.tensors) {
      if (held.role == Role::dissolved) continue;
      for (const Dim& extent : held.type.shape) check_symbols(extent);
      if (held.role == Role::constant) {
        demand(held.constant && held.constant->type() == held.type,
               fmt::format("constant '{}' has no value of its type", held.name));
      }
      if (held.role == Role::arena) check_symbols(held.arena_offset_bytes);
    }
  }

  void check_symbols(const Dim& dim) const {
    demand(!dim.is_unknown(), "an extent that is not known");
    std::vector<SymbolId> used;
    dim.collect(used);
    for (const SymbolId symbol : used) {
      demand(std::find(program_.symbols.begin(), program_.symbols.end(), symbol) != program_.symbols.end(),
             fmt::format("symbol '{}' is not one of the program's", name_of(symbol)));
    }
  }

  void check_step(const Kernel& kernel, std::size_t number) {
    place_ = fmt::format("kernel {} '{}'", number, kernel.name);
    kernel_ = &kernel;
    written_.assign(kernel.locals.size(), false);
    for (const LocalInfo& local : kernel.locals) {
      for (const Dim& extent : local.extents) check_symbols(extent);
    }
    axes_.clear();
    for (const AxisId axis : kernel.outer) enter(axis);
    const std::string kernel_place = place_;
    for (std::size_t i = 0; i < kernel.stages.size(); ++i) {
      place_ = fmt::format("{}, stage {}", kernel_place, i);
      check_stage(kernel.stages[i]);
    }
    kernel_ = nullptr;
  }

  void check_step(const ScatterKernel& kernel, std::size_t number) {
    place_ = fmt::format("scatter {} '{}'", number, kernel.name);
    axes_.clear();
    for (const AxisId axis : kernel.axes) enter(axis);
    check_readable(kernel.base);
    check_writable(kernel.out);
    demand(tensor(kernel.base).type == tensor(kernel.out).type, "the base and the result differ in type");
    check_indices(kernel.target, tensor(kernel.out).type.shape.size(), tensor(kernel.out).name);
    check_expr(kernel.value);
    demand(pool_.dtype(kernel.value) == tensor(kernel.out).type.dtype, "the value added has another dtype");
  }

  void check_step(const HostStep& step, std::size_t number) {
    place_ = fmt::format("host step {}", number);
    check_readable(step.tensor);
  }

  void check_step(const CommitStep& step, std::size_t number) {
    place_ = fmt::format("commit {}", number);
    check_readable(step.from);
    demand(tensor(step.variable).role == Role::variable, "what is committed to is not a variable");
    demand(tensor(step.from).type == tensor(step.variable).type, "the new value has another type than the variable");
  }

  void enter(AxisId axis) {
    check_symbols(pool_.axis(axis).extent);
    demand(axes_.insert(axis).second, fmt::format("axis '{}' is defined twice", pool_.axis(axis).name));
  }

  void check_stage(const Stage& stage) {
    const std::set<AxisId> outside = axes_;
    for (const AxisId axis : stage.inner) enter(axis);
    for (const Yield& yield : stage.yields) check_yield(yield, stage);
    // Only now: a stage reads its locals before it writes them.
    for (const Yield& yield : stage.yields) {
      if (const auto* to = std::get_if<ToLocal>(&yield.destination))
        written_[static_cast<std::size_t>(to->local)] = true;
    }
    axes_ = outside;
  }

  void check_yield(const Yield& yield, const Stage& stage) {
    const DType dtype = pool_.dtype(yield.value);
    if (const auto* to = std::get_if<ToLocal>(&yield.destination)) {
      const LocalInfo& info = local(to->local);
      demand(info.dtype == dtype,
             fmt::format("local '{}' takes {}, not {}", info.name, to_string(info.dtype), to_string(dtype)));
      check_indices(to->indices, info.extents.size(), info.name);
    } else {
      const auto& store = std::get<ToTensor>(yield.destination);
      check_writable(store.tensor);
      const ProgramTensor& target = tensor(store.tensor);
      demand(target.type.dtype == dtype,
             fmt::format("'{}' takes {}, not {}", target.name, to_string(target.type.dtype), to_string(dtype)));
      check_indices(store.indices, target.type.rank(), target.name);
    }
    const auto* reduce = std::get_if<Reduce>(&pool_.node(yield.value));
    if (!reduce) return check_expr(yield.value);
    demand(stage.yields.size() == 1, "a reduction shares its stage");
    demand(reduce->op != ReduceOp::any && reduce->op != ReduceOp::all ? dtype != boolean : dtype == boolean,
           "a reduction does not take this dtype");
    demand(pool_.dtype(reduce->a) == dtype && pool_.dtype(reduce->b) == dtype,
           "a reduction's operands differ in dtype");
    const std::set<AxisId> outside = axes_;
    for (const AxisId axis : reduce->axes) enter(axis);
    check_expr(reduce->a);
    check_expr(reduce->b);
    axes_ = outside;
  }

  void check_indices(std::span<const ExprId> indices, std::size_t rank, std::string_view array) {
    demand(indices.size() == rank, fmt::format("{} indices for '{}' of rank {}", indices.size(), array, rank));
    for (const ExprId index : indices) {
      demand(pool_.dtype(index) == i64, fmt::format("an index of '{}' is not i64", array));
      check_expr(index);
    }
  }

  const LocalInfo& local(LocalId id) const {
    demand(kernel_ && static_cast<std::size_t>(id) < kernel_->locals.size(), "a local that the kernel does not have");
    return kernel_->locals[static_cast<std::size_t>(id)];
  }

  void check_readable(TensorId id) const {
    demand(tensor(id).role != Role::dissolved, fmt::format("'{}' was fused away, yet it is read", tensor(id).name));
  }

  void check_writable(TensorId id) const {
    const Role role = tensor(id).role;
    demand(role == Role::output || role == Role::variable || role == Role::arena,
           fmt::format("'{}' is not in writable memory", tensor(id).name));
  }

  void check_expr(ExprId root) {
    const ExprId roots[] = {root};
    const std::vector<ExprId> order = post_order(pool_, roots);
    // First, as what is below a misplaced reduction uses axes that have no value here.
    for (const ExprId id : order) {
      demand(!std::holds_alternative<Reduce>(pool_.node(id)), "a reduction stands inside an expression");
    }
    for (const ExprId id : order) {
      std::visit([&](const auto& node) { check_node(node, pool_.dtype(id)); }, pool_.node(id));
    }
  }

  void check_node(const Constant& e, DType dtype) const { demand(e.dtype == dtype, "a constant of another dtype"); }
  void check_node(const AxisIndex& e, DType) const {
    demand(axes_.contains(e.axis), fmt::format("axis '{}' is used where it has no value", pool_.axis(e.axis).name));
  }
  void check_node(const Extent& e, DType) const { check_symbols(e.dim); }
  void check_node(const Load& e, DType dtype) const {
    check_readable(e.tensor);
    const ProgramTensor& source = tensor(e.tensor);
    demand(source.type.dtype == dtype, fmt::format("'{}' is loaded as {}", source.name, to_string(dtype)));
    check_index_types(e.indices, source.type.rank(), source.name);
  }
  void check_node(const Local& e, DType dtype) const {
    const LocalInfo& info = local(e.local);
    demand(info.dtype == dtype, fmt::format("local '{}' is read as {}", info.name, to_string(dtype)));
    demand(written_[static_cast<std::size_t>(e.local)],
           fmt::format("local '{}' is read before it is written", info.name));
    check_index_types(e.indices, info.extents.size(), info.name);
  }
  void check_index_types(const std::vector<ExprId>& indices, std::size_t rank, std::string_view array) const {
    demand(indices.size() == rank, fmt::format("{} indices for '{}' of rank {}", indices.size(), array, rank));
    for (const ExprId index : indices) {
      demand(pool_.dtype(index) == i64, fmt::format("an index of '{}' is not i64", array));
    }
  }
  void check_node(const Unary& e, DType dtype) const {
    demand(pool_.dtype(e.a) == dtype, "a unary operator changes the dtype");
    const bool fits = e.op == UnaryOp::bit_not ? !is_float(dtype) : dtype != boolean;
    demand(fits && (e.op != UnaryOp::sqrt || is_float(dtype)), "a unary operator does not take this dtype");
  }
  void check_node(const Binary& e, DType dtype) const {
    const DType operands = pool_.dtype(e.a);
    demand(operands == pool_.dtype(e.b), "a binary operator's operands differ in dtype");
    if (is_comparison(e.op)) return demand(dtype == boolean, "a comparison that is not bool");
    demand(operands == dtype, "a binary operator changes the dtype");
    if (is_bitwise(e.op)) return demand(!is_float(dtype), "bits are combined in a float");
    const bool shifts = e.op == BinaryOp::shift_left || e.op == BinaryOp::shift_right;
    demand(shifts ? is_integer(dtype) : dtype != boolean, "a binary operator does not take this dtype");
  }
  void check_node(const Select& e, DType dtype) const {
    demand(pool_.dtype(e.condition) == boolean, "a select's condition is not bool");
    demand(pool_.dtype(e.a) == dtype && pool_.dtype(e.b) == dtype, "a select's arms differ in dtype");
  }
  void check_node(const Fma& e, DType dtype) const {
    demand(is_float(dtype) && pool_.dtype(e.a) == dtype && pool_.dtype(e.b) == dtype && pool_.dtype(e.c) == dtype,
           "an fma's operands do not fit");
  }
  void check_node(const Cast& e, DType dtype) const { demand(e.to == dtype, "a cast to another dtype"); }
  void check_node(const Bitcast& e, DType dtype) const {
    demand(e.to == dtype && size_of(pool_.dtype(e.a)) == size_of(dtype), "a bitcast between different sizes");
  }
  void check_node(const Lookup& e, DType dtype) const {
    demand(dtype == f32 && pool_.dtype(e.index) == i32, "a lookup's index is not i32, or its number not f32");
  }
  void check_node(const Reduce&, DType) const {}  // see check_expr
  void check_node(const Check& e, DType dtype) const {
    demand(static_cast<std::size_t>(e.check) < pool_.checks().size(), "a check without its message");
    demand(pool_.dtype(e.condition) == boolean && pool_.dtype(e.value) == dtype && pool_.dtype(e.index) == i64 &&
               pool_.dtype(e.detail) == i64,
           "a check's operands do not fit");
  }

  const Program& program_;
  const Pool& pool_;
  std::string place_;
  const Kernel* kernel_ = nullptr;
  std::set<AxisId> axes_;      // that have a value here
  std::vector<bool> written_;  // by LocalId
};

}  // namespace

void verify(const Program& program) {
  Verifier(program).run();
}

}  // namespace lathe::loop
