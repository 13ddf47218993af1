#include <lathe/codegen/cpu.h>

#if defined(__x86_64__)
#include <cpuid.h>

#include <array>
#include <bit>
#else
#include <sys/auxv.h>
#endif

namespace lathe {
namespace {

#if defined(__x86_64__)

// Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID; AMD's manual, volume 3, appendix E.
struct Registers {
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
  Registers out;
  __get_cpuid_count(leaf, subleaf, &out.eax, &out.ebx, &out.ecx, &out.edx);  // zeros where there is no such leaf
  return out;
}

constexpr bool bit(std::uint64_t word, int number) {
  return (word >> number & 1) != 0;
}

/// The registers whose contents the system saves for programs; 0 where it knows only the oldest.
std::uint64_t saved_registers(const Registers& basic) {
  constexpr int osxsave = 27;
  if (!bit(basic.ecx, osxsave)) return 0;
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
}

std::string brand() {
  std::string out;
  for (const std::uint32_t leaf : {0x80000002U, 0x80000003U, 0x80000004U}) {
    const auto text = std::bit_cast<std::array<char, sizeof(Registers)>>(cpuid(leaf));
    out.append(text.data(), text.size());
  }
  out.resize(std::min(out.find('\0'), out.size()));
  const std::size_t first = out.find_first_not_of(' ');
  if (first == std::string::npos) return "x86-64";
  return out.substr(first, out.find_last_not_of(' ') - first + 1);
}

Cpu describe() {
  const Registers vendor = cpuid(0);
  const Registers basic = cpuid(1);
  const Registers extended = cpuid(7);
  const Registers more = cpuid(7, 1);
  const Registers saving = cpuid(0xd, 1);
  const Registers newest = cpuid(0x24);  // AVX10
  const Registers amd = cpuid(0x80000001);
  const Registers sizes = cpuid(0x80000008);
  const std::uint64_t saved = saved_registers(basic);
  constexpr std::uint64_t avx_registers = 0x6;
  constexpr std::uint64_t avx512_registers = 0xe6;

  Cpu out;
  out.name = brand();
  const auto note = [&](std::string_view name, std::uint64_t registers, std::uint32_t word, int number) {
    if ((saved & registers) == registers && bit(word, number)) out.features.push_back(name);
  };
  note("fma", avx_registers, basic.ecx, 12);
  note("avx2", avx_registers, extended.ebx, 5);
  note("avx512f", avx512_registers, extended.ebx, 16);
  note("avx512dq", avx512_registers, extended.ebx, 17);
  note("avx512bw", avx512_registers, extended.ebx, 30);
  note("avx512vl", avx512_registers, extended.ebx, 31);
  // Not leaf 1's ebx: it has the number of the core that answers.
  out.identity = {vendor.ebx,   vendor.ecx,   vendor.edx, basic.eax, basic.ecx, basic.edx, extended.ebx,
                  extended.ecx, extended.edx, more.eax,   more.ebx,  more.ecx,  more.edx,  saving.eax,
                  newest.ebx,   amd.ecx,      amd.edx,    sizes.ebx, saved};
  return out;
}

#else

Cpu describe() {
  Cpu out;
  const auto* platform = reinterpret_cast<const char*>(getauxval(AT_PLATFORM));
  out.name = platform ? platform : "unknown";
  for (const char c : out.name) out.identity.push_back(static_cast<unsigned char>(c));
  out.identity.push_back(getauxval(AT_HWCAP));
  out.identity.push_back(getauxval(AT_HWCAP2));
#if defined(__aarch64__)
  constexpr unsigned long asimd = 1UL << 1;  // HWCAP_ASIMD
  if ((getauxval(AT_HWCAP) & asimd) != 0) out.features.push_back("neon");
  constexpr unsigned long cpuid_is_readable = 1UL << 11;  // HWCAP_CPUID: the system answers for the registers
  if ((getauxval(AT_HWCAP) & cpuid_is_readable) != 0) {
    std::uint64_t model = 0;
    __asm__("mrs %0, midr_el1" : "=r"(model));
    out.identity.push_back(model);
  }
#endif
  return out;
}

#endif

}  // namespace

const Cpu& host_cpu() {
  static const Cpu cpu = describe();
  return cpu;
}

}  // namespace lathe
