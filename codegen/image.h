#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <lathe/codegen/abi.h>

namespace lathe {

/// A program's machine code and the constants it reads, linked and whole: no symbol is left to resolve and nothing in
/// it says where it lies, so that it runs wherever its bytes are mapped, in this process or a later one.
struct Image {
  std::vector<std::byte> bytes;  // code, then from the next page on what is only read
  std::size_t code_bytes = 0;    // whole pages
  std::size_t entry = 0;         // offset of the abi::EntryPoint

  bool operator==(const Image&) const = default;
};

/// The unit of memory protection on this machine.
std::size_t page_bytes();

/// An image in memory of its own, ready to run. At no time can any of it be both written and executed.
class LoadedImage {
 public:
  /// Throws CompileError if the image's parts cannot be where it says, or the system gives no memory.
  explicit LoadedImage(const Image& image);

  abi::EntryPoint entry() const;

 private:
  struct Unmap {
    std::size_t bytes;
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte, Unmap> memory_;
  std::size_t entry_;
};

}  // namespace lathe
