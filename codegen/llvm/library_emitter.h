#pragma once

#include <span>
#include <string>

#include <lathe/codegen/library.h>
#include <lathe/codegen/llvm/module.h>
#include <lathe/codegen/llvm/wrapper.h>

namespace lathe::emit {

/// The struct lathe_call of the header, which the host may pass.
namespace call_layout {
constexpr std::uint64_t parallel_for = 0;
constexpr std::uint64_t context = 8;
constexpr std::uint64_t failed_index = 16;
constexpr std::uint64_t failed_value = 24;
}  // namespace call_layout

inline constexpr std::int64_t block_alignment = 64;  // of states and arenas

/// What the functions of a library share, and those of its functions that run no program.
class LibraryEmitter {
 public:
  LibraryEmitter(const LibrarySpec& library_, std::span<const Variant> variants_, const Target& target_,
                 llvm::Module& module_)
      : library(library_), variants(variants_), is_x86(target_.is_x86()), emitter_(module_, nothing_, target_, true) {}

  /// Messages, checksum, and all about the state.
  void emit();

  const LibrarySpec& library;
  std::span<const Variant> variants;
  const bool is_x86;

  llvm::Module& module() { return emitter_.module; }
  llvm::LLVMContext& context() { return emitter_.context; }
  llvm::PointerType* pointer() { return emitter_.pointer_type(); }
  llvm::Function* make_function(const std::string& name, llvm::Type* result, llvm::ArrayRef<llvm::Type*> parameters,
                                bool visible) {
    return emitter_.make_function(name, result, parameters, visible);
  }
  llvm::Function* copy() { return emitter_.copy(); }
  /// i32 (): the level of this CPU.
  llvm::Function* cpu_level();
  /// The codes of a function's checks start here.
  std::int64_t first_check(std::size_t function) const;
  llvm::Constant* bytes(std::span<const std::byte> data, const std::string& name);
  /// Zeros to point to in place of an empty tensor.
  llvm::Constant* nothing();

 private:
  void emit_message();
  void emit_number(const std::string& name, std::uint64_t value);
  void emit_variable(const LibraryVariable& variable);

  Program nothing_;
  ModuleEmitter emitter_;
  llvm::Function* cpu_level_ = nullptr;
  llvm::Constant* empty_ = nullptr;
};

}  // namespace lathe::emit
