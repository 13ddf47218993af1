#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <lathe/codegen/denormals.h>
#include <lathe/codegen/executable.h>
#include <lathe/codegen/loop/interpret.h>

/// Builds small programs by hand, as lowering would, and compares compiled code with the interpreter to the bit.
namespace lathe::test {

/// Sizes at which vectors, tiles and tails begin and end.
inline const std::vector<std::int64_t> awkward_sizes = {0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100};

/// The instruction sets that this machine has.
inline std::vector<InstructionSet> available_sets() {
  std::vector<InstructionSet> out;
  for (const InstructionSet set : {InstructionSet::portable, InstructionSet::avx2, InstructionSet::avx512}) {
    if (is_available(set)) out.push_back(set);
  }
  return out;
}

/// The index along an axis, which stays known where the index is only a 0.
struct Index : loop::Expr {
  loop::AxisId axis;
};

struct Builder {
  Program program;
  loop::Kernel kernel;

  Builder() { program.pool = std::make_shared<loop::Pool>(); }
  loop::Pool& pool() { return *program.pool; }

  loop::TensorId tensor(Role role, DType dtype, const Shape& shape) {
    const auto id = static_cast<loop::TensorId>(program.tensors.size());
    ProgramTensor made{fmt::format("t{}", program.tensors.size()), {dtype, shape}, role, 0, nullptr, {}};
    const auto give_slot = [&](std::vector<loop::TensorId>& slots) {
      made.slot = static_cast<std::uint32_t>(slots.size());
      slots.push_back(id);
    };
    if (role == Role::input) give_slot(program.inputs);
    if (role == Role::output) give_slot(program.outputs);
    if (role == Role::variable) give_slot(program.variables);
    if (role == Role::arena) {
      made.arena_offset_bytes = program.arena_bytes;
      const Dim bytes = element_count(shape) * Dim(static_cast<std::int64_t>(size_of(dtype)));
      program.arena_bytes = program.arena_bytes + bytes * Dim(64);  // a multiple of 64 whatever the symbols are
    }
    program.tensors.push_back(std::move(made));
    for (const Dim& extent : shape) extent.collect(program.symbols);
    return id;
  }
  loop::TensorId input(DType dtype, const Shape& shape) { return tensor(Role::input, dtype, shape); }
  loop::TensorId output(DType dtype, const Shape& shape) { return tensor(Role::output, dtype, shape); }
  loop::TensorId variable(DType dtype, const Shape& shape) { return tensor(Role::variable, dtype, shape); }
  loop::TensorId arena(DType dtype, const Shape& shape) { return tensor(Role::arena, dtype, shape); }
  loop::TensorId constant(Tensor value) {
    const loop::TensorId id = tensor(Role::constant, value.dtype(), to_shape(value.shape()));
    program.tensors.back().constant = std::make_shared<Tensor>(std::move(value));
    return id;
  }

  Index axis(const Dim& extent, const std::string& name) {
    const loop::AxisId made = pool().make_axis(extent, name);
    return {pool().index(made), made};
  }
  Index outer(const Dim& extent, const std::string& name) {
    const Index made = axis(extent, name);
    kernel.outer.push_back(made.axis);
    return made;
  }
  static std::vector<loop::ExprId> ids(const std::vector<loop::Expr>& exprs) {
    std::vector<loop::ExprId> out;
    for (const loop::Expr& expr : exprs) out.push_back(expr.id);
    return out;
  }
  loop::Expr load(loop::TensorId tensor, const std::vector<loop::Expr>& indices) {
    return pool().load(tensor, program.tensor(tensor).type.dtype, ids(indices));
  }
  loop::LocalId local(DType dtype, const Shape& extents = {}) {
    kernel.locals.push_back({fmt::format("l{}", kernel.locals.size()), dtype, extents});
    return static_cast<loop::LocalId>(kernel.locals.size() - 1);
  }
  loop::Expr read(loop::LocalId local, const std::vector<loop::Expr>& indices = {}) {
    return pool().local(local, kernel.locals.at(static_cast<std::size_t>(local)).dtype, ids(indices));
  }
  Builder& stage(const std::vector<Index>& inner = {}) {
    kernel.stages.emplace_back();
    for (const Index& index : inner) kernel.stages.back().inner.push_back(index.axis);
    return *this;
  }
  Builder& yield(loop::Expr value, loop::TensorId to, const std::vector<loop::Expr>& indices) {
    kernel.stages.back().yields.push_back({value.id, loop::ToTensor{to, ids(indices)}});
    return *this;
  }
  Builder& yield(loop::Expr value, loop::LocalId to, const std::vector<loop::Expr>& indices = {}) {
    kernel.stages.back().yields.push_back({value.id, loop::ToLocal{to, ids(indices)}});
    return *this;
  }
  /// Ends the kernel under construction.
  void finish_kernel() {
    kernel.name = fmt::format("kernel{}", program.steps.size());
    program.steps.emplace_back(std::move(kernel));
    kernel = {};
  }
  loop::Expr contract(const std::vector<Index>& axes, loop::Expr a, loop::Expr b) {
    std::vector<loop::AxisId> over;
    for (const Index& index : axes) over.push_back(index.axis);
    return pool().reduce(loop::ReduceOp::contract, over, a, b);
  }
  loop::Expr reduce(loop::ReduceOp op, const std::vector<Index>& axes, loop::Expr a) {
    std::vector<loop::AxisId> over;
    for (const Index& index : axes) over.push_back(index.axis);
    return pool().reduce(op, over, a);
  }
};

/// Memory with a guard on both sides, `misaligned` elements past a multiple of 64 bytes.
class Guarded {
 public:
  Guarded(std::size_t bytes, std::size_t offset)
      : bytes_(bytes), offset_(offset), storage_(bytes + 3 * guard + offset, pattern) {
    const auto address = reinterpret_cast<std::uintptr_t>(storage_.data());
    begin_ = (address + guard + 63) / 64 * 64 - address + offset;
    std::memset(data(), 0, bytes);
  }
  Guarded(const Guarded& other) : Guarded(other.bytes_, other.offset_) { std::memcpy(data(), other.data(), bytes_); }
  Guarded(Guarded&&) = default;
  std::byte* data() { return storage_.data() + begin_; }
  const std::byte* data() const { return storage_.data() + begin_; }
  std::size_t size() const { return bytes_; }
  bool intact() const {
    const auto untouched = [](std::byte byte) { return byte == pattern; };
    const std::byte* end = storage_.data() + storage_.size();
    return std::all_of(storage_.data(), data(), untouched) && std::all_of(data() + bytes_, end, untouched);
  }

