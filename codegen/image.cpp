#include <lathe/codegen/image.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include <lathe/graph/error.h>

namespace lathe {
namespace {

void check(const Image& image) {
  const bool whole_pages = image.code_bytes > 0 && image.code_bytes % page_bytes() == 0;
  if (whole_pages && image.code_bytes <= image.bytes.size() && image.entry < image.code_bytes) return;
  throw CompileError(fmt::format("an image of {} bytes cannot have {} bytes of code, entered at {}", image.bytes.size(),
                                 image.code_bytes, image.entry));
}

void require(bool done, std::string_view doing) {
  if (!done) throw CompileError(fmt::format("{}: {}", doing, std::strerror(errno)));
}

std::byte* map(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "getting memory for compiled code");
  return static_cast<std::byte*>(memory);
}

}  // namespace

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

void LoadedImage::Unmap::operator()(std::byte* memory) const {
  munmap(memory, bytes);
}

LoadedImage::LoadedImage(const Image& image) : memory_(nullptr, Unmap{image.bytes.size()}), entry_(image.entry) {
  check(image);
  memory_.reset(map(image.bytes.size()));
  std::memcpy(memory_.get(), image.bytes.data(), image.bytes.size());
  require(mprotect(memory_.get(), image.bytes.size(), PROT_READ) == 0, "making compiled code read-only");
  require(mprotect(memory_.get(), image.code_bytes, PROT_READ | PROT_EXEC) == 0, "making compiled code executable");
  // Some CPUs would still fetch what was there before.
  auto* code = reinterpret_cast<char*>(memory_.get());
  __builtin___clear_cache(code, code + image.code_bytes);
}

abi::EntryPoint LoadedImage::entry() const {
  return reinterpret_cast<abi::EntryPoint>(memory_.get() + entry_);
}

}  // namespace lathe
