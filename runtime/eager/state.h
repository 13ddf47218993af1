#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <lathe/graph/dispatcher.h>
#include <lathe/ops/gradients.h>
#include <lathe/runtime/eager/buffers.h>
#include <lathe/runtime/eager/context.h>
#include <lathe/runtime/eager/kernels.h>
#include <lathe/runtime/thread_pool.h>

namespace lathe::eager {

class Trace;

/// `hash` with one more value in it.
inline std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

/// What a tape has recorded: see GradientTape.
struct TapeRecord {
  bool watch_variables = true;
  std::vector<NodeId> order;  // inputs before uses
  Values kept;                // what those nodes made and were made from
};

/// What a context is: the arrays of its graph, the memory that they lie in and the kernels that make them.
class State final : public Dispatcher, public ArrayHolder {
 public:
  explicit State(SessionOptions options);

  // Dispatcher: computes at once, or hands on to the function that is being traced.
  Value apply(Graph::NodeSpec spec) override;
  Value apply(const Op& op, std::span<const Value> inputs, const std::source_location& where) override;
  Value scalar(DType dtype, std::uint64_t bits, const std::source_location& where) override;

  // ArrayHolder
  void retain(NodeId array) noexcept override;
  void release(NodeId array) noexcept override;
  const Node& node(NodeId array) const override;
  bool truth(const Value& array) const override;

  /// The state behind an array; throws GraphError naming `role` if it is something else.
  static State& of(const Value& array, std::string_view role);

  /// A new array of what `tensor` holds.
  Value adopt(const TensorView& tensor);
  /// What an array or variable holds, in row-major order. Valid as long as the handle, and until a variable is
  /// assigned.
  TensorView view(const Value& array);

  /// An array of what an array or variable holds now, whatever is assigned later.
  Value snapshot(const Value& array);

  bool is_variable(NodeId array) const { return at(array).is_variable; }
  /// Whether a variable has been given a value.
  bool is_initialized(NodeId variable) const { return at(variable).buffer != nullptr; }
  /// Gives a variable the value of an array of its type.
  void assign(NodeId variable, NodeId value);

  /// Memory for the result of a program, as a new array.
  struct Output {
    Value value;
    void* data;
  };
  Output make(const TensorType& type);
  /// The memory of a variable, nobody else's, for a program that updates it in place, stored in panels of so many
  /// columns. Without a value it holds what was there.
  void* exclusive(NodeId variable, std::int64_t panel);

  struct Outcome {
    std::optional<abi::Failure> failure;  // of a check
    std::exception_ptr thrown;            // while printing
  };
  /// Runs a program with the context's arena, threads and printer; `arguments` hold all that is the program's own.
  Outcome run(const Executable& executable, const Bindings& bindings, std::size_t arena_bytes,
              abi::Arguments arguments);

  /// Takes a variable's value away.
  void forget(NodeId variable);

  /// A tape that is recording from now on, by the number of its bit; at most 32 at a time.
  std::uint32_t start_tape(TapeRecord& tape);
  void stop_tape(std::uint32_t number);
  /// Whether the tape follows what happens to an array or variable.
  bool follows(std::uint32_t tape, const Value& array) const;
  void watch(std::uint32_t tape, NodeId array) { at(array).tapes |= 1U << tape; }

  /// gradients() within the function that is being traced.
  Values gradients_in_trace(const Values& ys, const Values& xs, const Values& grad_ys, GradientOptions options,
                            const std::source_location& where);

  /// Whether a tape records now.
  bool is_recorded() const { return recording_ != 0; }

  /// The seed of the next random op, or of the next run of a traced function.
  std::uint64_t next_seed();

  // What the parts of a context share.
  SessionOptions options;
  ThreadPool pool;
  Graph graph;
  Kernels kernels;
  Buffers buffers;
  Tensor arena = Tensor(DType::u8, {0});
  Trace* tracing = nullptr;  // the function that is being traced
  std::uint64_t seed = 0;
  std::uint64_t draws = 0;
  std::size_t programs = 0;  // that were traced
  Statistics counters;

  /// The context is gone: the last array takes the state with it.
  void abandon();
  const Extents& extents(NodeId array) const { return at(array).prototype->type->extents; }

 private:
  friend class StopRecording;