 private:
  static constexpr std::size_t guard = 256;
  static constexpr std::byte pattern{0xa5};
  std::size_t bytes_;
  std::size_t offset_;
  std::vector<std::byte> storage_;
  std::size_t begin_ = 0;
};

/// How inputs and variables are filled.
enum class Fill { numbers, whole_numbers, specials };

class Memory {
 public:
  Memory(const Program& program, const std::vector<std::int64_t>& symbols, Fill fill, unsigned seed)
      : symbols_(symbols), constant_pointers_(constant_addresses(interface_of(program))) {
    Bindings bindings;
    for (std::size_t i = 0; i < program.symbols.size(); ++i) bindings.bind(program.symbols[i], symbols[i]);
    std::mt19937 random(seed);
    const auto make = [&](loop::TensorId id, std::vector<Guarded>& into, bool filled, std::size_t offset) {
      const TensorType& type = program.tensor(id).type;
      const auto count = static_cast<std::size_t>(element_count(evaluate(type.shape, bindings)));
      into.emplace_back(count * size_of(type.dtype), offset * size_of(type.dtype));
      if (filled) fill_with(into.back(), type.dtype, fill, random);
    };
    for (const loop::TensorId id : program.inputs) make(id, inputs, true, 1);
    for (const loop::TensorId id : program.variables) make(id, variables, true, 0);
    for (const loop::TensorId id : program.outputs) make(id, outputs, false, 0);
    arena.emplace_back(static_cast<std::size_t>(program.arena_bytes.evaluate(bindings)), 0);
    point_at_all();
  }
  Memory(const Memory& other)
      : inputs(other.inputs),
        outputs(other.outputs),
        variables(other.variables),
        arena(other.arena),
        symbols_(other.symbols_),
        constant_pointers_(other.constant_pointers_) {
    point_at_all();
  }

  abi::Arguments arguments() {
    return {input_pointers_.data(),
            output_pointers_.data(),
            variable_pointers_.data(),
            constant_pointers_.data(),
            arena.front().data(),
            symbols_.data(),
            nullptr,
            nullptr,
            nullptr,
            nullptr,
            &failure,
            nullptr};
  }

  std::vector<Guarded> inputs, outputs, variables, arena;
  abi::Failure failure{abi::no_check, 0, 0, 0};

 private:
  void point_at_all() {
    point_at(inputs, input_pointers_);
    point_at(outputs, output_pointers_);
    point_at(variables, variable_pointers_);
  }

  template <class Pointer>
  static void point_at(std::vector<Guarded>& memory, std::vector<Pointer>& pointers) {
    for (Guarded& one : memory) pointers.push_back(one.data());
    pointers.push_back(nullptr);
  }

