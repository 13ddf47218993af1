// Kernel functions: scopes, axes, points and what is remembered of them.
#include <lathe/codegen/llvm/kernel.h>

#include <algorithm>

#include <llvm/IR/MDBuilder.h>

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
  const auto same_place = [&](TensorId x, TensorId y) {
    const ProgramTensor& p = module.program.tensor(x);
    const ProgramTensor& q = module.program.tensor(y);
    return p.role == Role::arena && q.role == Role::arena && p.arena_offset_bytes == q.arena_offset_bytes;
  };
  std::vector<std::pair<TensorId, llvm::MDNode*>> scopes;
  for (const TensorId tensor : tensors) {
    const auto shared =
        std::find_if(scopes.begin(), scopes.end(), [&](const auto& s) { return same_place(s.first, tensor); });
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
  std::vector<ExprId> roots;
  for (const Stage& stage : stages) {
    for (const Yield& yield : stage.yields) roots.push_back(yield.value);
  }
  constexpr std::size_t in_registers = 12;
  std::size_t constants = 0;
  std::unordered_set<ExprId> first;
  std::unordered_set<ExprId> rest;
  for (const ExprId id : post_order(pool(), roots)) {
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

/// A constant as a vector, from memory that a store might write to, for all that LLVM knows.
llvm::Value* KernelEmitter::coefficient(ExprId id, llvm::Constant* value) {
  auto* wide = llvm::cast<llvm::Constant>(splat(value));
  llvm::GlobalVariable*& memory = coefficient_memory_[{id, space_.width}];
  if (!memory) {
    memory = new llvm::GlobalVariable(module.module, wide->getType(), false, llvm::GlobalValue::InternalLinkage, wide,
                                      "coefficient");
    // Which it does not: programs have this section closed to writing before they start.
    if (module.standalone) memory->setSection(".data.rel.ro.lathe");
  }
  return b.CreateLoad(wide->getType(), memory);
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

llvm::Value* KernelEmitter::symbol(std::size_t index) {
  llvm::Value* slot = b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), function->getArg(0), module.symbol_slot(index));
  llvm::LoadInst* loaded = b.CreateLoad(b.getInt64Ty(), slot, std::string(name_of(module.program.symbols[index])));
  loaded->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(module.context, {}));
  return loaded;
}

llvm::Value* KernelEmitter::alone() {
  return in_entry([&] {
    llvm::Value* slot = b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), function->getArg(0), module.alone_slot());
    return b.CreateIsNotNull(b.CreateLoad(b.getInt64Ty(), slot, "alone"));
  });
}

llvm::Value* KernelEmitter::tensor(TensorId id) {
  auto [at, fresh] = tensors_.emplace(id, nullptr);
  if (fresh) {
    at->second = in_entry([&] {
      llvm::Value* slot = b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), function->getArg(0), module.tensor_slot(id));
      llvm::LoadInst* loaded = b.CreateLoad(module.pointer_type(), slot, module.program.tensor(id).name);
      loaded->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(module.context, {}));
      return loaded;
    });
  }
  return at->second;
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

