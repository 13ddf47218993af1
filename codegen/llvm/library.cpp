// A library becomes one module, and an object.
#include <lathe/codegen/llvm/library.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <llvm/ADT/DenseMap.h>
#include <llvm/ADT/STLExtras.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Linker/Linker.h>
#include <llvm/Object/ArchiveWriter.h>
#include <llvm/Support/raw_ostream.h>

#include <lathe/codegen/llvm/module.h>
#include <lathe/codegen/llvm/object.h>
#include <lathe/codegen/llvm/wrapper.h>
#include <lathe/graph/error.h>

namespace lathe::emit {
namespace {

std::vector<std::byte> to_bytes(llvm::StringRef data) {
  std::vector<std::byte> out(data.size());
  if (!out.empty()) std::memcpy(out.data(), data.data(), data.size());
  return out;
}

int level_of(AotTarget target) {
  return target == AotTarget::x86_64_v4 ? 4 : 3;
}

/// Best first. Throws CompileError for what no object can hold together.
std::vector<AotTarget> in_order(std::vector<AotTarget> targets) {
  if (targets.empty()) throw CompileError("compiling ahead of time: no target is given");
  std::sort(targets.begin(), targets.end(), [](AotTarget a, AotTarget b) { return level_of(a) > level_of(b); });
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  for (const AotTarget target : targets) {
    if (targets.size() == 1 || target == AotTarget::x86_64_v3 || target == AotTarget::x86_64_v4) continue;
    throw CompileError(
        fmt::format("compiling ahead of time: '{}' cannot share an object with other targets", to_string(target)));
  }
  return targets;
}

/// Takes a module of one program in: nothing of it is seen from outside, and its names say whose it is.
void add_program(llvm::Module& into, const LibraryFunction& function, const Variant& variant, Target& target) {
  auto module = std::make_unique<llvm::Module>(entry_name(function, variant), into.getContext());
  emit_standalone_program(*function.program, target, *module);
  for (llvm::Function& part : *module) {
    if (part.isDeclaration()) continue;
    const bool is_entry = part.getName() == entry_symbol;
    const std::string name = entry_name(function, variant);
    part.setName(is_entry ? name : fmt::format("{}.{}", name, std::string_view(part.getName())));
    if (!is_entry) part.setLinkage(llvm::GlobalValue::InternalLinkage);
  }
  const bool failed = llvm::Linker::linkModules(into, std::move(module));
  ensure(!failed, "a program's module cannot be linked into its library's");
}

/// Leaves one of each coefficient: programs of a library have many in common.
void share_coefficients(llvm::Module& module) {
  llvm::DenseMap<llvm::Constant*, llvm::GlobalVariable*> kept;
  for (llvm::GlobalVariable& memory : llvm::make_early_inc_range(module.globals())) {
    if (memory.getSection() != coefficient_section) continue;
    const auto [at, is_first] = kept.try_emplace(memory.getInitializer(), &memory);
    if (is_first) continue;
    memory.replaceAllUsesWith(at->second);
    memory.eraseFromParent();
  }
}

/// Hides what only the object itself calls.
void internalize(llvm::Module& module, const LibrarySpec& library, std::span<const Variant> variants) {
  for (const LibraryFunction& function : library.functions) {
    for (const Variant& variant : variants) {
      module.getFunction(entry_name(function, variant))->setLinkage(llvm::GlobalValue::InternalLinkage);
    }
  }
}

std::vector<std::byte> archive_of(const std::string& member, llvm::StringRef object) {
  std::vector<llvm::NewArchiveMember> members;
  members.emplace_back(llvm::MemoryBufferRef(object, member));
  const auto buffer = unwrap(llvm::writeArchiveToBuffer(members, llvm::SymtabWritingMode::NormalSymtab,
                                                        llvm::object::Archive::K_GNU, true, false),
                             "writing a static library");
  return to_bytes(buffer->getBuffer());
}

}  // namespace

LibraryObject compile_library(const LibrarySpec& library, const std::vector<AotTarget>& asked) {
  const std::vector<AotTarget> targets = in_order(asked);
  std::vector<Variant> variants;
  for (const AotTarget target : targets) {
    variants.push_back({std::string(to_string(target)), targets.size() == 1 ? 0 : level_of(target)});
  }
  llvm::LLVMContext context;
  llvm::Module module(library.name, context);
  // The CPU that wrappers and the whole object are for: with several variants, one that runs before one is chosen.
  Target base = targets.size() == 1 ? make_target(targets[0]) : make_baseline_target();
  emit_wrappers(library, variants, base, module);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    Target target = make_target(targets[i]);
    for (const LibraryFunction& function : library.functions) add_program(module, function, variants[i], target);
  }
  share_coefficients(module);
  internalize(module, library, variants);
  std::string message;
  llvm::raw_string_ostream stream(message);
  ensure(!llvm::verifyModule(module, &stream), "the emitted module is malformed: " + message);

  const std::unique_ptr<llvm::MemoryBuffer> object = compile_module(module, base);
  return {to_bytes(object->getBuffer()), archive_of(library.name + ".o", object->getBuffer())};
}

}  // namespace lathe::emit
