#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

/// For one file of a test: memory of tensors, known by its alignment, ends where no one may read or write, but for as
/// many bytes as that alignment takes; those, and what lies before it, must be as they were when it is freed.
namespace lathe::test {

struct Fenced {
  std::size_t bytes;        // what was asked for
  std::size_t block_bytes;  // with what is around it
};

constexpr std::byte untouched{0xa5};

inline std::size_t page_bytes() {
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// A page for `Fenced`, pages for the memory, which lies at their end, and one that no one may touch.
inline void* allocate_fenced(std::size_t bytes, std::size_t alignment) {
  const std::size_t page = page_bytes();
  const std::size_t rounded = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  const std::size_t block_bytes = (rounded + page - 1) / page * page + 2 * page;
  void* block = mmap(nullptr, block_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) throw std::bad_alloc();
  std::byte* begin = static_cast<std::byte*>(block);
  std::byte* end = begin + block_bytes - page;
  mprotect(end, page, PROT_NONE);
  std::byte* memory = end - rounded;
  new (block) Fenced{bytes, block_bytes};
  std::fill(begin + sizeof(Fenced), memory, untouched);
  std::fill(memory + bytes, end, untouched);
  return memory;
}

inline void free_fenced(void* memory) {
  if (!memory) return;
  const std::size_t page = page_bytes();
  std::byte* begin = static_cast<std::byte*>(memory) - reinterpret_cast<std::uintptr_t>(memory) % page - page;
  const Fenced fenced = *std::launder(reinterpret_cast<Fenced*>(begin));
  std::byte* end = begin + fenced.block_bytes - page;
  const auto is_untouched = [](std::byte byte) { return byte == untouched; };
  if (!std::all_of(begin + sizeof(Fenced), static_cast<std::byte*>(memory), is_untouched) ||
      !std::all_of(static_cast<std::byte*>(memory) + fenced.bytes, end, is_untouched)) {
    std::fputs("memory around a tensor was written to\n", stderr);
    std::abort();
  }
  munmap(begin, fenced.block_bytes);
}

/// Very large ones, which begin at huge pages, are left alone.
inline bool is_of_tensor(std::align_val_t alignment) {
  constexpr std::size_t tensor_alignment = 64;
  return static_cast<std::size_t>(alignment) >= tensor_alignment && static_cast<std::size_t>(alignment) <= page_bytes();
}

inline void* allocate_aligned(std::size_t bytes, std::align_val_t alignment) {
  if (is_of_tensor(alignment)) return allocate_fenced(bytes, static_cast<std::size_t>(alignment));
  const auto multiple = std::max(static_cast<std::size_t>(alignment), sizeof(void*));
  void* memory = std::aligned_alloc(multiple, (bytes + multiple - 1) / multiple * multiple);
  if (!memory) throw std::bad_alloc();
  return memory;
}

inline void free_aligned(void* memory, std::align_val_t alignment) {
  is_of_tensor(alignment) ? free_fenced(memory) : std::free(memory);
}

}  // namespace lathe::test

void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return lathe::test::allocate_aligned(bytes, alignment);
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return lathe::test::allocate_aligned(bytes, alignment);
}
void operator delete(void* memory, std::align_val_t alignment) noexcept {
  lathe::test::free_aligned(memory, alignment);
}
void operator delete[](void* memory, std::align_val_t alignment) noexcept {
  lathe::test::free_aligned(memory, alignment);
}
void operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
  lathe::test::free_aligned(memory, alignment);
}
void operator delete[](void* memory, std::size_t, std::align_val_t alignment) noexcept {
  lathe::test::free_aligned(memory, alignment);
}