void KernelEmitter::place_local(LocalId local, std::int64_t rows) {
  const LocalInfo& info = locals_.at(static_cast<std::size_t>(local));
  const std::int64_t elements = element_count(info.extents).constant();
  // Whole lines, and whole vectors: see covers_row().
  const std::int64_t line =
      std::max<std::int64_t>(64 / static_cast<std::int64_t>(size_of(info.dtype)), reduce_lanes(f32));
  const std::int64_t row_elements = info.extents.empty() ? 1 : (elements + line - 1) / line * line;
  rows_[local] = {
      stack_array(module.memory_type(info.dtype), static_cast<std::uint64_t>(row_elements * rows), info.name.c_str()),
      row_elements, rows > 1};
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
  if (auto* constant = llvm::dyn_cast<llvm::Constant>(made)) {
    return coefficients_.contains(id) ? coefficient(id, constant) : splat(made);
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

void KernelEmitter::evaluate(std::span<const Stage> stages) {
  for (row_ = 0; row_ < space_.rows; ++row_) {
    for (column_ = 0; column_ < space_.vectors; ++column_) {
      for (const Stage& stage : stages) {
        llvm::SmallVector<llvm::Value*> values;
        for (const Yield& yield : stage.yields) values.push_back(value(yield.value));
        for (std::size_t i = 0; i < values.size(); ++i) assign(stage.yields[i], values[i]);
        forget_stored();
      }
    }
  }
  row_ = column_ = 0;
}

Carried KernelEmitter::nest(std::span<const AxisId> axes, llvm::ArrayRef<llvm::Value*> initial, NestBody body) {
  if (axes.empty()) return body(initial);
  return loop(number(0), extent(axes.front()), 1, initial,
              [&](llvm::Value* index, llvm::ArrayRef<llvm::Value*> carried) {
                bind(axes.front(), index);
                return nest(axes.subspan(1), carried, body);
              });
}

void KernelEmitter::nest(std::span<const AxisId> axes, llvm::function_ref<void()> body) {
  nest(axes, {}, [&](llvm::ArrayRef<llvm::Value*>) {
    body();
    return Carried{};
  });
}

Carried KernelEmitter::vectors(AxisId axis, llvm::Value* begin, llvm::Value* length, int width,
                               llvm::ArrayRef<llvm::Value*> initial, NestBody body) {
  Space space = space_;
  space.column = axis;
  space.width = width;
  space.vectors = 1;
  const int row = row_;
  const auto part = [&](llvm::Value* index, llvm::Value* mask, llvm::ArrayRef<llvm::Value*> carried) {
    Carried out;
    space.mask = mask;
    within(space, [&] {
      row_ = row;
      bind(axis, index);
      out = body(carried);
    });
    return out;
  };
  llvm::Value* whole = b.CreateAnd(length, number(-std::int64_t{width}));
  llvm::Value* middle = b.CreateNSWAdd(begin, whole);
  // With a length that is known the loop is, wherever it begins.
  Carried carried =
      loop(number(0), whole, width, initial, [&](llvm::Value* index, llvm::ArrayRef<llvm::Value*> values) {
        return part(b.CreateNSWAdd(begin, index), nullptr, values);
      });
  llvm::Value* rest = b.CreateSub(length, whole);
  return when(b.CreateICmpNE(rest, number(0)), carried, [&] {
    llvm::SmallVector<llvm::Constant*> lanes;
    for (int lane = 0; lane < width; ++lane) lanes.push_back(b.getInt32(static_cast<unsigned>(lane)));
    llvm::Value* count = b.CreateTrunc(rest, b.getInt32Ty());
    llvm::Value* mask =
        b.CreateICmpULT(llvm::ConstantVector::get(lanes), b.CreateVectorSplat(static_cast<unsigned>(width), count));
    return part(middle, mask, carried);
  });
}

void KernelEmitter::vectors(AxisId axis, llvm::Value* begin, llvm::Value* length, int width,
                            llvm::function_ref<void()> body) {
  vectors(axis, begin, length, width, {}, [&](llvm::ArrayRef<llvm::Value*>) {
    body();
    return Carried{};
  });
}

void KernelEmitter::cover(AxisId column, llvm::Value* begin, llvm::Value* length, int width, int most_vectors,
                          llvm::function_ref<void()> body) {
  const auto tile = [&](llvm::Value* index, int vectors) {
    Space space = space_;
    space.column = column;
    space.width = width;
    space.vectors = vectors;
    within(space, [&] {
      bind(column, index);
      body();
    });
  };
  llvm::Value* done = number(0);
  if (most_vectors > 1) {
    llvm::ConstantInt* step = number(std::int64_t{most_vectors} * width);
    done = b.CreateNSWMul(b.CreateUDiv(length, step), step);
    loop(number(0), done, step->getSExtValue(),
         [&](llvm::Value* index) { tile(b.CreateNSWAdd(begin, index), most_vectors); });
    llvm::Value* rest = b.CreateNSWSub(length, done);
    if (const auto* known = llvm::dyn_cast<llvm::ConstantInt>(rest); known && known->getSExtValue() >= 2 * width) {
      const auto vectors = static_cast<int>(known->getSExtValue() / width);
      tile(b.CreateNSWAdd(begin, done), vectors);
      done = b.CreateNSWAdd(done, number(std::int64_t{vectors} * width));
    }
  }
  this->vectors(column, b.CreateNSWAdd(begin, done), b.CreateNSWSub(length, done), width, body);
}

}  // namespace lathe::emit
