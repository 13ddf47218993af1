#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <string_view>

#include <lathe/codegen/interface.h>

namespace lathe {

/// What print steps need to know of the run that they are in.
struct Host {
  const ProgramInterface& interface;
  const Bindings& bindings;
  const std::function<void(std::string_view)>& sink;  // standard error if empty
  std::exception_ptr thrown;                          // by the sink: for after the run

  /// An abi::HostCall, whose context is a Host.
  static void call(void* context, std::int64_t step, const void* data);

 private:
  void print(std::int64_t number, const void* data) const;
};

}  // namespace lathe
