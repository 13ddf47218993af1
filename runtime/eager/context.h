#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>

#include <lathe/graph/graph.h>
#include <lathe/runtime/options.h>

/// Ops that run at once. There is no second library of them: every function and operator on `Value` computes as soon as
/// it is called if its inputs are arrays, with the kernels and the bits of a session.
///
///   eager::Context context;
///   eager::Array x = context.array<float>({2, 2}, {1, 2, 3, 4});
///   std::cout << softmax(x * 2) << '\n';
namespace lathe::eager {

class Array;
class State;

/// What a context has done.
struct Statistics {
  std::uint64_t dispatches = 0;     // calls of ops
  std::uint64_t kernels = 0;        // programs that ran: no dispatch of reshape, say, needs one
  std::uint64_t bytes_moved = 0;    // by those programs: inputs, results, and variables as often as read and assigned
  double kernel_microseconds = 0;   // in those kernels, with SessionOptions::profile
  std::uint64_t compilations = 0;   // kernels compiled by LLVM
  std::uint64_t found = 0;          // kernels found in the cache on disk
  double compile_milliseconds = 0;  // for both
  std::uint64_t arrays = 0;         // alive now
  std::size_t live_bytes = 0;       // of arrays and variables, now
  std::size_t peak_bytes = 0;       // the most of it so far
  std::size_t held_bytes = 0;       // with the memory that waits for the next array
};

/// Where arrays live: their memory, the threads that compute them, and the kernels compiled so far, each once for an
/// op, its attributes, dtypes and ranks. Stands for its graph where a function wants one: `uniform(context, {3})`. A
/// context and its arrays belong to one thread at a time. Arrays may outlive the context.
class Context {
 public:
  /// With `assert_all_finite` each op looks at what it computed, and functions run op by op. Throws RunError if the
  /// options make no sense.
  explicit Context(SessionOptions options = {});
  ~Context();
  Context(Context&&) noexcept;
  Context& operator=(Context&&) noexcept;

  Graph& graph() const;
  operator Graph&() const { return graph(); }

  /// An array of what the tensor holds.
  Array array(const TensorView& tensor);
  template <Element T>
  Array array(Extents shape, std::span<const T> elements);
  template <Element T>
  Array array(Extents shape, std::initializer_list<T> elements);
  template <Element T>
  Array scalar(T value);

  /// Random ops draw from `seed`, counted from this call: what follows repeats itself bit for bit. Without it, from the
  /// options' seed.
  void set_seed(std::uint64_t seed);

  Statistics statistics() const;
  void reset_peak();
  /// Gives memory that waits for the next array back to the system.
  void trim();
  int threads() const;

 private:
  std::unique_ptr<State, void (*)(State*)> state_;
};

}  // namespace lathe::eager
