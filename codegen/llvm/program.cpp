// The entry point of a program: builds the frame, then carries out the steps in order.
#include <algorithm>
#include <cstddef>
#include <deque>

#include <fmt/format.h>

#include <lathe/codegen/abi.h>
#include <lathe/codegen/footprint.h>
#include <lathe/codegen/llvm/kernel.h>
#include <lathe/codegen/llvm/strips.h>
#include <lathe/codegen/llvm/unique.h>
#include <lathe/codegen/lowered.h>
#include <lathe/graph/error.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

bool can_fail(const Pool& pool, const Step& step) {
  return contains_check(pool, footprint(pool, step).roots);
}

class ProgramEmitter : public FunctionEmitter {
 public:
  /// `modules`: to spread kernels over; the first one gets the entry point.
  explicit ProgramEmitter(std::deque<ModuleEmitter>& modules)
      : FunctionEmitter(modules.front(), make_entry(modules.front())), modules_(modules) {
    function->getArg(0)->setName("arguments");
    symbols_ = field(offsetof(abi::Arguments, symbols), "symbols");
    parallel_for_ = field(offsetof(abi::Arguments, parallel_for), "parallel_for");
    frame_ = stack_array(b.getInt64Ty(), 1, "frame");
    failure_ = stack_array(b.getInt8Ty(), sizeof(abi::Failure), "failure");
  }

  void emit() {
    find_addresses();
    forget_failures();
    for (std::size_t i = 0; i < module.program.steps.size(); ++i) {
      if (const StripGroup* group = group_at(module.program, i)) {
        perform(*group);
        i += group->count - 1;
        continue;
      }
      const Step& step = module.program.steps[i];
      note_ticks(i);
      std::visit([&](const auto& kind) { perform(kind, i); }, step);
      if (can_fail(*module.program.pool, step)) leave_if_failed();
    }
    note_ticks(module.program.steps.size());
    b.CreateRet(b.getInt32(0));
    frame_->setOperand(0, b.getInt64(largest_frame_));
  }

