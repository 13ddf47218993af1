#include <lathe/graph/tensor.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <fmt/format.h>

namespace lathe {
namespace {

constexpr std::size_t alignment = 64;

/// Memory of this size is laid out in pages of it: with small ones, walking through a large tensor in strides would
/// take a page's address anew at every step.
constexpr std::size_t huge_page_bytes = std::size_t{2} << 20U;

constexpr std::size_t page_bytes = 4096;

/// Arrays that a loop goes through side by side had better not lie alike within their pages: they would share few sets
/// of the first-level cache, and loads from one would wait for stores to another. So tensors of many pages begin at
/// places in turn, each so many bytes after the one before: all multiples of 128 come before any comes again.
constexpr std::size_t stagger_bytes = 1664;
constexpr std::size_t many_pages_bytes = 16 * page_bytes;

bool is_staggered(std::size_t bytes) {
  return bytes >= many_pages_bytes && bytes < huge_page_bytes;
}

std::size_t next_offset(std::size_t bytes) {
  static std::atomic<std::size_t> number = 0;
  return is_staggered(bytes) ? number.fetch_add(1, std::memory_order_relaxed) * stagger_bytes % page_bytes : 0;
}

std::align_val_t alignment_of(std::size_t bytes) {
  if (bytes >= huge_page_bytes) return std::align_val_t{huge_page_bytes};
  return std::align_val_t{is_staggered(bytes) ? page_bytes : alignment};
}

/// Tells the system how memory will be used. Where it does not take advice, nothing but time is lost.
void advise([[maybe_unused]] std::byte* memory, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__)
  if (bytes >= huge_page_bytes) madvise(memory, bytes / huge_page_bytes * huge_page_bytes, MADV_HUGEPAGE);
#if defined(MADV_POPULATE_WRITE)
  // To ask for all pages at once takes a fraction of what it takes to be interrupted at each of them.
  constexpr std::size_t several = 8 * page_bytes;
  const auto first = (reinterpret_cast<std::uintptr_t>(memory) + page_bytes - 1) / page_bytes * page_bytes;
  const auto last = (reinterpret_cast<std::uintptr_t>(memory) + bytes) / page_bytes * page_bytes;
  if (bytes >= several) madvise(reinterpret_cast<void*>(first), last - first, MADV_POPULATE_WRITE);
#endif
#endif
}

std::size_t bytes_for(DType dtype, std::span<const std::int64_t> shape) {
  for (const std::int64_t extent : shape) {
    if (extent < 0) throw RunError(fmt::format("a tensor cannot have shape [{}]", fmt::join(shape, ", ")));
  }
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<std::size_t>(element_count(shape)), size_of(dtype), &bytes)) {
    throw RunError(fmt::format("a tensor of shape [{}] does not fit into memory", fmt::join(shape, ", ")));
  }
  return bytes;
}

}  // namespace

void Tensor::Free::operator()(std::byte* memory) const {
  ::operator delete[](memory - offset_bytes, alignment_of(capacity_bytes));
}

Tensor::Tensor(DType dtype, Extents shape)
    : dtype_(dtype), shape_(std::move(shape)), size_bytes_(bytes_for(dtype_, shape_)) {
  const std::size_t offset = next_offset(size_bytes_);
  auto* const memory = new (alignment_of(size_bytes_)) std::byte[offset + std::max(size_bytes_, alignment)];
  bytes_ = {memory + offset, Free{size_bytes_, offset}};
  advise(bytes_.get(), size_bytes_);
  std::memset(bytes_.get(), 0, size_bytes_);
}

Tensor::Tensor(const Tensor& other) : Tensor(other.dtype_, other.shape_) {
  std::memcpy(bytes_.get(), other.bytes_.get(), other.bytes().size());
}

Tensor& Tensor::operator=(const Tensor& other) {
  if (this != &other) *this = Tensor(other);
  return *this;
}

double Tensor::at(std::int64_t flat) const {
  if (flat < 0 || flat >= size()) {
    throw RunError(fmt::format("element {} of a tensor of shape {}", flat, to_string(shape_)));
  }
  return dispatch(dtype_, [&]<class T>(T) { return static_cast<double>(data<T>()[static_cast<std::size_t>(flat)]); });
}

void Tensor::resize(std::span<const std::int64_t> shape) {
  if (std::equal(shape.begin(), shape.end(), shape_.begin(), shape_.end())) return;
  const std::size_t bytes = bytes_for(dtype_, shape);
  if (bytes > bytes_.get_deleter().capacity_bytes || !bytes_) {
    *this = Tensor(dtype_, Extents(shape.begin(), shape.end()));
    return;
  }
  shape_.assign(shape.begin(), shape.end());
  size_bytes_ = bytes;
}

bool Tensor::operator==(const Tensor& other) const {
  return dtype_ == other.dtype_ && shape_ == other.shape_ &&
         std::memcmp(bytes_.get(), other.bytes_.get(), bytes().size()) == 0;
}

void Tensor::check_count(const Tensor& tensor, std::size_t count) {
  if (static_cast<std::size_t>(tensor.size()) == count) return;
  throw RunError(
      fmt::format("a tensor of shape {} holds {} elements, not {}", to_string(tensor.shape_), tensor.size(), count));
}

void Tensor::check_dtype(DType asked) const {
  if (asked == dtype_) return;
  throw RunError(fmt::format("a tensor of {} cannot be read as {}", to_string(dtype_), to_string(asked)));
}

std::string to_string(const Tensor& tensor) {
  constexpr std::int64_t shown = 8;
  std::string elements;
  for (std::int64_t i = 0; i < std::min(tensor.size(), shown); ++i) {
    elements += fmt::format("{}{:.6g}", i == 0 ? "" : ", ", tensor.at(i));
  }
  return fmt::format("{} {{{}{}}}", to_string(tensor.type()), elements, tensor.size() > shown ? ", ..." : "");
}

}  // namespace lathe
