#pragma once

#include <functional>

namespace lathe::laboratory {

/// What `measure` gives in a process of its own, which has loaded, compiled and started nothing that this one had not.
/// Only for a process with a single thread. Throws lathe::Error if it fails there.
double measured_apart(const std::function<double()>& measure);

}  // namespace lathe::laboratory