  /// A type of numbers. There is one of each.
  struct ArrayType {
    TensorType type;
    Extents extents;
    std::size_t bytes;
  };
  using TypeRef = std::shared_ptr<const ArrayType>;
  /// What all arrays that one op made of the same inputs' types have in common.
  struct Prototype {
    Node node;  // without inputs and line
    TypeRef type;
  };
  using PrototypeRef = std::shared_ptr<const Prototype>;

  struct Array {
    PrototypeRef prototype;
    std::shared_ptr<const Node> recorded;  // with inputs and line, if a tape follows the array
    Buffer* buffer = nullptr;
    std::size_t offset = 0;  // in bytes
    std::uint32_t handles = 0;
    std::uint32_t tapes = 0;    // a bit each
    std::optional<Value> read;  // of a variable: what tapes know of its present value
    bool is_variable = false;
    bool trainable = false;
  };

  /// All that is known of an op before it runs on inputs of certain types.
  struct Call {
    const Op* op;
    Attributes attributes;  // as given
    std::vector<TypeRef> inputs;
    PrototypeRef result;
    std::size_t bytes_moved = 0;
    std::optional<BoundKernel> kernel;  // nothing where the result lies within the first input
    std::size_t offset = 0;             // in bytes: where
  };

  Array& at(NodeId id) { return arrays_[static_cast<std::size_t>(id)]; }
  const Array& at(NodeId id) const { return arrays_[static_cast<std::size_t>(id)]; }
  TypeRef type_of(const TensorType& type);
  PrototypeRef prototype_of(Node node);
  /// Of arrays that no op made.
  PrototypeRef source_of(const TensorType& type);

  Value dispatch(const Op& op, std::span<const Value> inputs, const Attributes& attributes, std::string_view name,
                 const SourceLine& where);
  void check_inputs(const Op& op, std::span<const Value> inputs, const SourceLine& where) const;
  std::optional<Value> without_call(const Op& op, std::span<const Value> inputs, const Attributes& attributes,
                                    std::string_view name, const SourceLine& where);
  Value new_variable(const Op& op, const Attributes& attributes, std::string_view name, const SourceLine& where);
  Node complete_node(const Op& op, std::span<const Value> inputs, const Attributes& attributes,
                     const SourceLine& where);
  const Call& find(const Op& op, std::span<const Value> inputs, const Attributes& attributes, const SourceLine& where);
  Call make_call(const Op& op, std::span<const Value> inputs, const Attributes& attributes, const SourceLine& where);
  Value compute(const Call& call, std::span<const Value> inputs, const SourceLine& where);
  void require_finite(const Value& output, const Call& call, const SourceLine& where);

  std::uint32_t recording_tapes(const Value& input) const;
  void record(const Value& output, std::span<const Value> inputs, const SourceLine& where);
  void keep(const Value& output, Node node, Values inputs, std::uint32_t tapes);
  Value read_on_tapes(const Value& variable, std::uint32_t tapes, const SourceLine& where);

  Value new_array(PrototypeRef prototype);
  Value new_array(PrototypeRef prototype, Buffer& buffer, std::size_t offset);
  /// A new array in the memory of another, so many bytes behind its start.
  Value alias(PrototypeRef prototype, Array& of, std::size_t offset = 0);
  void free(NodeId id) noexcept;
  const std::byte* data(Array& array);

  std::deque<Array> arrays_;
  std::vector<NodeId> unused_;
  std::uint64_t handles_ = 0;
  bool abandoned_ = false;
  int releasing_ = 0;
  std::unordered_multimap<std::uint64_t, PrototypeRef> sources_;  // of each type
  std::unordered_multimap<std::uint64_t, Call> calls_;
  std::unordered_map<std::uint64_t, Value> scalars_[6];  // by dtype
  std::array<TapeRecord*, 32> tapes_ = {};
  std::uint32_t recording_ = 0;                          // a bit a tape
  std::unordered_map<std::string, int> variable_names_;  // how many variables were to be called so
};

/// While it lives, the tapes of these bits do not record.
class StopRecording {
 public:
  explicit StopRecording(State& state, std::uint32_t tapes = ~std::uint32_t{0})
      : state_(state), before_(state.recording_) {
    state.recording_ &= ~tapes;
  }
  ~StopRecording() { state_.recording_ = before_; }
  StopRecording(const StopRecording&) = delete;
  StopRecording& operator=(const StopRecording&) = delete;

 private:
  State& state_;
  std::uint32_t before_;
};

}  // namespace lathe::eager
