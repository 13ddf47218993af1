#include <lathe/codegen/llvm/target.h>

#include <mutex>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <llvm/ADT/StringMap.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/TargetParser/Host.h>

#include <lathe/graph/error.h>

namespace lathe::emit {
namespace {

using Features = llvm::StringMap<bool, llvm::MallocAllocator>;

void initialize_targets() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();  // of the wrappers' few lines of assembly
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
  });
}

void add_machine(Target& out, const std::string& triple) {
  std::string error;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) throw CompileError(fmt::format("finding a code generator for {}: {}", triple, error));
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  options.MCOptions.AsmVerbose = true;  // listings say where registers are spilled
  out.target_machine.reset(target->createTargetMachine(triple, out.cpu, out.features, options, llvm::Reloc::PIC_,
                                                       llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default, true));
  if (!out.target_machine) throw CompileError(fmt::format("LLVM has no code generator for {}", triple));
}

}  // namespace

void unwrap(llvm::Error error, std::string_view doing) {
  if (error) throw CompileError(std::string(doing) + ": " + llvm::toString(std::move(error)));
}

Target make_target(InstructionSet set) {
  initialize_targets();
  const llvm::Triple triple(llvm::sys::getProcessTriple());
  const Features host = llvm::sys::getHostCPUFeatures();
  Target out;
  out.cpu = llvm::sys::getHostCPUName().str();
  out.set = set;
  out.machine = machine_model(out.set);
  if (triple.isX86() && out.set == InstructionSet::portable) {
    out.cpu = "x86-64";
    out.has_fma = out.has_rounding = false;
  } else {
    // Names alone lie on virtual machines, so the features always go with them.
    std::vector<std::string> features;
    for (const auto& entry : host) {
      const std::string name = entry.getKey().str();
      const bool beyond = out.set == InstructionSet::avx2 && (name.starts_with("avx512") || name.starts_with("avx10") ||
                                                              name.starts_with("amx") || name == "evex512");
      features.push_back((entry.getValue() && !beyond ? "+" : "-") + name);
    }
    out.features = fmt::format("{}", fmt::join(features, ","));
    out.has_fma = out.has_rounding = !triple.isX86() || out.set != InstructionSet::portable;
  }
  add_machine(out, triple.str());
  return out;
}

Target make_target(AotTarget asked) {
  if (asked == AotTarget::native) return make_target(resolve(InstructionSet::native));
  initialize_targets();
  Target out;
  out.set = asked == AotTarget::aarch64     ? InstructionSet::neon
            : asked == AotTarget::x86_64_v4 ? InstructionSet::avx512
                                            : InstructionSet::avx2;
  out.machine = machine_model(out.set);
  out.cpu = asked == AotTarget::aarch64 ? "generic" : to_string(asked);
  out.has_fma = out.has_rounding = true;
  add_machine(out, asked == AotTarget::aarch64 ? "aarch64-linux-gnu" : "x86_64-linux-gnu");
  return out;
}

Target make_baseline_target() {
  initialize_targets();
  Target out;
  out.set = InstructionSet::portable;
  out.machine = machine_model(out.set);
  out.cpu = "x86-64";
  out.has_fma = out.has_rounding = false;
  add_machine(out, "x86_64-linux-gnu");
  return out;
}

}  // namespace lathe::emit
