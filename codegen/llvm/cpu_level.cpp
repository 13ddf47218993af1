#include <lathe/codegen/llvm/cpu_level.h>

#include <initializer_list>

#include <llvm/IR/InlineAsm.h>

namespace lathe::emit {
namespace {

/// Registers that cpuid fills, in the order in which its assembly gives them back.
enum class Register : unsigned { eax, ebx, ecx, edx };

/// A feature is a bit that cpuid sets.
struct Feature {
  unsigned leaf;
  Register in;
  unsigned bit;
};

// x86-64 psABI 1.0, table 3.1; what x86-64-v2 asks for is in every CPU that has these.
constexpr Feature level_3[] = {
    {1, Register::ecx, 12},         // FMA
    {1, Register::ecx, 22},         // MOVBE
    {1, Register::ecx, 27},         // OSXSAVE
    {1, Register::ecx, 28},         // AVX
    {1, Register::ecx, 29},         // F16C
    {7, Register::ebx, 3},          // BMI1
    {7, Register::ebx, 5},          // AVX2
    {7, Register::ebx, 8},          // BMI2
    {0x80000001, Register::ecx, 5}  // LZCNT
};
constexpr Feature level_4[] = {
    {7, Register::ebx, 16},  // AVX512F
    {7, Register::ebx, 17},  // AVX512DQ
    {7, Register::ebx, 28},  // AVX512CD
    {7, Register::ebx, 30},  // AVX512BW
    {7, Register::ebx, 31}   // AVX512VL
};
// What the operating system must save: SSE and AVX registers; masks and the AVX-512 registers too.
constexpr unsigned saved_3 = 0x06;
constexpr unsigned saved_4 = 0xe6;

class LevelEmitter {
 public:
  LevelEmitter(ModuleEmitter& module, llvm::Function* function)
      : module_(module),
        function_(function),
        b_(llvm::BasicBlock::Create(module.context, "entry", function)),
        i32_(b_.getInt32Ty()) {}

  void emit() {
    auto* known = new llvm::GlobalVariable(module_.module, i32_, false, llvm::GlobalValue::InternalLinkage,
                                           b_.getInt32(0), "lathe_cpu_level");
    llvm::Value* before = b_.CreateAlignedLoad(i32_, known, llvm::Align(4));
    llvm::cast<llvm::LoadInst>(before)->setAtomic(llvm::AtomicOrdering::Monotonic);
    auto* ask = block("ask");
    auto* answer = block("answer");
    b_.CreateCondBr(b_.CreateICmpNE(before, b_.getInt32(0)), answer, ask);
    b_.SetInsertPoint(answer);
    b_.CreateRet(before);

    b_.SetInsertPoint(ask);
    // Nothing may be asked for that the CPU does not know: neither leaf 7 nor, without OSXSAVE, xgetbv.
    give_up_unless(known, b_.CreateICmpUGE(cpuid(0, Register::eax), b_.getInt32(7)));
    give_up_unless(known, has(level_3));
    llvm::Value* saved = saved_registers();
    give_up_unless(known, all_of(saved, saved_3));
    llvm::Value* fourth = b_.CreateAnd(has(level_4), all_of(saved, saved_4));
    settle(known, b_.CreateSelect(fourth, b_.getInt32(4), b_.getInt32(3)));
  }

 private:
  llvm::BasicBlock* block(const char* name) { return llvm::BasicBlock::Create(module_.context, name, function_); }

  /// Keeps the level and returns it. Threads that do so at once write the same.
  void settle(llvm::Value* known, llvm::Value* level) {
    b_.CreateAlignedStore(level, known, llvm::Align(4))->setAtomic(llvm::AtomicOrdering::Monotonic);
    b_.CreateRet(level);
  }

  void give_up_unless(llvm::Value* known, llvm::Value* condition) {
    auto* go_on = block("go_on");
    auto* give_up = block("give_up");
    b_.CreateCondBr(condition, go_on, give_up);
    b_.SetInsertPoint(give_up);
    settle(known, b_.getInt32(1));
    b_.SetInsertPoint(go_on);
  }

  llvm::Value* cpuid(unsigned leaf, Register wanted) {
    auto* type = llvm::FunctionType::get(llvm::StructType::get(i32_, i32_, i32_, i32_), {i32_, i32_}, false);
    auto* assembly = llvm::InlineAsm::get(type, "cpuid",
                                          "={eax},={ebx},={ecx},={edx},{eax},{ecx},~{dirflag},~{fpsr},~{flags}", true);
    llvm::Value* answer = b_.CreateCall(assembly, {b_.getInt32(leaf), b_.getInt32(0)});
    return b_.CreateExtractValue(answer, static_cast<unsigned>(wanted));
  }

  /// The low half of XCR0.
  llvm::Value* saved_registers() {
    auto* type = llvm::FunctionType::get(llvm::StructType::get(i32_, i32_), {i32_}, false);
    auto* assembly = llvm::InlineAsm::get(type, "xgetbv", "={eax},={edx},{ecx},~{dirflag},~{fpsr},~{flags}", true);
    return b_.CreateExtractValue(b_.CreateCall(assembly, {b_.getInt32(0)}), 0);
  }

  llvm::Value* all_of(llvm::Value* word, unsigned bits) {
    return b_.CreateICmpEQ(b_.CreateAnd(word, b_.getInt32(bits)), b_.getInt32(bits));
  }

  llvm::Value* has(std::span<const Feature> features) {
    llvm::Value* result = b_.getTrue();
    for (auto first = features.begin(); first != features.end();) {
      unsigned bits = 0;
      auto last = first;
      for (; last != features.end() && last->leaf == first->leaf && last->in == first->in; ++last) {
        bits |= 1U << last->bit;
      }
      result = b_.CreateAnd(result, all_of(cpuid(first->leaf, first->in), bits));
      first = last;
    }
    return result;
  }

  ModuleEmitter& module_;
  llvm::Function* function_;
  llvm::IRBuilder<> b_;
  llvm::IntegerType* i32_;
};

}  // namespace

llvm::Function* emit_cpu_level(ModuleEmitter& module) {
  llvm::Function* function = module.make_function("lathe_ask_cpu_level", llvm::Type::getInt32Ty(module.context), {});
  LevelEmitter(module, function).emit();
  return function;
}

}  // namespace lathe::emit
