#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include <llvm/IR/Function.h>

namespace lathe::emit {

/// Finds functions that are the same code, in whatever module: the layers of a network have the same kernels, and most
/// of the time that compiling takes goes into each of them.
class UniqueFunctions {
 public:
  /// `made`, or the function like it that was here before; then `made` is gone.
  llvm::Function* only(llvm::Function* made);

 private:
  struct Known {
    llvm::Function* function;
    std::string text;  // empty until another one is compared with it
  };
  std::unordered_multimap<std::uint64_t, Known> known_;  // by a hash of their structure
};

}  // namespace lathe::emit
