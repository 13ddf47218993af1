#include <lathe/runtime/host.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include <lathe/codegen/layout.h>

namespace lathe {

void print(const SessionOptions& options, std::string_view message, const Tensor& tensor) {
  const std::string text = message.empty() ? to_string(tensor) : fmt::format("{}: {}", message, to_string(tensor));
  if (options.print) {
    options.print(text);
  } else {
    fmt::print(stderr, "{}\n", text);
  }
}

void Host::print(std::int64_t number, const void* data) const {
  const auto step = std::find_if(
      interface.prints.begin(), interface.prints.end(),
      [&](const ProgramInterface::Print& print) { return print.step == static_cast<std::size_t>(number); });
  ensure(step != interface.prints.end(), "a step prints that is none that does");
  Tensor tensor(step->type.dtype, evaluate(step->type.shape, bindings));
  const std::span<std::byte> bytes = tensor.bytes();
  if (!bytes.empty()) std::memcpy(bytes.data(), data, bytes.size());
  if (step->panel != 0) tensor = from_panels(tensor);
  lathe::print(options, step->message, tensor);
}

// Nothing may be thrown through compiled code.
void Host::call(void* context, std::int64_t step, const void* data) {
  Host& host = *static_cast<Host*>(context);
  try {
    host.print(step, data);
  } catch (...) {
    if (!host.thrown) host.thrown = std::current_exception();
  }
}

}  // namespace lathe