  static void fill_with(Guarded& memory, DType dtype, Fill fill, std::mt19937& random) {
    dispatch(dtype, [&]<class T>(T) {
      std::uniform_real_distribution<double> real(-2, 2);
      std::uniform_int_distribution<int> whole(-3, 3);
      std::uniform_int_distribution<int> special(0, 11);
      for (std::size_t at = 0; at < memory.size(); at += sizeof(T)) {
        T value{};
        if constexpr (std::is_floating_point_v<T>) {
          value = fill == Fill::whole_numbers ? static_cast<T>(whole(random)) : static_cast<T>(real(random));
          constexpr double specials[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0, 1e30, -1e30, 3e9, 0.5, -2.5};
          const int pick = special(random);
          if (fill == Fill::specials && pick < 10) value = static_cast<T>(specials[pick]);
        } else if constexpr (std::is_same_v<T, bool>) {
          value = whole(random) > 0;
        } else {
          value = static_cast<T>(whole(random));
          const int pick = special(random);
          if (fill == Fill::specials && pick == 0) value = std::numeric_limits<T>::min();
          if (fill == Fill::specials && pick == 1) value = std::numeric_limits<T>::max();
        }
        std::memcpy(memory.data() + at, &value, sizeof(T));
      }
    });
  }

  std::vector<std::int64_t> symbols_;
  std::vector<const void*> constant_pointers_;
  std::vector<const void*> input_pointers_;
  std::vector<void*> output_pointers_, variable_pointers_;
};

/// Runs the chunks last to first: what would break if chunks depended on each other.
extern "C" inline void run_in_reverse(void*, abi::ChunkFunction chunk, const void* frame, std::int64_t items,
                                      std::int64_t grain) {
  for (std::int64_t end = items; end > 0;) {
    const std::int64_t begin = (end - 1) / grain * grain;
    chunk(frame, begin, end);
    end = begin;
  }
}

/// "" if both hold the same numbers: the same bits, or both NaN.
inline std::string difference(std::vector<Guarded>& expected, std::vector<Guarded>& actual,
                              const std::vector<loop::TensorId>& ids, const Program& program) {
  for (std::size_t slot = 0; slot < ids.size(); ++slot) {
    const DType dtype = program.tensor(ids[slot]).type.dtype;
    if (!actual[slot].intact()) return fmt::format("tensor {} was written outside", slot);
    if (std::memcmp(expected[slot].data(), actual[slot].data(), expected[slot].size()) == 0) continue;
    const std::string found = dispatch(dtype, [&]<class T>(T) {
      for (std::size_t at = 0; at < expected[slot].size(); at += sizeof(T)) {
        T e{};
        T a{};
        std::memcpy(&e, expected[slot].data() + at, sizeof(T));
        std::memcpy(&a, actual[slot].data() + at, sizeof(T));
        if (std::memcmp(&e, &a, sizeof(T)) == 0 || (e != e && a != a)) continue;
        return fmt::format("tensor {} element {}: {} instead of {}", slot, at / sizeof(T), a, e);
      }
      return std::string();
    });
    if (!found.empty()) return found;
  }
  return "";
}

struct Comparison {
  std::vector<std::vector<std::int64_t>> symbols = {{}};  // values in the order of Program::symbols
  Fill fill = Fill::numbers;
  bool portable = true;  // whether the portable set gives the same bits: no fused multiply-add that rounds
};

/// Compiles `program` for every instruction set here and compares with the interpreter, serially and in parallel.
inline void check_against_interpreter(const Program& program, const Comparison& comparison) {
  const FlushDenormals flush;
  static const std::vector<InstructionSet> sets = available_sets();
  std::vector<std::pair<InstructionSet, std::shared_ptr<const Executable>>> executables;
  for (const InstructionSet set : sets) {
    if (set == InstructionSet::portable && !comparison.portable) continue;
    executables.emplace_back(set, compile(program, {.instruction_set = set}));
  }
  for (const std::vector<std::int64_t>& symbols : comparison.symbols) {
    const Memory initial(program, symbols, comparison.fill, 7);
    Memory expected = initial;
    const std::int32_t status = loop::interpret(program, expected.arguments());
    for (const auto& [set, executable] : executables) {
      for (const bool parallel : {false, true}) {
        Memory actual = initial;
        abi::Arguments arguments = actual.arguments();
        if (parallel) arguments.parallel_for = run_in_reverse;
        INFO("set ", to_string(set), ", symbols ", to_string(symbols), parallel ? ", parallel" : ", serial");
        CHECK(executable->entry()(&arguments) == status);
        CHECK(difference(expected.variables, actual.variables, program.variables, program) == "");
        CHECK(actual.arena.front().intact());
        if (status != 0) {
          CHECK(actual.failure.check == expected.failure.check);
          CHECK(actual.failure.index == expected.failure.index);
          CHECK(actual.failure.detail == expected.failure.detail);
          continue;
        }
        CHECK(difference(expected.outputs, actual.outputs, program.outputs, program) == "");
      }
    }
  }
}

/// One symbol at every awkward size.
inline std::vector<std::vector<std::int64_t>> each_size() {
  std::vector<std::vector<std::int64_t>> out;
  for (const std::int64_t size : awkward_sizes) out.push_back({size});
  return out;
}

}  // namespace lathe::test
