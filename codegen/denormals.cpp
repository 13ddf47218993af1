#include <lathe/codegen/denormals.h>

#if defined(__x86_64__) || defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace lathe {
namespace {

#if defined(__x86_64__) || defined(__SSE__)

constexpr std::uint64_t flush_bits = 0x8040;  // FTZ is bit 15, DAZ bit 6

std::uint64_t read_mode() {
  return _mm_getcsr();
}
void write_mode(std::uint64_t mode) {
  _mm_setcsr(static_cast<unsigned>(mode));
}

#elif defined(__aarch64__)

constexpr std::uint64_t flush_bits = std::uint64_t{1} << 24;  // FZ

std::uint64_t read_mode() {
  std::uint64_t mode = 0;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void write_mode(std::uint64_t mode) {
  asm volatile("msr fpcr, %0" : : "r"(mode));
}

#else

constexpr std::uint64_t flush_bits = 0;

std::uint64_t read_mode() {
  return 0;
}
void write_mode(std::uint64_t) {}

#endif

}  // namespace

FlushDenormals::FlushDenormals() : before_(read_mode()) {
  write_mode(before_ | flush_bits);
}

FlushDenormals::~FlushDenormals() {
  write_mode(before_);
}

}  // namespace lathe
