// Kernel functions: scopes, axes, points and what is remembered of them.
#include <lathe/codegen/llvm/kernel.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include <llvm/IR/MDBuilder.h>

#include <lathe/codegen/memory_plan.h>
#include <lathe/graph/error.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

std::size_t KernelEmitter::KeyHash::operator()(const Key& key) const {
  const auto point = static_cast<std::size_t>((key.row + 1) * 64 + (key.column + 1) * 4 + static_cast<int>(key.form));
  return (static_cast<std::size_t>(key.id) * 0x9e3779b97f4a7c15U) ^ (point * 0xc2b2ae3d27d4eb4fU);
}

KernelEmitter::KernelEmitter(ModuleEmitter& module_, llvm::Function* function_, Accesses& accesses,
                             std::span<const LocalInfo> locals, std::span<const Stage> stages)
    : FunctionEmitter(module_, function_),
      accesses_(accesses),
      arithmetic_(b, module_),
      locals_(locals.begin(), locals.end()),
      scopes_(1) {
  scratch_row_ = number(0);
  find_buffers(stages);
  find_coefficients(stages);
}

// Tensors in one place are one buffer; different places of the arena that one kernel uses do not overlap.
void KernelEmitter::find_buffers(std::span<const Stage> stages) {
  std::vector<ExprId> roots;
  for (const Stage& stage : stages) {
    for (const Yield& yield : stage.yields) {
      roots.push_back(yield.value);
      roots.push_back(accesses_.target(yield));
    }
  }
  std::vector<TensorId> tensors;
  for (const ExprId id : post_order(pool(), roots)) {
    const auto* load = std::get_if<Load>(&pool().node(id));
    if (load && std::find(tensors.begin(), tensors.end(), load->tensor) == tensors.end())
      tensors.push_back(load->tensor);
  }
  llvm::MDBuilder metadata(module.context);
  llvm::MDNode* domain = metadata.createAnonymousAliasScopeDomain(function->getName());
  std::vector<std::pair<TensorId, llvm::MDNode*>> scopes;
  for (const TensorId tensor : tensors) {
    const auto shared = std::find_if(scopes.begin(), scopes.end(), [&](const auto& scope) {
      return share_memory(module.program.tensor(scope.first), module.program.tensor(tensor));
    });
    llvm::MDNode* scope = shared != scopes.end()
                              ? shared->second
                              : metadata.createAnonymousAliasScope(domain, module.program.tensor(tensor).name);
    scopes.emplace_back(tensor, scope);
  }
  for (const auto& [tensor, scope] : scopes) {
    llvm::SmallVector<llvm::Metadata*> others;
    for (const auto& [other, other_scope] : scopes) {
      if (other_scope != scope && std::find(others.begin(), others.end(), other_scope) == others.end()) {
        others.push_back(other_scope);
      }
    }
    buffers_[tensor] = {llvm::MDNode::get(module.context, {scope}), llvm::MDNode::get(module.context, others)};
  }
}

// LLVM hoists every constant out of a loop, and where that takes all registers moves them around among themselves at
// each turn. So coefficients of polynomials beyond the first few are read from memory by what uses them, which takes no
// longer. Machines with few registers are left alone: there LLVM does so by itself.
void KernelEmitter::find_coefficients(std::span<const Stage> stages) {
  const auto registers = static_cast<std::size_t>(module.target.machine.vector_registers);
  if (registers < 32) return;
  constexpr std::size_t in_registers = 12;
  std::size_t constants = 0;
  std::unordered_set<ExprId> first;
  std::unordered_set<ExprId> rest;
  for (const ExprId id : usual_order(pool(), values_of(stages))) {
    const ExprNode& node = pool().node(id);
    if (std::holds_alternative<Constant>(node) && is_float(pool().dtype(id))) ++constants;
    const auto* fma = std::get_if<Fma>(&node);
    if (!fma) continue;
    for (const ExprId operand : {fma->a, fma->b, fma->c}) {
      if (!std::holds_alternative<Constant>(pool().node(operand)) || first.contains(operand)) continue;
      (first.size() < in_registers ? first : rest).insert(operand);
    }
  }
  if (constants > registers / 2) coefficients_ = std::move(rest);
}

