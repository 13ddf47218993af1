#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <lathe/codegen/program.h>

namespace lathe {

/// What whoever runs a program has to know of it: all but how it computes. With it and its code a program runs that
/// was lowered in another process.
struct ProgramInterface {
  /// A step that hands a tensor to the host.
  struct Print {
    std::size_t step;
    std::string message;
    TensorType type;
    std::int64_t panel;  // see ProgramTensor
    bool operator==(const Print&) const = default;
  };

  std::size_t inputs = 0;
  std::size_t variables = 0;
  std::vector<TensorType> outputs;  // by slot: the graph's, then those of exchanges
  std::vector<Exchange> exchanges;
  std::vector<std::shared_ptr<const Tensor>> constants;  // by TensorId; null for what is none
  std::vector<SymbolId> symbols;
  Dim arena_bytes;
  std::vector<loop::CheckInfo> checks;  // by CheckId
  std::vector<Print> prints;
  std::size_t steps = 0;
  std::size_t kernels = 0;  // of the steps
};

ProgramInterface interface_of(const Program& program);

/// What abi::Arguments::constants points to. Holds as long as the constants do.
std::vector<const void*> constant_addresses(const ProgramInterface& interface);

}  // namespace lathe
