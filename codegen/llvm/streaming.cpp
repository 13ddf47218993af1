// Kernel functions: asking for memory ahead of time, and storing past the caches.
#include <lathe/codegen/llvm/kernel.h>

#include <algorithm>

#include <llvm/IR/IntrinsicsX86.h>

#include <lathe/codegen/streaming.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

void KernelEmitter::prefetch(ExprId access, llvm::Value* length) {
  const DType dtype = pool().dtype(access);
  llvm::Value* first = untested_element(access);
  loop(number(0), length, cache_line_bytes / static_cast<std::int64_t>(size_of(dtype)),
       [&](llvm::Value* offset) { prefetch(b.CreateInBoundsGEP(module.memory_type(dtype), first, offset)); });
}

/// The first element that `access` reads, to ask for: an index that fails a check is reported where it is used.
llvm::Value* KernelEmitter::untested_element(ExprId access) {
  open_scope();
  tests_ = false;
  llvm::Value* first = first_element(access, accesses_.flat(access));
  tests_ = true;
  close_scope();
  return first;
}

void KernelEmitter::prefetch_ahead(std::span<const ExprId> roots) {
  if (streamed_.empty() || space_.mask) return;
  constexpr std::int64_t bytes_ahead = 8192;  // past the end of a page, where the hardware's prefetchers stop
  for (const ExprId load : loads_of(pool(), roots)) {
    if (accesses_.step(load, *space_.column) != Dim(1) || accesses_.facts(load).reads_stored) continue;
    for (column_ = 0; column_ < space_.vectors; ++column_) {
      prefetch(b.CreateGEP(b.getInt8Ty(), place(load).pointer, number(bytes_ahead)));
    }
    column_ = 0;
  }
}

void KernelEmitter::prefetch(llvm::Value* at) {
  constexpr std::uint32_t read = 0;
  constexpr std::uint32_t keep = 3;
  constexpr std::uint32_t data = 1;
  b.CreateIntrinsic(llvm::Intrinsic::prefetch, {module.pointer_type()},
                    {at, b.getInt32(read), b.getInt32(keep), b.getInt32(data)});
}

/// Whether vectors of `width` elements along `column` that `yield` stores are lines that may go past the caches.
bool KernelEmitter::streams(const Yield& yield, AxisId column, int width) const {
  const auto* to = std::get_if<ToTensor>(&yield.destination);
  if (!to || space_.mask || accesses_.step(accesses_.target(yield), column) != Dim(1)) return false;
  const auto element_bytes = static_cast<std::int64_t>(size_of(accesses_.program().pool->dtype(yield.value)));
  const bool known = std::find(streamed_.begin(), streamed_.end(), to->tensor) != streamed_.end();
  return known && width * element_bytes == cache_line_bytes;
}

/// Stores whole lines, past the caches if there are many of them.
void KernelEmitter::store_lines(const Yield& yield, const Carried& pointers, const Carried& values) {
  const ExprId access = accesses_.target(yield);
  Carried wide;
  for (llvm::Value* value : values) wide.push_back(value->getType()->isVectorTy() ? value : splat(value));
  const auto store_all = [&](std::int64_t alignment, llvm::MDNode* nontemporal) {
    const llvm::Align align(static_cast<std::uint64_t>(alignment));
    for (std::size_t i = 0; i < wide.size(); ++i) {
      llvm::Instruction* stored = b.CreateAlignedStore(wide[i], pointers[i], align);
      stored->setMetadata(llvm::LLVMContext::MD_nontemporal, nontemporal);
      annotate(stored, access);
    }
  };
  auto* one = llvm::ConstantAsMetadata::get(b.getInt32(1));
  branch(
      goes_past_caches(std::get<ToTensor>(yield.destination).tensor),
      [&] { store_all(cache_line_bytes, llvm::MDNode::get(module.context, {one})); },
      [&] { store_all(static_cast<std::int64_t>(size_of(pool().dtype(access))), nullptr); });
}

/// Whether this run's tensor is large, and lines of it are lines of memory.
llvm::Value* KernelEmitter::goes_past_caches(TensorId id) {
  auto [at, fresh] = past_caches_.emplace(id, nullptr);
  if (fresh) {
    llvm::Value* base = tensor(id);
    at->second = in_entry([&] {
      const TensorType& type = module.program.tensor(id).type;
      llvm::Value* bytes = dim(bytes_of(type));
      llvm::Value* low = b.CreateAnd(b.CreatePtrToInt(base, b.getInt64Ty()), number(cache_line_bytes - 1));
      return b.CreateAnd(b.CreateICmpSGE(bytes, number(streamed_bytes)), b.CreateICmpEQ(low, number(0)));
    });
  }
  return at->second;
}

/// What went past the caches must be there before another thread is told that it is.
void KernelEmitter::fence() {
  if (!module.target.is_x86()) return;
  for (const auto& [tensor, condition] : past_caches_) {
    when(condition, {}, [&] {
      b.CreateIntrinsic(llvm::Intrinsic::x86_sse_sfence, {}, {});
      return Carried{};
    });
  }
}

}  // namespace lathe::emit