/// A vector for `id` from memory that a store might write to, for all that LLVM knows.
llvm::Value* KernelEmitter::from_memory(ExprId id, llvm::Constant* vector) {
  llvm::GlobalVariable*& memory = coefficient_memory_[{id, space_.width}];
  if (!memory) {
    memory = new llvm::GlobalVariable(module.module, vector->getType(), false, llvm::GlobalValue::PrivateLinkage,
                                      vector, "coefficient");
    // Which it does not: programs have this section closed to writing before they start.
    if (module.standalone) memory->setSection(coefficient_section);
  }
  return b.CreateLoad(vector->getType(), memory);
}

llvm::Value* KernelEmitter::lookup(ExprId id) {
  const Lookup& e = std::get<Lookup>(pool().node(id));
  const auto numbers = std::bit_cast<std::array<float, 16>>(e.table);
  llvm::Constant* table = llvm::ConstantDataVector::get(module.context, llvm::ArrayRef<float>(numbers));
  llvm::Value* index = value(e.index);
  // Many registers would rather hold numbers than tables, which a shuffle can take from memory.
  const bool read = index->getType()->isVectorTy() && module.target.machine.vector_registers >= 32;
  return arithmetic_.lookup(read ? from_memory(id, table) : table, index);
}

llvm::Instruction* KernelEmitter::annotate(llvm::Instruction* instruction, ExprId access) {
  const auto* load = std::get_if<Load>(&pool().node(access));
  if (!load) return instruction;
  const auto found = buffers_.find(load->tensor);
  if (found == buffers_.end()) return instruction;
  instruction->setMetadata(llvm::LLVMContext::MD_alias_scope, found->second.first);
  instruction->setMetadata(llvm::LLVMContext::MD_noalias, found->second.second);
  return instruction;
}

/// The place in the frame of what it `holds`.
llvm::Value* KernelEmitter::slot(const FrameSlot& holds) {
  auto at = std::find(frame_.begin(), frame_.end(), holds);
  if (at == frame_.end()) at = frame_.insert(frame_.end(), holds);
  const auto index = static_cast<unsigned>(at - frame_.begin());
  return b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), function->getArg(0), index);
}

llvm::Value* KernelEmitter::symbol(std::size_t index) {
  llvm::LoadInst* loaded = b.CreateLoad(b.getInt64Ty(), slot({FrameSlot::Kind::symbol, index}),
                                        std::string(name_of(module.program.symbols[index])));
  loaded->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(module.context, {}));
  return loaded;
}

llvm::Value* KernelEmitter::alone() {
  return in_entry(
      [&] { return b.CreateIsNotNull(b.CreateLoad(b.getInt64Ty(), slot({FrameSlot::Kind::alone}), "alone")); });
}

llvm::Value* KernelEmitter::tensor(TensorId id) {
  auto [at, fresh] = tensors_.emplace(id, nullptr);
  if (fresh) {
    at->second = in_entry([&] {
      const FrameSlot holds{FrameSlot::Kind::tensor, static_cast<std::size_t>(id)};
      llvm::LoadInst* loaded = b.CreateLoad(module.pointer_type(), slot(holds), module.program.tensor(id).name);
      loaded->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(module.context, {}));
      return loaded;
    });
  }
  return at->second;
}

void KernelEmitter::finish() {
  fence();
  // A library's kernels run on threads of the host's, which have modes of their own.
  if (module.standalone) {
    finish_in_own_mode();
  } else {
    finish_with_return();
  }
}

void KernelEmitter::bind(AxisId axis, llvm::Value* index) {
  axes_[axis] = index;
  depths_[axis] = ++bound_;
}

