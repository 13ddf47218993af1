#pragma once

#include <source_location>
#include <string>

#include <fmt/format.h>

#include <lathe/graph/error.h>
#include <lathe/graph/source_line.h>

namespace lathe::test {

/// What `f` throws, which must be an E, in which "(file.cpp:12)" is "(HERE)" if it is the line of this call; the
/// nearest lines count, since a call may take several.
template <class E = Error, class F>
std::string message_of(F f, std::source_location where = std::source_location::current()) {
  std::string message = "nothing was thrown";
  try {
    f();
  } catch (const E& error) {
    message = error.what();
  }
  const SourceLine call(where);
  for (std::uint32_t line = call.line; line < call.line + 3; ++line) {
    const std::string text = fmt::format("({}:{})", call.file, line);
    const std::size_t at = message.find(text);
    if (at != std::string::npos) message.replace(at, text.size(), "(HERE)");
  }
  return message;
}

}  // namespace lathe::test
