#pragma once

namespace lathe::test {

/// Whether the address sanitizer watches: then everything takes many times as long, and memory is kept for a while.
#ifdef LATHE_TEST_SANITIZED
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

}  // namespace lathe::test
