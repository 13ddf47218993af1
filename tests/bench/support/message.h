#pragma once

namespace lathe::bench {

/// Nanoseconds that a message from one CPU to another and back takes: 100 where they share a cache, several times as
/// much where they do not. Under a hypervisor that may change from one minute to the next. 0 where there is one CPU.
double message_nanoseconds();

}  // namespace lathe::bench
