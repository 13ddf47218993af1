#include <lathe/codegen/llvm/strips.h>

#include <algorithm>

#include <lathe/codegen/llvm/function.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

constexpr std::size_t slots_of_run = 2;
constexpr std::size_t slots_before_frame = 2;

class StripEmitter : public FunctionEmitter {
 public:
  StripEmitter(ModuleEmitter& module, llvm::Function* function, const StripRun& run,
               const std::vector<StripKernel>& kernels)
      : FunctionEmitter(module, function), run_(run), kernels_(kernels) {}

  void emit() {
    llvm::Value* points = load(0);
    llvm::Value* places = b.CreateIntToPtr(load(1), module.pointer_type());
    find_frames();
    llvm::Value* place = take_place(places);
    llvm::Value* first_there = b.CreateNSWMul(place, number(run_.points));
    loop(function->getArg(1), function->getArg(2), 1, [&](llvm::Value* strip) {
      llvm::Value* first = b.CreateNSWMul(strip, number(run_.points));
      llvm::Value* end = smaller(b.CreateNSWAdd(first, number(run_.points)), points);
      for (std::size_t i = 0; i < kernels_.size(); ++i) {
        move_private(i, b.CreateNSWSub(first, first_there));
        const PointItems& items = kernels_[i].items;
        llvm::Value* all = items_of(items, points, frames_[i].after);
        llvm::Value* begin_items = items_of(items, first, frames_[i].after);
        llvm::Value* end_items = items_of(items, end, frames_[i].after);
        loop(number(0), frames_[i].before, 1, [&](llvm::Value* before) {
          llvm::Value* start = b.CreateNSWMul(before, all);
          b.CreateCall(kernels_[i].chunk,
                       {frames_[i].own, b.CreateNSWAdd(start, begin_items), b.CreateNSWAdd(start, end_items)});
        });
      }
    });
    b.CreateAtomicRMW(llvm::AtomicRMWInst::And, places, b.CreateNot(bit_of(place)), llvm::Align(8),
                      llvm::AtomicOrdering::Release);
    finish_with_return();
  }

 private:
  struct Frame {
    std::size_t given;  // slot of the function's frame
    llvm::Value* before;
    llvm::Value* after;
    llvm::Value* own;  // this thread's copy
  };

  void find_frames() {
    std::size_t slot = slots_of_run;
    for (const StripKernel& kernel : kernels_) {
      llvm::Value* own = stack_array(b.getInt64Ty(), std::max<std::size_t>(kernel.frame.size(), 1), "frame");
      frames_.push_back({slot + slots_before_frame, load(slot), load(slot + 1), own});
      for (std::size_t i = 0; i < kernel.frame.size(); ++i) {
        b.CreateStore(load(frames_.back().given + i), b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), own, i));
      }
      slot += slots_before_frame + kernel.frame.size();
    }
  }

  llvm::Value* bit_of(llvm::Value* place) { return b.CreateShl(number(1), place); }

  /// Takes the first free one. Each call that another one finds in its way is a different one: so no call gets further
  /// than to the place of its number, were they counted.
  llvm::Value* take_place(llvm::Value* places) {
    llvm::BasicBlock* before = b.GetInsertBlock();
    auto* look = llvm::BasicBlock::Create(module.context, "look", function);
    auto* found = llvm::BasicBlock::Create(module.context, "found", function);
    b.CreateBr(look);
    b.SetInsertPoint(look);
    llvm::PHINode* place = b.CreatePHI(b.getInt64Ty(), 2, "place");
    place->addIncoming(number(0), before);
    place->addIncoming(b.CreateNSWAdd(place, number(1)), look);
    llvm::Value* bit = bit_of(place);
    llvm::Value* taken =
        b.CreateAtomicRMW(llvm::AtomicRMWInst::Or, places, bit, llvm::Align(8), llvm::AtomicOrdering::Acquire);
    b.CreateCondBr(b.CreateICmpEQ(b.CreateAnd(taken, bit), number(0)), found, look);
    b.SetInsertPoint(found);
    return place;
  }

  /// What only this strip's kernels need lies where the strip of that number has it: there it stays in the cache.
  void move_private(std::size_t kernel, llvm::Value* points) {
    for (std::size_t i = 0; i < kernels_[kernel].frame.size(); ++i) {
      const FrameSlot& slot = kernels_[kernel].frame[i];
      if (slot.kind != FrameSlot::Kind::tensor) continue;
      for (const StripGroup::Link& link : run_.links) {
        if (!link.is_private || static_cast<std::size_t>(link.tensor) != slot.number) continue;
        llvm::Value* moved =
            b.CreateNSWSub(load(frames_[kernel].given + i), b.CreateNSWMul(points, number(link.point_bytes)));
        b.CreateStore(moved, b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), frames_[kernel].own, i));
      }
    }
  }

  /// Those before the point of that number.
  llvm::Value* items_of(const PointItems& items, llvm::Value* point, llvm::Value* after) {
    return b.CreateNSWMul(ceil_div(b.CreateNSWMul(point, number(items.point)), items.item), after);
  }

  llvm::Value* load(std::size_t slot) {
    return b.CreateLoad(b.getInt64Ty(), b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), function->getArg(0), slot));
  }

  llvm::Value* symbol(std::size_t) override { return nullptr; }

  const StripRun& run_;
  const std::vector<StripKernel>& kernels_;
  std::vector<Frame> frames_;
};

}  // namespace

StripFunction emit_strips(ModuleEmitter& module, const StripRun& run, const std::vector<StripKernel>& kernels,
                          const std::string& name) {
  StripFunction out{.function = module.make_kernel(name), .slots = slots_of_run};
  for (const StripKernel& kernel : kernels) out.slots += slots_before_frame + kernel.frame.size();
  StripEmitter(module, out.function, run, kernels).emit();
  return out;
}

}  // namespace lathe::emit
