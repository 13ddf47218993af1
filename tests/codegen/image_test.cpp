#include <lathe/codegen/image.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include <lathe/graph/error.h>

#include "llvm/harness.h"

using namespace lathe;
using namespace lathe::test;

namespace {

/// y = x * c + large, where c is part of the code and large is not.
Program scaled() {
  constexpr std::int64_t columns = 32 * 1024;
  Builder b;
  Tensor large(f32, {columns});
  Tensor small(f32, {columns / 4});
  for (std::size_t i = 0; i < columns; ++i) large.data<float>()[i] = static_cast<float>(i);
  for (std::size_t i = 0; i < columns / 4; ++i) small.data<float>()[i] = static_cast<float>(i) + 0.5F;
  const loop::TensorId x = b.input(f32, {dim("n"), columns});
  const loop::TensorId far = b.constant(std::move(large));
  const loop::TensorId near = b.constant(std::move(small));
  for (int output = 0; output < 2; ++output) {
    const loop::TensorId y = b.output(f32, {dim("n"), columns / 4});
    const Index i = b.outer(dim("n"), "i");
    const Index j = b.outer(columns / 4, "j");
    b.stage().yield(b.load(x, {i, j}) * b.load(near, {j}) + b.load(far, {j}), y, {i, j});
    b.finish_kernel();
  }
  return b.program;
}

std::string run(const Program& program, abi::EntryPoint entry) {
  Memory expected(program, {3}, Fill::numbers, 1);
  Memory actual(program, {3}, Fill::numbers, 1);
  loop::interpret(program, expected.arguments());
  const abi::Arguments arguments = actual.arguments();
  if (entry(&arguments) != 0) return "failed";
  return difference(expected.outputs, actual.outputs, program.outputs, program);
}

/// The permissions of the memory at an address, "r-xp"; and whether any memory at all can be written and executed.
struct Permissions {
  std::string at_address;
  bool any_writable_code = false;
};

Permissions permissions(const void* address) {
  Permissions out;
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::uintptr_t first = 0;
    std::uintptr_t last = 0;
    char dash = 0;
    std::string mode;
    words >> std::hex >> first >> dash >> last >> mode;
    if (first <= wanted && wanted < last) out.at_address = mode;
    if (mode.find('w') != std::string::npos && mode.find('x') != std::string::npos) out.any_writable_code = true;
  }
  return out;
}

}  // namespace

TEST_CASE("an image runs wherever it is loaded, several times at once") {
  for (const int threads : {1, 2}) {
    const Program program = scaled();
    const Code code = generate(program, {.threads = threads});
    const LoadedImage first(code.image);
    const LoadedImage second(code.image);
    CHECK((first.entry() != second.entry()));
    CHECK(run(program, first.entry()) == "");
    CHECK(run(program, second.entry()) == "");
  }
}

TEST_CASE("nothing in an image says where it was linked: compiling again gives the same bytes") {
  const Program program = scaled();
  CHECK(generate(program).image == generate(program).image);
}

TEST_CASE("a large constant stays out of the image, a small one is part of it") {
  const Image image = generate(scaled()).image;
  CHECK(image.bytes.size() > 32 * 1024);
  CHECK(image.bytes.size() < 128 * 1024);
}

TEST_CASE("code can be executed and not written, and no memory can be both") {
  const Code code = generate(scaled());
  const LoadedImage loaded(code.image);
  const Permissions found = permissions(reinterpret_cast<const void*>(loaded.entry()));
  CHECK(found.at_address == "r-xp");
  const auto* end = reinterpret_cast<const std::byte*>(loaded.entry()) - code.image.entry + code.image.bytes.size() - 1;
  CHECK(permissions(end).at_address == "r--p");
  CHECK_FALSE(found.any_writable_code);
}

TEST_CASE("an image that outlives what it was loaded from runs on, and moves") {
  const Program program = scaled();
  LoadedImage loaded = [&] {
    const Code code = generate(program);
    return LoadedImage(code.image);
  }();
  const LoadedImage moved(std::move(loaded));
  CHECK(run(program, moved.entry()) == "");
}

TEST_CASE("an image whose parts cannot be where it says is refused") {
  const Image good = generate(scaled()).image;
  CHECK_NOTHROW(LoadedImage{good});
  const auto refused = [&](auto change) {
    Image bad = good;
    change(bad);
    CHECK_THROWS_AS(LoadedImage{bad}, CompileError);
  };
  refused([](Image& image) { image = {}; });
  refused([](Image& image) { image.code_bytes = 0; });
  refused([](Image& image) { image.code_bytes += 1; });
  refused([](Image& image) { image.code_bytes = (image.bytes.size() / page_bytes() + 1) * page_bytes(); });
  refused([](Image& image) { image.entry = image.code_bytes; });
}
