#pragma once

#include <memory>
#include <string>
#include <vector>

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <lathe/codegen/llvm/target.h>
#include <lathe/codegen/program.h>

namespace lathe::emit {

/// What the functions of one module share. A kernel gets one pointer to a frame: 64-bit slots that hold the address of
/// every tensor in memory, then the symbols' values, the address of the run's Failure, and whether one thread does it
/// all.
struct ModuleEmitter {
  /// `standalone`: for code that has nothing but what it is called with: all constants are in it, it hands nothing to
  /// the host, and takes no time.
  ModuleEmitter(llvm::Module& module, const Program& program, const Target& target, bool standalone = false);

  llvm::LLVMContext& context;
  llvm::Module& module;
  const Program& program;
  const Target& target;
  bool standalone;

  /// void (to, from, bytes): of memory that is the same or apart.
  llvm::Function* copy();

  unsigned tensor_slot(loop::TensorId id) const { return static_cast<unsigned>(id); }
  unsigned symbol_slot(std::size_t index) const { return static_cast<unsigned>(program.tensors.size() + index); }
  unsigned failure_slot() const { return symbol_slot(program.symbols.size()); }
  unsigned alone_slot() const { return failure_slot() + 1; }
  unsigned frame_slots() const { return alone_slot() + 1; }
  std::size_t symbol_index(SymbolId symbol) const;

  /// The type of values; i1 for bool.
  llvm::Type* type(DType dtype) const;
  /// The type in memory, where a bool is a byte.
  llvm::Type* memory_type(DType dtype) const;
  llvm::IntegerType* i64_type() const { return llvm::Type::getInt64Ty(context); }
  llvm::PointerType* pointer_type() const { return llvm::PointerType::getUnqual(context); }

  llvm::Function* make_function(const std::string& name, llvm::Type* result, llvm::ArrayRef<llvm::Type*> parameters,
                                bool visible = false) const;
  /// void (frame, begin, end)
  llvm::Function* make_kernel(const std::string& name) const;

 private:
  llvm::Function* emit_copy() const;

  llvm::Function* copy_ = nullptr;
};

/// A module with a context of its own, so that it may be compiled while others are.
struct Part {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
};

/// Whether a constant tensor is part of the code. A larger one is reached through abi::Arguments::constants.
bool is_embedded(const Tensor& constant);
/// Where code that stands alone keeps its coefficients: see KernelEmitter::from_memory.
inline constexpr const char* coefficient_section = ".data.rel.ro.lathe";
/// What the linker looks for.
inline constexpr const char* entry_symbol = "lathe_program";

/// Emits the entry point, an abi::EntryPoint called `entry_symbol`, and all kernels, spread over at most so many
/// parts: no more than there are steps.
std::vector<Part> emit_program(const Program& program, const Target& target, int most_parts);
/// The same in one module, standing alone.
void emit_standalone_program(const Program& program, const Target& target, llvm::Module& module);

}  // namespace lathe::emit
