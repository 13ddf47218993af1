#pragma once

#include <cstddef>
#include <cstdint>

#include <lathe/codegen/abi.h>
#include <lathe/codegen/program.h>

namespace lathe::loop {

/// One run of a program: where its tensors are, what its symbols stand for, the first check that failed.
class Run {
 public:
  Run(const Program& program, const abi::Arguments& arguments);

  const Program& program() const { return program_; }
  const Pool& pool() const { return *program_.pool; }
  const abi::Arguments& arguments() const { return arguments_; }
  std::int64_t number(const Dim& dim) const { return dim.evaluate(bindings_); }
  Extents extents(TensorId tensor) const { return evaluate(program_.tensor(tensor).type.shape, bindings_); }
  Extents extents(const Shape& shape) const { return evaluate(shape, bindings_); }
  const std::byte* read(TensorId tensor) const;
  std::byte* write(TensorId tensor) const;

  /// Of several failed checks the one with the smallest check, then index, stays.
  void fail(CheckId check, std::int64_t index, std::int64_t detail);
  bool failed() const { return failure_.check != abi::no_check; }
  const abi::Failure& failure() const { return failure_; }

 private:
  const Program& program_;
  const abi::Arguments& arguments_;
  Bindings bindings_;
  abi::Failure failure_{abi::no_check, 0, 0, 0};
};

}  // namespace lathe::loop