 private:
  llvm::Value* symbol(std::size_t index) override {
    return b.CreateLoad(b.getInt64Ty(), b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), symbols_, index),
                        std::string(name_of(module.program.symbols[index])));
  }

  llvm::Value* field(std::size_t offset, const char* name) {
    return in_entry([&] {
      llvm::Value* at = b.CreateConstInBoundsGEP1_64(b.getInt8Ty(), function->getArg(0), offset);
      return b.CreateLoad(module.pointer_type(), at, name);
    });
  }

  llvm::Value* element(llvm::Value* pointers, std::uint32_t slot) {
    return b.CreateLoad(module.pointer_type(), b.CreateConstInBoundsGEP1_64(module.pointer_type(), pointers, slot));
  }

  llvm::Value* constant(TensorId id, const Tensor& tensor) {
    if (!module.standalone && !is_embedded(tensor)) {
      return element(field(offsetof(abi::Arguments, constants), "constants"), static_cast<std::uint32_t>(id));
    }
    const std::span<const std::byte> bytes = tensor.bytes();
    llvm::Constant* data = llvm::ConstantDataArray::getRaw(
        llvm::StringRef(reinterpret_cast<const char*>(bytes.data()), bytes.size()), bytes.size(), b.getInt8Ty());
    auto* global = new llvm::GlobalVariable(module.module, data->getType(), true, llvm::GlobalValue::PrivateLinkage,
                                            data, fmt::format("constant_{}", static_cast<unsigned>(id)));
    global->setAlignment(llvm::Align(64));
    return global;
  }

  llvm::Value* address(TensorId id, const ProgramTensor& tensor) {
    switch (tensor.role) {
      case Role::input: return element(field(offsetof(abi::Arguments, inputs), "inputs"), tensor.slot);
      case Role::output: return element(field(offsetof(abi::Arguments, outputs), "outputs"), tensor.slot);
      case Role::variable: return element(field(offsetof(abi::Arguments, variables), "variables"), tensor.slot);
      case Role::constant: return constant(id, *tensor.constant);
      case Role::arena:
        return b.CreateInBoundsGEP(b.getInt8Ty(), field(offsetof(abi::Arguments, arena), "arena"),
                                   dim(tensor.arena_offset_bytes));
      case Role::dissolved: break;
    }
    return nullptr;
  }

  void find_addresses() {
    for (std::size_t i = 0; i < module.program.tensors.size(); ++i) {
      const auto id = static_cast<TensorId>(i);
      addresses_.push_back(address(id, module.program.tensor(id)));
    }
  }

  llvm::Value* held(const FrameSlot& slot) {
    switch (slot.kind) {
      case FrameSlot::Kind::tensor: return addresses_.at(slot.number);
      case FrameSlot::Kind::symbol: return dim(Dim(module.program.symbols[slot.number]));
      case FrameSlot::Kind::failure: return failure_;
      case FrameSlot::Kind::alone: break;
    }
    return b.CreateZExt(b.CreateIsNull(parallel_for_), b.getInt64Ty());
  }

  /// One after the other, all kernels use the same memory.
  void fill_frame(std::span<const FrameSlot> slots) {
    largest_frame_ = std::max(largest_frame_, slots.size());
    for (std::size_t i = 0; i < slots.size(); ++i) {
      b.CreateStore(held(slots[i]), b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), frame_, i));
    }
  }

  void forget_failures() {
    b.CreateStore(number(abi::no_check), failure_);
    b.CreateStore(number(abi::no_check), failure_field(offsetof(abi::Failure, index)));
    b.CreateStore(number(0), failure_field(offsetof(abi::Failure, detail)));
    b.CreateStore(b.getInt32(0), failure_field(offsetof(abi::Failure, lock)));
  }

  llvm::Value* failure_field(std::size_t offset) {
    return b.CreateConstInBoundsGEP1_64(b.getInt8Ty(), failure_, offset);
  }

  void note_ticks(std::size_t index) {
    if (module.standalone) return;
    llvm::Value* ticks = field(offsetof(abi::Arguments, ticks), "ticks");
    when(b.CreateIsNotNull(ticks), {}, [&] {
      b.CreateStore(b.CreateIntrinsic(b.getInt64Ty(), llvm::Intrinsic::readcyclecounter, {}),
                    b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), ticks, index));
      return Carried{};
    });
  }

  std::string step_name(const std::string& kind, std::size_t number) { return fmt::format("{}_{}", kind, number); }

  static llvm::Function* make_entry(ModuleEmitter& module) {
    return module.make_function(entry_symbol, llvm::Type::getInt32Ty(module.context), {module.pointer_type()}, true);
  }

  /// The module that has least to compile so far.
  ModuleEmitter& smallest_module() {
    const auto size = [](const ModuleEmitter& emitter) { return emitter.module.getInstructionCount(); };
    return *std::min_element(modules_.begin(), modules_.end(),
                             [&](const ModuleEmitter& a, const ModuleEmitter& b) { return size(a) < size(b); });
  }

  /// A kernel of any module, for the entry point to call.
  llvm::Function* callee(llvm::Function* kernel) {
    return kernel->getParent() == &module.module ? kernel : module.declare_kernel(kernel->getName().str());
  }

  struct MadeKernel {
    llvm::Function* chunk;
    std::vector<FrameSlot> frame;
    const Schedule* schedule;
  };

  MadeKernel make(const Schedule& schedule, std::size_t index) {
    ModuleEmitter& own = smallest_module();
    llvm::Function* chunk = own.make_kernel(step_name("kernel", index));
    Accesses accesses(module.program, schedule.locals, schedule.stages);
    KernelEmitter emitter(own, chunk, accesses, schedule.locals, schedule.stages);
    emitter.stream(schedule.streamed);
    if (schedule.form == Schedule::Form::rows) {
      emit_rows(emitter, schedule, module.target.machine);
    } else {
      emit_panels(emitter, schedule);
    }
    emitter.finish();
    return {callee(kernels_.only(chunk)), {emitter.frame().begin(), emitter.frame().end()}, &schedule};
  }

  void perform(const Kernel& kernel, std::size_t index) {
    const Schedule schedule = lathe::schedule(module.program, kernel, module.target.machine);
    const MadeKernel made = make(schedule, index);
    fill_frame(made.frame);
    call(made);
  }

  void perform(const StripGroup& group) {
    const StripPlan plan = plan_strips(module.program, group, module.target.machine);
    std::vector<MadeKernel> kernels;
    for (std::size_t i = 0; i < group.count; ++i) kernels.push_back(make(plan.schedules[i], group.first + i));
    const auto one_by_one = [&](std::size_t first, std::size_t end) {
      for (std::size_t step = first; step < end; ++step) {
        const MadeKernel& kernel = kernels[step - group.first];
        note_ticks(step);
        fill_frame(kernel.frame);
        call(kernel);
      }
    };
    std::size_t next = group.first;
    for (const StripRun& run : plan.runs) {
      one_by_one(next, run.first);
      next = run.first + run.count;
      branch(
          pays(run),
          [&] {
            note_ticks(run.first);
            call_strips(run, std::span(kernels).subspan(run.first - group.first, run.count));
            for (std::size_t step = run.first + 1; step < next; ++step) note_ticks(step);
          },
          [&] { one_by_one(run.first, next); });
    }
    one_by_one(next, group.first + group.count);
  }

  llvm::Value* pays(const StripRun& run) {
    llvm::Value* much = b.CreateICmpSGE(dim(run.link_bytes), number(least_link_bytes));
    llvm::Value* many = b.CreateICmpSGE(dim(run.all_points), number(least_strips * run.points));
    return b.CreateAnd(b.CreateAnd(much, many), b.CreateICmpSGE(dim(run.work), number(parallel_work)));
  }

  void call_strips(const StripRun& run, std::span<const MadeKernel> kernels) {
    std::vector<StripKernel> parts;
    for (std::size_t i = 0; i < kernels.size(); ++i) {
      parts.push_back({.chunk = kernels[i].chunk, .frame = kernels[i].frame, .items = run.items[i]});
    }
    const StripFunction strips = emit_strips(module, run, parts, step_name("strips", run.first));
    llvm::AllocaInst* frame = stack_array(b.getInt64Ty(), strips.slots, "strips");
    llvm::Value* alone = b.CreateIsNull(parallel_for_);
    std::size_t slot = 0;
    const auto put = [&](llvm::Value* value) {
      b.CreateStore(value, b.CreateConstInBoundsGEP1_64(b.getInt64Ty(), frame, slot++));
    };
    llvm::AllocaInst* places = stack_array(b.getInt64Ty(), 1, "places");
    b.CreateStore(number(0), places);
    put(dim(run.all_points));
    put(places);
    for (std::size_t i = 0; i < kernels.size(); ++i) {
      const auto [before, after] = items_around(*this, *kernels[i].schedule, run.items[i], *module.program.pool, alone);
      put(before);
      put(after);
      for (const FrameSlot& need : kernels[i].frame) put(held(need));
    }
    llvm::Value* count = ceil_div(dim(run.all_points), run.points);
    branch(
        alone,
        [&] {
          b.CreateCall(strips.function, {frame, number(0), count});
        },
        [&] {
          llvm::Value* whole = b.CreateSDiv(dim(run.all_points), number(run.points));
          llvm::Value* most = smaller(whole, number(most_strip_chunks));
          parallel_for(strips.function, frame, count, grain_of(dim(run.work), count, most));
        });
  }

  /// For work that is enough to be shared out.
  llvm::Value* grain_of(llvm::Value* work, llvm::Value* items, llvm::Value* most) {
    llvm::Value* chunks = smaller(b.CreateSDiv(work, number(chunk_work)), most);
    return b.CreateSDiv(b.CreateNSWAdd(items, b.CreateNSWSub(chunks, number(1))), chunks);
  }

  void parallel_for(llvm::Function* chunk, llvm::Value* frame, llvm::Value* items, llvm::Value* grain) {
    auto* type = llvm::FunctionType::get(
        b.getVoidTy(),
        {module.pointer_type(), module.pointer_type(), module.pointer_type(), b.getInt64Ty(), b.getInt64Ty()}, false);
    b.CreateCall(type, parallel_for_,
                 {field(offsetof(abi::Arguments, parallel_context), "parallel_context"), chunk, frame, items, grain});
  }

  /// How many items go into a chunk depends on shapes alone, never on the number of threads.
  void call(const MadeKernel& kernel) {
    const Schedule& schedule = *kernel.schedule;
    llvm::Value* alone = b.CreateIsNull(parallel_for_);
    llvm::Value* items = item_count(*this, schedule, *module.program.pool, alone);
    llvm::Value* work = dim(schedule.work);
    llvm::Value* large = b.CreateICmpSGE(work, number(parallel_work));
    llvm::Value* several = b.CreateICmpSGT(items, number(1));
    llvm::Value* share = b.CreateAnd(b.CreateAnd(large, several), b.CreateNot(alone));
    branch(
        share,
        [&] {
          const std::int64_t blocks = whole_blocks(schedule, *module.program.pool);
          llvm::Value* grain =
              b.CreateNSWMul(ceil_div(grain_of(work, items, number(most_chunks)), blocks), number(blocks));
          parallel_for(kernel.chunk, frame_, items, grown(grain, schedule));
        },
        [&] {
          b.CreateCall(kernel.chunk, {frame_, number(0), items});
        });
  }

  /// What share() does, for any sizes: the smallest part of a panel that is not less than `grain`, nor far more.
  llvm::Value* grown(llvm::Value* grain, const Schedule& schedule) {
    const std::vector<std::int64_t> parts = panel_parts(schedule, *module.program.pool);
    llvm::Value* most = b.CreateNSWMul(grain, number(most_growth));
    llvm::Value* out = grain;
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      llvm::Value* suits = b.CreateAnd(b.CreateICmpSLE(grain, number(*part)), b.CreateICmpSLE(number(*part), most));
      out = b.CreateSelect(suits, number(*part), out);
    }
    return out;
  }

  void perform(const ScatterKernel& scatter, std::size_t number_) {
    const EmittedKernel kernel = emit_scatter(smallest_module(), scatter, step_name("scatter", number_));
    fill_frame(kernel.frame);
    b.CreateCall(callee(kernels_.only(kernel.function)), {frame_, number(0), number(1)});
  }

  void perform(const HostStep& step, std::size_t number_) {
    if (module.standalone) return;
    llvm::Value* host = field(offsetof(abi::Arguments, host), "host");
    when(b.CreateIsNotNull(host), {}, [&] {
      auto* type =
          llvm::FunctionType::get(b.getVoidTy(), {module.pointer_type(), b.getInt64Ty(), module.pointer_type()}, false);
      b.CreateCall(type, host,
                   {field(offsetof(abi::Arguments, host_context), "host_context"),
                    number(static_cast<std::int64_t>(number_)), addresses_.at(static_cast<std::size_t>(step.tensor))});
      return Carried{};
    });
  }

  void perform(const CommitStep& step, std::size_t) {
    const TensorType& type = module.program.tensor(step.variable).type;
    b.CreateCall(module.copy(), {addresses_.at(static_cast<std::size_t>(step.variable)),
                                 addresses_.at(static_cast<std::size_t>(step.from)), dim(bytes_of(type))});
  }

  void leave_if_failed() {
    llvm::Value* check = b.CreateLoad(b.getInt64Ty(), failure_);
    auto* leave = llvm::BasicBlock::Create(module.context, "failed", function);
    auto* go_on = llvm::BasicBlock::Create(module.context, "passed", function);
    b.CreateCondBr(b.CreateICmpEQ(check, number(abi::no_check)), go_on, leave);
    b.SetInsertPoint(leave);
    llvm::Value* report = field(offsetof(abi::Arguments, failure), "failure");
    when(b.CreateIsNotNull(report), {}, [&] {
      b.CreateMemCpyInline(report, llvm::Align(8), failure_, llvm::Align(8), number(sizeof(abi::Failure)));
      return Carried{};
    });
    b.CreateRet(b.getInt32(1));
    b.SetInsertPoint(go_on);
  }

  std::deque<ModuleEmitter>& modules_;
  llvm::Value* symbols_;
  llvm::Value* parallel_for_;
  llvm::AllocaInst* frame_;
  std::size_t largest_frame_ = 1;
  llvm::AllocaInst* failure_;
  UniqueFunctions kernels_;
  std::vector<llvm::Value*> addresses_;
};

}  // namespace

std::vector<Part> emit_program(const Program& program, const Target& target, int most_parts) {
  const int count = std::clamp(static_cast<int>(program.steps.size()), 1, std::max(most_parts, 1));
  std::vector<Part> parts;
  std::deque<ModuleEmitter> modules;
  for (int i = 0; i < count; ++i) {
    auto context = std::make_unique<llvm::LLVMContext>();
    auto module = std::make_unique<llvm::Module>(fmt::format("part {}", i), *context);
    modules.emplace_back(*module, program, target);
    parts.push_back({std::move(context), std::move(module)});
  }
  ProgramEmitter(modules).emit();
  return parts;
}

void emit_standalone_program(const Program& program, const Target& target, llvm::Module& module) {
  std::deque<ModuleEmitter> modules;
  modules.emplace_back(module, program, target, true);
  ProgramEmitter(modules).emit();
}

}  // namespace lathe::emit
