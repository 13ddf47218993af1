#include <lathe/codegen/llvm/object.h>

#include <llvm/IR/LegacyPassManager.h>
#include <llvm/Support/SmallVectorMemoryBuffer.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include <lathe/graph/error.h>

namespace lathe::emit {
namespace {

void generate(llvm::Module& module, Target& target, llvm::SmallVectorImpl<char>& out, llvm::CodeGenFileType type) {
  llvm::raw_svector_ostream stream(out);
  llvm::legacy::PassManager passes;
  const bool refused = target.target_machine->addPassesToEmitFile(passes, stream, nullptr, type);
  ensure(!refused, "LLVM cannot emit this kind of file");
  passes.run(module);
}

}  // namespace

std::unique_ptr<llvm::MemoryBuffer> compile_to_object(llvm::Module& module, Target& target) {
  llvm::SmallVector<char, 0> bytes;
  generate(module, target, bytes, llvm::CodeGenFileType::ObjectFile);
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(std::move(bytes), module.getModuleIdentifier(), false);
}

std::string compile_to_assembly(const llvm::Module& module, Target& target) {
  const std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
  llvm::SmallVector<char, 0> bytes;
  generate(*copy, target, bytes, llvm::CodeGenFileType::AssemblyFile);
  return {bytes.begin(), bytes.end()};
}

}  // namespace lathe::emit
