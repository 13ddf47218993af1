#pragma once

#include <memory>
#include <string>
#include <vector>

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <lathe/codegen/llvm/target.h>
#include <lathe/codegen/program.h>

namespace lathe::emit {

/// What a slot of a kernel's frame holds.
struct FrameSlot {
  enum class Kind {
    tensor,   // the address of the tensor of that number
    symbol,   // the value of the program's symbol of that number
    failure,  // the address of the run's Failure
    alone,    // whether one thread does it all
  };
  Kind kind;
  std::size_t number = 0;
  bool operator==(const FrameSlot&) const = default;
};

/// What the functions of one module share. A kernel gets one pointer to a frame of its own: 64-bit slots for what it
/// needs, in the order in which it asks, so that kernels that do the same to other tensors are the same code.
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
  /// A kernel of another module, to call from here.
  llvm::Function* declare_kernel(const std::string& name) const;

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
