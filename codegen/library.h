#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/codegen/program.h>

/// Programs behind typed C functions, compiled ahead of time into one object file.
///
/// The object needs nothing: no libraries, no memory but the caller's, no thread-local storage. It can be entered by
/// any number of threads at once. Functions that share variables share a state, one block that holds them all.
namespace lathe {

/// A CPU that objects are made for. All of them give the same bits, but for what IEEE 754 leaves to the CPU: the sign
/// and payload of a NaN, and whether a number that would round up to the smallest normal one counts as subnormal (on
/// ARM it does, and becomes 0).
enum class AotTarget {
  native,     // this machine's CPU
  x86_64_v3,  // AVX2 and FMA
  x86_64_v4,  // AVX-512
  aarch64     // NEON
};

std::string_view to_string(AotTarget target);
/// "x86-64-v3" and so on; throws CompileError listing the names if `name` is none of them.
AotTarget parse_aot_target(std::string_view name);

/// One argument of a C function.
struct LibraryParameter {
  enum class Kind {
    state,   // void*: the variables
    input,   // const T*: number `index` of the feeds
    output,  // T*: number `index` of the fetches
    seed,    // uint64_t: of the run's random numbers
    size,    // int64_t: what number `index` of the sizes stands for
    arena,   // void*: room for what lives between kernels
    call     // lathe_call*: threads, and where failures go; may be null
  };
  Kind kind;
  std::string name;
  std::size_t index = 0;
  TensorType type = {};       // input and output only; in terms of the sizes
  std::string describe = {};  // of what it holds, for people
  bool read_only = false;     // state only
};

/// A program and how its slots map to arguments.
struct LibraryFunction {
  std::string name;  // the C function's, whole
  std::string doc;
  std::shared_ptr<const Program> program;
  std::vector<LibraryParameter> parameters;  // in order
  std::vector<SymbolId> sizes;
  std::vector<Dim> symbols;                         // of the program, in terms of sizes
  std::vector<std::optional<std::size_t>> inputs;   // by slot: a feed; nothing for the seed
  std::vector<std::optional<std::size_t>> outputs;  // by slot: a fetch; nothing for a bool that nobody wants
  std::vector<std::size_t> variables;               // by slot: of the library's
  std::vector<Dim> doubtful;                        // extents that some sizes could make negative
  Dim arena_bytes;                                  // in terms of sizes
};

struct LibraryVariable {
  std::string name;        // in the graph
  std::string identifier;  // in C
  TensorType type;
  std::int64_t panel = 0;                  // see layout.h
  std::int64_t offset_bytes = 0;           // in the state
  std::shared_ptr<const Tensor> embedded;  // its value as programs have it, if that is part of the object
};

/// What a C function returns beside 0; a failed check of a function is `first_check` plus its number in
/// LibrarySpec::checks.
enum class LibraryError : std::int32_t {
  none = 0,
  null_pointer = 1,
  misaligned = 2,
  bad_size = 3,
  negative_extent = 4,
  unsupported_cpu = 5,
  first_check = 16
};

struct LibrarySpec {
  /// A check in some function's program.
  struct Check {
    std::size_t function;
    std::string message;
  };

  std::string name;  // what all C names start with
  std::uint64_t checksum = 0;
  std::vector<LibraryFunction> functions;
  std::vector<LibraryVariable> variables;
  std::int64_t state_bytes = 0;
  std::vector<Check> checks;  // in the functions' order, and a function's in the order of its program

  /// Whether variables are the caller's, in a state.
  bool has_state() const;
};

/// What LibraryError::none and its like mean to people; `code` is none of the checks'.
std::string_view message_of(LibraryError code);

/// No size may be larger: the products of sizes that are computed stay far from the end of 64 bits.
inline constexpr std::int64_t largest_size = std::int64_t{1} << 40;
/// No tensor may take more bytes, for the same reason.
inline constexpr std::int64_t largest_bytes = std::int64_t{1} << 46;

struct LibraryObject {
  std::vector<std::byte> object;
  std::vector<std::byte> archive;  // a static library that holds the object alone
};

/// Compiles a library for all of `targets`: an object for aarch64, or one for x86 that holds the code of each target
/// and takes the best that the CPU can run. Throws CompileError for no targets, or a mixture.
LibraryObject compile(const LibrarySpec& library, const std::vector<AotTarget>& targets);

}  // namespace lathe
