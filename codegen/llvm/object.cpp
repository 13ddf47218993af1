#include <lathe/codegen/llvm/object.h>

#include <chrono>
#include <future>
#include <utility>

#include <llvm/Analysis/BasicAliasAnalysis.h>
#include <llvm/Analysis/ScopedNoAliasAA.h>
#include <llvm/Analysis/TargetTransformInfo.h>
#include <llvm/BinaryFormat/ELF.h>
#include <llvm/CodeGen/MachineModuleInfo.h>
#include <llvm/CodeGen/Passes.h>
#include <llvm/CodeGen/TargetPassConfig.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/MC/MCContext.h>
#include <llvm/Support/SmallVectorMemoryBuffer.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Transforms/Scalar.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include <lathe/codegen/llvm/optimise.h>
#include <lathe/graph/error.h>

namespace lathe::emit {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

/// Declares the sections of constants before LLVM does, which would let linkers merge equal constants: then every
/// constant needs a symbol with a name, and those of small kernels outweigh the constants. In sections that stay whole
/// a constant is a distance from the start.
void keep_constants_unnamed(llvm::MCContext& context) {
  for (const char* section : {".rodata.cst4", ".rodata.cst8", ".rodata.cst16", ".rodata.cst32"}) {
    context.getELFSection(section, llvm::ELF::SHT_PROGBITS, llvm::ELF::SHF_ALLOC);
  }
}

/// Code generation as LLVM does it, but for its passes over the IR that find nothing to do in what is emitted here.
/// Loop strength reduction would take a quarter of the time, and the emitter knows its loops: see
/// FunctionEmitter::times().
llvm::SmallVector<char, 0> generate(llvm::Module& module, Target& target, llvm::CodeGenFileType type) {
  llvm::SmallVector<char, 0> out;
  llvm::raw_svector_ostream stream(out);
  llvm::legacy::PassManager passes;  // owns what is added to it
  auto& machine = static_cast<llvm::LLVMTargetMachine&>(*target.target_machine);
  auto* info = new llvm::MachineModuleInfoWrapperPass(&machine);
  llvm::MCContext& context = info->getMMI().getContext();
  keep_constants_unnamed(context);
  llvm::TargetPassConfig* generation = machine.createPassConfig(passes);
  generation->setDisableVerify(true);
  passes.add(generation);
  passes.add(info);
  passes.add(llvm::createTargetTransformInfoWrapperPass(machine.getTargetIRAnalysis()));
  passes.add(llvm::createScopedNoAliasAAWrapperPass());
  passes.add(llvm::createBasicAAWrapperPass());
  // Where a machine has no such instruction.
  passes.add(llvm::createAtomicExpandLegacyPass());
  passes.add(llvm::createScalarizeMaskedMemIntrinLegacyPass());
  generation->addCodeGenPrepare();
  generation->addISelPrepare();
  bool refused = generation->addInstSelector();
  passes.add(llvm::Pass::createPass(&llvm::FinalizeISelID));
  generation->addMachinePasses();
  generation->setInitialized();
  refused = refused || machine.addAsmPrinter(passes, stream, nullptr, type, context);
  passes.add(llvm::createFreeMachineFunctionPass());
  ensure(!refused, "LLVM cannot emit this kind of file");
  passes.run(module);
  return out;
}

std::unique_ptr<llvm::MemoryBuffer> generate_object(llvm::Module& module, Target& target) {
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(generate(module, target, llvm::CodeGenFileType::ObjectFile),
                                                         module.getModuleIdentifier(), false);
}

struct Timed {
  Object object;
  double optimise_ms;
  double generate_ms;
};

Timed compile_part(llvm::Module& module, Target& target, bool listings) {
  Timed out{};
  const auto start = Clock::now();
  optimise(module, target);
  out.optimise_ms = milliseconds(Clock::now() - start);
  if (listings) {
    out.object.optimised = to_text(module);
    const auto text = generate(*llvm::CloneModule(module), target, llvm::CodeGenFileType::AssemblyFile);
    out.object.assembly.assign(text.begin(), text.end());
  }
  const auto middle = Clock::now();
  out.object.code = generate_object(module, target);
  out.generate_ms = milliseconds(Clock::now() - middle);
  return out;
}

}  // namespace

std::string to_text(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

std::unique_ptr<llvm::MemoryBuffer> compile_module(llvm::Module& module, Target& target) {
  optimise(module, target);
  return generate_object(module, target);
}

Objects compile_parts(std::span<const Part> parts, Target& target, bool listings) {
  std::vector<std::future<Timed>> others;
  for (const Part& part : parts.subspan(1)) {
    others.push_back(std::async(std::launch::async, [&module = *part.module, set = target.set, listings] {
      Target own = make_target(set);  // LLVM keeps in it what it is doing
      return compile_part(module, own, listings);
    }));
  }
  Objects out;
  const auto add = [&](Timed part) {
    out.parts.push_back(std::move(part.object));
    if (part.optimise_ms + part.generate_ms < out.optimise_ms + out.generate_ms) return;
    out.optimise_ms = part.optimise_ms;
    out.generate_ms = part.generate_ms;
  };
  add(compile_part(*parts.front().module, target, listings));
  for (std::future<Timed>& other : others) add(other.get());
  return out;
}

}  // namespace lathe::emit
