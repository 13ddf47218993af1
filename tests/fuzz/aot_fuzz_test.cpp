// Calls functions compiled ahead of time with hostile sizes and pointers. Every buffer ends, or begins, at a page that
// nobody may touch, and the rest of its pages must keep what was there: so anything read or written outside what the
// header promises is seen.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/lathe.h>

#include "../support/aot_library.h"

using namespace lathe;
using namespace lathe::test;

namespace {

using Kind = LibraryParameter::Kind;

/// Memory between two forbidden pages, as near as alignment allows to the one behind, or to the one before.
class GuardedBuffer {
 public:
  GuardedBuffer(std::size_t bytes, std::size_t alignment, bool at_end)
      : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))), bytes_(bytes) {
    inner_ = std::max<std::size_t>((bytes + page_ - 1) / page_, 1) * page_;
    void* made = mmap(nullptr, inner_ + 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(made != MAP_FAILED);
    all_ = static_cast<std::byte*>(made);
    REQUIRE(mprotect(all_, page_, PROT_NONE) == 0);
    REQUIRE(mprotect(all_ + page_ + inner_, page_, PROT_NONE) == 0);
    std::memset(all_ + page_, filler, inner_);
    data_ = all_ + page_ + (at_end ? (inner_ - bytes) / alignment * alignment : 0);
  }
  ~GuardedBuffer() { munmap(all_, inner_ + 2 * page_); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  std::byte* data() const { return data_; }
  std::span<std::byte> bytes() const { return {data_, bytes_}; }
  /// Whether all but the buffer's own bytes still are what they were.
  bool untouched_around() const {
    const auto is_filler = [](std::byte byte) { return byte == std::byte{filler}; };
    return std::all_of(all_ + page_, data_, is_filler) && std::all_of(data_ + bytes_, all_ + page_ + inner_, is_filler);
  }

 private:
  static constexpr unsigned char filler = 0xa5;
  std::size_t page_;
  std::size_t bytes_;
  std::size_t inner_ = 0;
  std::byte* all_ = nullptr;
  std::byte* data_ = nullptr;
};

/// Kernels of all kinds: contractions with packing, convolution, rows, gathers, scatters, scalars, updates in place.
struct Functions {
  explicit Functions(Graph& graph) {
    const Value images = placeholder(graph, "images", u8, {dim("batch"), 9, 9, 3});
    const Value labels = placeholder(graph, "labels", i32, {dim("batch")});
    const Value table = placeholder(graph, "table", f64, {dim("rows"), 5});
    const Value picked = placeholder(graph, "picked", i64, {dim("batch")});
    const Variable kernel = variable(graph, "kernel", nn::init::glorot_uniform(graph, {3, 3, 3, 7}));
    const Variable w = variable(graph, "w", nn::init::glorot_uniform(graph, {112, 130}));
    const Variable v = variable(graph, "v", nn::init::glorot_uniform(graph, {130, 11}));
    const Value conv = relu(conv2d(cast(images, f32) * (1.0 / 255), kernel));
    const Value pooled = flatten(max_pool2d(conv, 2, {.padding = Padding::same}));
    const Value logits = matmul(matmul(pooled, w), v);
    const Value loss = mean(sparse_softmax_cross_entropy(labels, logits));
    const Value rows = gather(table, picked);
    all = {aot::initialize("init"),
           {.name = "train", .feeds = {images, labels}, .fetches = {{"loss", loss}, optim::adam().minimize(loss)}},
           {.name = "predict", .feeds = {images}, .fetches = {{"y", softmax(logits)}}},
           {.name = "rows", .feeds = {table, picked}, .fetches = {{"y", rows}, {"squares", sum(square(rows), {0})}}},
           {.name = "slopes", .feeds = {table, picked}, .fetches = {{"y", gradients({sum(square(rows))}, {table})[0]}}},
           {.name = "turned", .feeds = {table}, .fetches = {{"y", transpose(table) * 2.0}}}};
  }
  std::vector<aot::Function> all;
};

class Fuzzer {
 public:
  explicit Fuzzer(const AotLibrary& library) : library_(library) {}

  /// One call with sizes that make sense, of which buffers are exactly as large as the header says.
  void call_well(const std::string& name, bool at_end) {
    const LibraryFunction& function = library_.function(name);
    std::vector<std::int64_t> sizes;
    for (std::size_t i = 0; i < function.sizes.size(); ++i) sizes.push_back(pick({0, 1, 2, 3, 7, 8, 17, 40, 129}));
    prepare(function, sizes, at_end);
    const std::int32_t code = library_.call(name, words_);
    CAPTURE(library_.message(code));
    // An index of any value is allowed; it fails a check.
    CHECK((code == 0 || code >= static_cast<std::int32_t>(LibraryError::first_check)));
    for (const auto& buffer : buffers_) CHECK(buffer->untouched_around());
  }

  /// One call in which something makes no sense: must be refused, with every byte as it was.
  void call_badly(const std::string& name) {
    const LibraryFunction& function = library_.function(name);
    std::vector<std::int64_t> sizes(function.sizes.size(), 3);
    prepare(function, sizes, true);
    std::vector<std::size_t> spoilable;
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const Kind kind = function.parameters[i].kind;
      if (kind != Kind::call && kind != Kind::seed && alignment(function.parameters[i]) > 1) spoilable.push_back(i);
    }
    const std::size_t place = spoilable[random_() % spoilable.size()];
    const LibraryParameter& parameter = function.parameters[place];
    if (parameter.kind == Kind::size) {
      words_[place] = static_cast<Word>(pick({-1, INT64_MIN, INT64_MAX, largest_size + 1, std::int64_t{1} << 62,
                                              INT64_MIN + 3, -(std::int64_t{1} << 40)}));
    } else if (parameter.kind == Kind::arena && buffers_for_[place]->bytes().empty()) {
      words_[place] += 1;  // an arena of no bytes may be null
    } else if (random_() % 2 == 0) {
      words_[place] = 0;
    } else {
      words_[place] += 1 + random_() % (alignment(parameter) - 1);
    }
    std::vector<std::vector<std::byte>> before;
    for (const auto& buffer : buffers_) before.emplace_back(buffer->bytes().begin(), buffer->bytes().end());
    const std::int32_t code = library_.call(name, words_);
    CAPTURE(parameter.name);
    CHECK(code > 0);
    CHECK(code < static_cast<std::int32_t>(LibraryError::first_check));
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      CHECK(std::equal(before[i].begin(), before[i].end(), buffers_[i]->bytes().begin()));
      CHECK(buffers_[i]->untouched_around());
    }
  }

 private:
  std::int64_t pick(std::initializer_list<std::int64_t> numbers) {
    return *(numbers.begin() + static_cast<std::ptrdiff_t>(random_() % numbers.size()));
  }

  static std::size_t alignment(const LibraryParameter& parameter) {
    if (parameter.kind == Kind::state || parameter.kind == Kind::arena) return 64;
    if (parameter.kind == Kind::input || parameter.kind == Kind::output) return size_of(parameter.type.dtype);
    return 8;
  }

  /// Arguments as the header wants them, in buffers_ and words_.
  void prepare(const LibraryFunction& function, const std::vector<std::int64_t>& sizes, bool at_end) {
    Bindings bindings;
    for (std::size_t i = 0; i < sizes.size(); ++i) bindings.bind(function.sizes[i], sizes[i]);
    buffers_.clear();
    buffers_for_.clear();
    words_.clear();
    for (const LibraryParameter& parameter : function.parameters) {
      buffers_for_.push_back(nullptr);
      switch (parameter.kind) {
        case Kind::seed: words_.push_back(random_()); continue;
        case Kind::size: words_.push_back(static_cast<Word>(sizes[parameter.index])); continue;
        case Kind::call: words_.push_back(0); continue;
        default: break;
      }
      std::int64_t bytes = 0;
      if (parameter.kind == Kind::state) bytes = library_.spec().state_bytes;
      if (parameter.kind == Kind::arena) bytes = function.arena_bytes.evaluate(bindings);
      if (parameter.kind == Kind::input || parameter.kind == Kind::output) {
        bytes = bytes_of(parameter.type).evaluate(bindings);
      }
      buffers_.push_back(
          std::make_unique<GuardedBuffer>(static_cast<std::size_t>(bytes), alignment(parameter), at_end));
      buffers_for_.back() = buffers_.back().get();
      fill(parameter, *buffers_.back());
      words_.push_back(to_word(buffers_.back()->data()));
    }
  }

  /// Any bits, but indices that are mostly small.
  void fill(const LibraryParameter& parameter, const GuardedBuffer& buffer) {
    if (parameter.kind == Kind::input && is_integer(parameter.type.dtype) && parameter.type.dtype != u8) {
      const std::size_t item = size_of(parameter.type.dtype);
      for (std::size_t at = 0; at + item <= buffer.bytes().size(); at += item) {
        const std::int64_t number = random_() % 64 == 0 ? static_cast<std::int64_t>(random_()) : pick({0, 1, 2});
        std::memcpy(buffer.data() + at, &number, item);  // little-endian: the low bytes come first
      }
      return;
    }
    for (std::byte& byte : buffer.bytes()) byte = static_cast<std::byte>(random_());
  }

  const AotLibrary& library_;
  std::mt19937_64 random_{1};
  std::vector<std::unique_ptr<GuardedBuffer>> buffers_;
  std::vector<GuardedBuffer*> buffers_for_;  // by parameter
  std::vector<Word> words_;
};

}  // namespace

TEST_CASE("functions compiled ahead of time stay within what the header promises, whatever they are given") {
  Graph graph;
  const Functions functions(graph);
  for (const aot::Target target : {aot::Target::x86_64_v3, aot::Target::x86_64_v4}) {
    if (!is_available(target == aot::Target::x86_64_v4 ? InstructionSet::avx512 : InstructionSet::avx2)) continue;
    CAPTURE(to_string(target));
    const AotLibrary library(graph, functions.all, {.targets = {target}});
    Fuzzer fuzzer(library);
    for (const aot::Function& function : functions.all) {
      CAPTURE(function.name);
      for (int round = 0; round < 60; ++round) {
        CAPTURE(round);
        fuzzer.call_well(function.name, round % 2 == 0);
        fuzzer.call_badly(function.name);
      }
    }
  }
}
