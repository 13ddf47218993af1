#include <lathe/codegen/compiler.h>

#include <dlfcn.h>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe {
namespace {

const Compiler& load() {
  const std::filesystem::path path = compiler_library();
  // Never closed: LLVM has static objects that other libraries may point to.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw CompileError(fmt::format("cannot load Lathe's compiler '{}': {}", path.string(), dlerror()));
  const auto function = reinterpret_cast<CompilerFunction>(dlsym(library, "lathe_llvm_compiler"));
  if (!function) throw CompileError(fmt::format("'{}' is not Lathe's compiler: {}", path.string(), dlerror()));
  return *function();
}

}  // namespace

std::filesystem::path compiler_library() {
  Dl_info own{};
  const int found = dladdr(reinterpret_cast<const void*>(&compiler_library), &own);
  ensure(found != 0 && own.dli_fname, "the system does not know where Lathe was loaded from");
  return std::filesystem::absolute(own.dli_fname).parent_path() / LATHE_COMPILER_LIBRARY;
}

const Compiler& compiler() {
  static const Compiler& loaded = load();
  return loaded;
}

}  // namespace lathe
