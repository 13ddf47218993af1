#pragma once

#include <functional>

namespace lathe::test {

/// Runs `body` in a process of its own; its exit code, 99 if it throws, -1 if it ends by a signal.
int in_child(const std::function<int()>& body);

}  // namespace lathe::test
