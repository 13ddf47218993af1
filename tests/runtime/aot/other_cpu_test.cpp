// Objects for CPUs that this machine is not, run by an emulator: the session's bits.
#include <cmath>
#include <cstdlib>
#include <cstring>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/runtime/aot/aot.h>
#include <lathe/runtime/aot/spec.h>

#include "../../support/temporary_folder.h"
#include "network.h"

using namespace lathe;
using namespace lathe::test;

namespace {

bool has_program(const std::string& name) {
  return std::system(fmt::format("command -v {} >/dev/null", name).c_str()) == 0;
}

/// The data of all batches: for each its size, pictures and labels.
std::string training_data() {
  std::string out;
  const auto add = [&](const void* data, std::size_t bytes) { out.append(static_cast<const char*>(data), bytes); };
  std::uint64_t seed = 0;
  for (const std::int64_t batch : batches) {
    const Tensor x = pictures(batch, seed);
    const Tensor labels = classes(batch, seed);
    add(&batch, sizeof batch);
    add(x.bytes().data(), x.bytes().size());
    add(labels.bytes().data(), labels.bytes().size());
    ++seed;
  }
  return out;
}

/// A C program that trains on what it reads and writes the losses and then all variables.
std::string trainer(const LibrarySpec& library) {
  std::string out = R"(#include <stdio.h>
#include "net.h"
static uint8_t x[256 * 96];
static int32_t labels[256];
static float values[1 << 16];
static _Alignas(64) uint8_t state[NET_STATE_BYTES];
static _Alignas(64) uint8_t arena[NET_TRAIN_STEP_ARENA_BYTES(256) + 64];
int main(void) {
  int64_t batch = 0;
  if (net_init(state, 7, arena, 0) != NET_OK) return 1;
  for (uint64_t seed = 0; fread(&batch, sizeof batch, 1, stdin) == 1; ++seed) {
    float loss = 0;
    if (fread(x, 96, (size_t)batch, stdin) != (size_t)batch) return 2;
    if (fread(labels, 4, (size_t)batch, stdin) != (size_t)batch) return 3;
    if (net_train_step(state, x, labels, &loss, seed, batch, arena, 0) != NET_OK) return 4;
    fwrite(&loss, sizeof loss, 1, stdout);
  }
)";
  for (const LibraryVariable& variable : library.variables) {
    const std::int64_t bytes = bytes_of(variable.type).constant();
    REQUIRE(bytes <= 4 << 16);
    out += fmt::format("  if (net_export_{}(state, (void*)values) != NET_OK) return 5;\n", variable.identifier);
    out += fmt::format("  fwrite(values, 1, {}, stdout);\n", bytes);
  }
  return out + "  return 0;\n}\n";
}

/// Trains by a program for `targets` that `compiler` links and `emulator` runs, and by a session.
void check_same_bits(const std::vector<aot::Target>& targets, const std::string& compiler,
                     const std::string& emulator) {
  Graph graph;
  const Network network(graph);
  const Trained expected = train_by_session(graph, network);
  const aot::Options options{.name = "net", .targets = targets};
  const LibrarySpec spec = aot::describe(graph, network.functions(), options);
  const TemporaryFolder folder;
  aot::compile(graph, network.functions(), options).write(folder.path());
  folder.write("trainer.c", trainer(spec));
  folder.write("data", training_data());
  const std::string in = fmt::format("cd '{}' && ", folder.path().string());
  REQUIRE(std::system((in + compiler + " -std=c11 -O1 -static trainer.c net.o -o trainer").c_str()) == 0);
  REQUIRE(std::system((in + emulator + " ./trainer < data > result").c_str()) == 0);

  const std::string result = slurp(folder.path() / "result");
  std::size_t at = 0;
  const auto check_next = [&](const Tensor& tensor) {
    REQUIRE(at + tensor.bytes().size() <= result.size());
    CHECK(std::memcmp(result.data() + at, tensor.bytes().data(), tensor.bytes().size()) == 0);
    at += tensor.bytes().size();
  };
  for (const Tensor& loss : expected.losses) {
    float actual = 0;
    REQUIRE(at + sizeof actual <= result.size());
    std::memcpy(&actual, result.data() + at, sizeof actual);
    if (std::isnan(actual) && std::isnan(loss.item<float>())) {
      at += sizeof actual;  // the mean of no examples: a NaN has a sign of the CPU's choice
    } else {
      check_next(loss);
    }
  }
  for (const LibraryVariable& variable : spec.variables) {
    CAPTURE(variable.name);
    check_next(expected.variables.at(variable.name));
  }
  CHECK(at == result.size());
}

}  // namespace

TEST_CASE("an object for AArch64 gives the bits of this machine") {
  if (!has_program("aarch64-linux-gnu-gcc") || !has_program("qemu-aarch64")) {
    MESSAGE("left out: gcc-aarch64-linux-gnu and qemu-user are not installed");
    return;
  }
  check_same_bits({aot::Target::aarch64}, "aarch64-linux-gnu-gcc", "qemu-aarch64");
}

TEST_CASE("an object for several CPUs falls back to what the CPU has, and says so where it has too little") {
  if (!has_program("qemu-x86_64")) {
    MESSAGE("left out: qemu-user is not installed");
    return;
  }
  const std::vector<aot::Target> both = {aot::Target::x86_64_v3, aot::Target::x86_64_v4};
  check_same_bits(both, "cc", "qemu-x86_64 -cpu Haswell");
  Graph graph;
  const Network network(graph);
  const aot::Options options{.name = "net", .targets = both};
  const TemporaryFolder folder;
  aot::compile(graph, network.functions(), options).write(folder.path());
  folder.write("trainer.c", R"(#include "net.h"
static _Alignas(64) uint8_t state[NET_STATE_BYTES];
int main(void) { return net_init(state, 7, state, 0) == NET_UNSUPPORTED_CPU ? 0 : 1; }
)");
  const std::string in = fmt::format("cd '{}' && ", folder.path().string());
  REQUIRE(std::system((in + "cc -std=c11 -O1 -static trainer.c net.o -o trainer").c_str()) == 0);
  CHECK(std::system((in + "qemu-x86_64 -cpu Nehalem ./trainer").c_str()) == 0);
}
