#include <lathe/codegen/llvm/module.h>

#include <algorithm>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe::emit {

ModuleEmitter::ModuleEmitter(llvm::Module& module_, const Program& program_, const Target& target_, bool standalone_)
    : context(module_.getContext()), module(module_), program(program_), target(target_), standalone(standalone_) {
  module.setTargetTriple(target.target_machine->getTargetTriple().str());
  module.setDataLayout(target.target_machine->createDataLayout());
}

llvm::Function* ModuleEmitter::copy() {
  if (!copy_) copy_ = emit_copy();
  return copy_;
}

std::size_t ModuleEmitter::symbol_index(SymbolId symbol) const {
  const auto found = std::find(program.symbols.begin(), program.symbols.end(), symbol);
  ensure(found != program.symbols.end(), fmt::format("symbol '{}' is not one of the program's", name_of(symbol)));
  return static_cast<std::size_t>(found - program.symbols.begin());
}

llvm::Type* ModuleEmitter::type(DType dtype) const {
  switch (dtype) {
    case DType::boolean: return llvm::Type::getInt1Ty(context);
    case DType::u8: return llvm::Type::getInt8Ty(context);
    case DType::i32: return llvm::Type::getInt32Ty(context);
    case DType::i64: return llvm::Type::getInt64Ty(context);
    case DType::f32: return llvm::Type::getFloatTy(context);
    case DType::f64: break;
  }
  return llvm::Type::getDoubleTy(context);
}

llvm::Type* ModuleEmitter::memory_type(DType dtype) const {
  return dtype == DType::boolean ? llvm::Type::getInt8Ty(context) : type(dtype);
}

llvm::Function* ModuleEmitter::make_function(const std::string& name, llvm::Type* result,
                                             llvm::ArrayRef<llvm::Type*> parameters, bool visible) const {
  auto* function =
      llvm::Function::Create(llvm::FunctionType::get(result, parameters, false),
                             visible ? llvm::Function::ExternalLinkage : llvm::Function::InternalLinkage, name, module);
  function->setDoesNotThrow();
  function->addFnAttr("target-cpu", target.cpu);
  if (!target.features.empty()) function->addFnAttr("target-features", target.features);
  function->addFnAttr("prefer-vector-width", "512");
  function->addFnAttr("reciprocal-estimates", "none");
  function->addFnAttr("denormal-fp-math", "preserve-sign,preserve-sign");
  function->addFnAttr("no-trapping-math", "true");
  return function;
}

llvm::Function* ModuleEmitter::make_kernel(const std::string& name) const {
  llvm::Function* function =
      make_function(name, llvm::Type::getVoidTy(context), {pointer_type(), i64_type(), i64_type()}, true);
  // Other parts of the program call it, and nobody else: so its distance is known, and no table of addresses needed.
  function->setVisibility(llvm::GlobalValue::HiddenVisibility);
  function->getArg(0)->setName("frame");
  function->getArg(1)->setName("begin");
  function->getArg(2)->setName("end");
  function->addParamAttr(0, llvm::Attribute::NoAlias);
  function->addParamAttr(0, llvm::Attribute::ReadOnly);
  return function;
}

llvm::Function* ModuleEmitter::declare_kernel(const std::string& name) const {
  llvm::Function* declared = module.getFunction(name);
  return declared ? declared : make_kernel(name);
}

// Not memcpy, so that no code needs a library.
llvm::Function* ModuleEmitter::emit_copy() const {
  constexpr unsigned block = 64;
  llvm::Type* i64 = i64_type();
  llvm::Function* function =
      make_function("lathe_copy", llvm::Type::getVoidTy(context), {pointer_type(), pointer_type(), i64});
  function->addFnAttr(llvm::Attribute::NoInline);
  llvm::Value* to = function->getArg(0);
  llvm::Value* from = function->getArg(1);
  llvm::Value* bytes = function->getArg(2);
  llvm::IRBuilder<> b(llvm::BasicBlock::Create(context, "entry", function));
  auto* done = llvm::BasicBlock::Create(context, "done", function);
  const auto copy_while = [&](llvm::Value* begin, llvm::Value* end, llvm::Type* type, unsigned step, const char* name) {
    auto* before = b.GetInsertBlock();
    auto* loop = llvm::BasicBlock::Create(context, name, function, done);
    auto* after = llvm::BasicBlock::Create(context, "copied", function, done);
    b.CreateCondBr(b.CreateICmpULT(begin, end), loop, after);
    b.SetInsertPoint(loop);
    llvm::PHINode* at = b.CreatePHI(i64, 2);
    const auto address = [&](llvm::Value* base) { return b.CreateInBoundsGEP(b.getInt8Ty(), base, at); };
    b.CreateAlignedStore(b.CreateAlignedLoad(type, address(from), llvm::Align(1)), address(to), llvm::Align(1));
    llvm::Value* next = b.CreateNUWAdd(at, b.getInt64(step));
    at->addIncoming(begin, before);
    at->addIncoming(next, loop);
    b.CreateCondBr(b.CreateICmpULT(next, end), loop, after);
    b.SetInsertPoint(after);
  };
  llvm::Value* blocks = b.CreateAnd(bytes, b.getInt64(~std::uint64_t{block - 1}));
  auto* apart = llvm::BasicBlock::Create(context, "apart", function, done);
  b.CreateCondBr(b.CreateICmpEQ(to, from), done, apart);
  b.SetInsertPoint(apart);
  copy_while(b.getInt64(0), blocks, llvm::FixedVectorType::get(b.getInt8Ty(), block), block, "blocks");
  copy_while(blocks, bytes, b.getInt8Ty(), 1, "bytes");
  b.CreateBr(done);
  b.SetInsertPoint(done);
  b.CreateRetVoid();
  return function;
}

bool is_embedded(const Tensor& constant) {
  constexpr std::size_t most_bytes = 64 * 1024;  // more would slow code generation down
  return constant.bytes().size() <= most_bytes;
}

}  // namespace lathe::emit
