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

}  // namespace

void unwrap(llvm::Error error, std::string_view doing) {
  if (error) throw CompileError(std::string(doing) + ": " + llvm::toString(std::move(error)));
}

Target make_target(InstructionSet set) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
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
  std::string error;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple.str(), error);
  if (!target) throw CompileError("finding this machine's code generator: " + error);
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  options.MCOptions.AsmVerbose = true;  // listings say where registers are spilled
  out.target_machine.reset(target->createTargetMachine(triple.str(), out.cpu, out.features, options, llvm::Reloc::PIC_,
                                                       llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default, true));
  if (!out.target_machine) throw CompileError(fmt::format("LLVM has no code generator for {}", triple.str()));
  return out;
}

}  // namespace lathe::emit