void KernelEmitter::within(const Space& space, llvm::function_ref<void()> make) {
  const Space outer = space_;
  const int row = row_;
  const int column = column_;
  space_ = space;
  row_ = column_ = 0;
  open_scope();
  make();
  close_scope();
  space_ = outer;
  row_ = row;
  column_ = column;
}

void KernelEmitter::elsewhere(const Space& space, llvm::function_ref<void()> make) {
  const auto axes = axes_;
  const auto depths = depths_;
  auto known = std::exchange(scopes_, decltype(scopes_)(1));
  within(space, make);
  scopes_ = std::move(known);
  axes_ = axes;
  depths_ = depths;
}

void KernelEmitter::place_local(LocalId local, const std::optional<Rows>& rows) {
  const LocalInfo& info = locals_.at(static_cast<std::size_t>(local));
  const std::int64_t elements = element_count(info.extents).constant();
  // Whole lines, and whole vectors: see covers_row().
  const std::int64_t line =
      std::max<std::int64_t>(64 / static_cast<std::int64_t>(size_of(info.dtype)), reduce_lanes(f32));
  std::int64_t step = 1;
  std::int64_t row_step = info.extents.empty() ? 1 : (elements + line - 1) / line * line;
  std::int64_t all = row_step * (rows ? rows->count : 1);
  if (rows && rows->across) {
    step = rows->count;
    row_step = 1;
    all = elements * step;
  }
  llvm::AllocaInst* memory =
      stack_array(module.memory_type(info.dtype), static_cast<std::uint64_t>(all), info.name.c_str());
  rows_[local] = {memory, step, row_step, rows ? std::optional(rows->axis) : std::nullopt};
}

KernelEmitter::Key KernelEmitter::key(ExprId id, Form form) {
  const bool in_scratch = !rows_.empty() && accesses_.facts(id).reads_local;
  const bool by_row = space_.row && space_.rows > 1 && (in_scratch || accesses_.varies(id, *space_.row));
  return {id, by_row ? row_ : -1, varies(id) ? column_ : -1, form};
}

llvm::Value* KernelEmitter::known(const Key& key) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (const auto found = scope->find(key); found != scope->end()) return found->second.value;
  }
  return nullptr;
}

void KernelEmitter::remember(const Key& key, llvm::Value* value, bool stale_after_store) {
  scopes_.back()[key] = {value, stale_after_store};
}

void KernelEmitter::forget_stored() {
  for (auto& scope : scopes_) {
    std::erase_if(scope, [](const auto& entry) { return entry.second.stale_after_store; });
  }
}

bool KernelEmitter::is_fixed(ExprId id) {
  const Accesses::Facts& facts = accesses_.facts(id);
  return facts.axes.empty() && facts.always_safe && !facts.reads_stored;
}

llvm::Value* KernelEmitter::splat(llvm::Value* scalar) {
  return b.CreateVectorSplat(static_cast<unsigned>(space_.width), scalar);
}

llvm::Value* KernelEmitter::vector(ExprId id) {
  llvm::Value* made = value(id);
  if (!space_.column || made->getType()->isVectorTy()) return made;
  if (llvm::isa<llvm::Constant>(made)) {
    llvm::Value* wide = splat(made);
    return coefficients_.contains(id) ? from_memory(id, llvm::cast<llvm::Constant>(wide)) : wide;
  }
  const Key splat_key = key(id, Form::splat);
  if (llvm::Value* found = known(splat_key)) return found;
  llvm::Value* wide = splat(made);
  remember(splat_key, wide, accesses_.facts(id).reads_stored);
  return wide;
}

void KernelEmitter::assign(const Yield& yield, llvm::Value* value) {
  const auto* to = std::get_if<ToLocal>(&yield.destination);
  if (to && !rows_.contains(to->local)) {
    set_register(to->local, row_, column_, value);
    return;
  }
  store(accesses_.target(yield), value);
}

}  // namespace lathe::emit
