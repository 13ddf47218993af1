#pragma once

#include <cstdint>
#include <exception>
#include <string_view>

#include <lathe/codegen/interface.h>
#include <lathe/runtime/options.h>

namespace lathe {

/// Shows what a `print` node prints, as the options say.
void print(const SessionOptions& options, std::string_view message, const Tensor& tensor);

/// What print steps need to know of the run that they are in.
struct Host {
  const ProgramInterface& interface;
  const Bindings& bindings;
  const SessionOptions& options;
  std::exception_ptr thrown;  // while printing: for after the run

  /// An abi::HostCall, whose context is a Host.
  static void call(void* context, std::int64_t step, const void* data);

 private:
  void print(std::int64_t number, const void* data) const;
};

}  // namespace lathe
