#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <lathe/codegen/interface.h>
#include <lathe/codegen/loop/interpret.h>

namespace lathe::test {

/// A kernel without locals and stages yet.
inline loop::Kernel kernel(std::string name, std::vector<loop::AxisId> outer) {
  loop::Kernel out;
  out.name = std::move(name);
  out.outer = std::move(outer);
  return out;
}

/// Hand-made programs for tests: declares tensors, takes steps, runs through the interpreter.
class ProgramBuilder {
 public:
  ProgramBuilder() { program.pool = std::make_shared<loop::Pool>(); }

  Program program;
  std::vector<Tensor> variables;  // their storage, by slot
  abi::Failure failure{abi::no_check, 0, 0, 0};

  loop::Pool& pool() { return *program.pool; }
  loop::TensorId input(const std::string& name, TensorType type) {
    return add({name, std::move(type), Role::input, slot(program.inputs), nullptr, {}}, &program.inputs);
  }
  loop::TensorId output(const std::string& name, TensorType type) {
    return add({name, std::move(type), Role::output, slot(program.outputs), nullptr, {}}, &program.outputs);
  }
  loop::TensorId variable(const std::string& name, Tensor value) {
    variables.push_back(value);
    return add({name, value.type(), Role::variable, slot(program.variables), nullptr, {}}, &program.variables);
  }
  loop::TensorId constant(const std::string& name, Tensor value) {
    const TensorType type = value.type();
    return add({name, type, Role::constant, 0, std::make_shared<const Tensor>(std::move(value)), {}}, nullptr);
  }
  /// At the arena's end; the arena grows to hold it.
  loop::TensorId arena(const std::string& name, TensorType type) {
    const Dim offset = program.arena_bytes;
    program.arena_bytes = offset + element_count(type.shape) * Dim(64);
    return add({name, std::move(type), Role::arena, 0, nullptr, offset}, nullptr);
  }

  loop::Expr index(loop::AxisId axis) { return pool().index(axis); }
  /// A tensor's element at these axes.
  loop::Expr load(loop::TensorId tensor, const std::vector<loop::Expr>& indices) {
    return pool().load(tensor, program.tensor(tensor).type.dtype, ids(indices));
  }
  loop::Yield store(loop::Expr value, loop::TensorId tensor, const std::vector<loop::Expr>& indices) {
    return {value.id, loop::ToTensor{tensor, ids(indices)}};
  }
  loop::Yield keep(loop::Expr value, loop::LocalId local, const std::vector<loop::Expr>& indices = {}) {
    return {value.id, loop::ToLocal{local, ids(indices)}};
  }

  struct Result {
    std::int32_t code;
    std::vector<Tensor> outputs;
  };
  Result run(const std::vector<Tensor>& inputs, std::vector<std::int64_t> symbols = {}) {
    Bindings bindings;
    for (std::size_t i = 0; i < symbols.size(); ++i) bindings.bind(program.symbols.at(i), symbols[i]);
    std::vector<const void*> in;
    for (const Tensor& tensor : inputs) in.push_back(tensor.bytes().data());
    Result result{0, {}};
    for (const loop::TensorId id : program.outputs) {
      const TensorType& type = program.tensor(id).type;
      result.outputs.emplace_back(type.dtype, evaluate(type.shape, bindings));
    }
    std::vector<void*> out;
    for (Tensor& tensor : result.outputs) out.push_back(tensor.bytes().data());
    std::vector<void*> state;
    for (Tensor& tensor : variables) state.push_back(tensor.bytes().data());
    Tensor arena(DType::u8, {program.arena_bytes.evaluate(bindings)});
    failure = {abi::no_check, 0, 0, 0};
    const std::vector<const void*> constants = constant_addresses(interface_of(program));
    const abi::Arguments arguments{
        in.data(), out.data(),   state.data(), constants.data(), arena.bytes().data(), symbols.data(), nullptr, nullptr,
        host,      host_context, &failure,     nullptr};
    result.code = loop::interpret(program, arguments);
    return result;
  }

  abi::HostCall host = nullptr;
  void* host_context = nullptr;

 private:
  static std::vector<loop::ExprId> ids(const std::vector<loop::Expr>& exprs) {
    std::vector<loop::ExprId> out;
    for (const loop::Expr& expr : exprs) out.push_back(expr.id);
    return out;
  }
  static std::uint32_t slot(const std::vector<loop::TensorId>& slots) {
    return static_cast<std::uint32_t>(slots.size());
  }
  loop::TensorId add(ProgramTensor tensor, std::vector<loop::TensorId>* slots) {
    const auto id = static_cast<loop::TensorId>(program.tensors.size());
    program.tensors.push_back(std::move(tensor));
    if (slots) slots->push_back(id);
    return id;
  }
};

}  // namespace lathe::test
