// Listings of programs and expressions for people: see DESIGN for the notation.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lathe/codegen/loop/scalar.h>
#include <lathe/codegen/program.h>

namespace lathe {
namespace {

using namespace loop;

/// How tightly an expression holds together, loosest first, as in C.
enum Precedence {
  whole,
  bitwise_or,
  bitwise_xor,
  bitwise_and,
  equality,
  relation,
  shift,
  additive,
  multiplicative,
  prefix,
  primary
};

struct Infix {
  std::string_view symbol;
  Precedence precedence;
};

Infix infix(BinaryOp op) {
  switch (op) {
    case BinaryOp::add: return {"+", additive};
    case BinaryOp::sub: return {"-", additive};
    case BinaryOp::mul: return {"*", multiplicative};
    case BinaryOp::div: return {"/", multiplicative};
    case BinaryOp::floor_div: return {"//", multiplicative};
    case BinaryOp::mod: return {"%", multiplicative};
    case BinaryOp::max: return {"max", primary};
    case BinaryOp::min: return {"min", primary};
    case BinaryOp::bit_and: return {"&", bitwise_and};
    case BinaryOp::bit_or: return {"|", bitwise_or};
    case BinaryOp::bit_xor: return {"^", bitwise_xor};
    case BinaryOp::shift_left: return {"<<", shift};
    case BinaryOp::shift_right: return {">>", shift};
    case BinaryOp::eq: return {"==", equality};
    case BinaryOp::ne: return {"!=", equality};
    case BinaryOp::lt: return {"<", relation};
    case BinaryOp::le: return {"<=", relation};
    case BinaryOp::gt: return {">", relation};
    case BinaryOp::ge: break;
  }
  return {">=", relation};
}

std::string_view name_of(UnaryOp op) {
  constexpr std::array<std::string_view, 7> names{"-", "abs", "sqrt", "floor", "ceil", "round", "~"};
  return names[static_cast<std::size_t>(op)];
}

std::string_view name_of(ReduceOp op) {
  constexpr std::array<std::string_view, 7> names{"contract", "sum", "prod", "max", "min", "any", "all"};
  return names[static_cast<std::size_t>(op)];
}

/// Some text and how tightly it holds together.
struct Text {
  std::string text;
  Precedence precedence = primary;
};

std::string at_least(const Text& text, Precedence needed) {
  return text.precedence < needed ? "(" + text.text + ")" : text.text;
}

Text text_of(const Constant& constant) {
  std::string text = dispatch(constant.dtype, [&]<class T>(T) {
    const T value = scalar::from_bits<T>(constant.bits);
    if constexpr (std::is_same_v<T, std::uint8_t>) {
      return fmt::format("{}", int{value});
    } else {
      return fmt::format("{}", value);
    }
  });
  const bool negative = text.starts_with('-');
  return {std::move(text), negative ? prefix : primary};
}

Text text_of(const Dim& dim) {
  const std::string text = to_string(dim);
  if (dim.terms().size() > 1) return {text, additive};
  if (!dim.is_constant() && !dim.as_symbol()) return {text, multiplicative};
  return {text, text.starts_with('-') ? prefix : primary};
}

/// Writes the expressions of one stage, or one alone.
class ExprPrinter {
 public:
  ExprPrinter(const Pool& pool, const Program* program, const Kernel* kernel)
      : pool_(pool), program_(program), kernel_(kernel) {}

  void name_axis(AxisId axis) {
    if (axes_.contains(axis)) return;
    const std::string& wanted = pool_.axis(axis).name;
    std::string name = wanted.empty() ? "i" : wanted;
    for (int next = 2; !taken_.insert(name).second; ++next) name = fmt::format("{}{}", wanted, next);
    axes_.emplace(axis, std::move(name));
  }
  /// "i: batch, j: 128"
  std::string axes(std::span<const AxisId> axes) {
    std::vector<std::string> parts;
    for (const AxisId axis : axes) {
      name_axis(axis);
      parts.push_back(fmt::format("{}: {}", axes_.at(axis), lathe::to_string(pool_.axis(axis).extent)));
    }
    return fmt::format("{}", fmt::join(parts, ", "));
  }

  /// Gives names to what the roots use more than once, and returns the definitions in an order to read them in.
  std::vector<std::string> share(std::span<const ExprId> roots) {
    std::unordered_map<ExprId, int> uses;
    std::vector<ExprId> order;
    for (const ExprId root : roots) visit(root, uses, order);
    std::vector<std::string> lines;
    for (const ExprId id : order) {
      if (uses.at(id) < 2 || trivial(id) || std::holds_alternative<Reduce>(pool_.node(id))) continue;
      std::string name = fmt::format("t{}", shared_.size());
      lines.push_back(fmt::format("{} = {}", name, text(id).text));
      shared_.emplace(id, std::move(name));
    }
    return lines;
  }

  Text text(ExprId id) {
    if (const auto found = shared_.find(id); found != shared_.end()) return {found->second};
    if (const Call* call = visible_call(id)) return {call->function + "(" + list(call->arguments) + ")"};
    return std::visit([&](const auto& node) { return write(node); }, pool_.node(id));
  }
  std::string name(TensorId tensor) const {
    if (!program_) return fmt::format("tensor{}", static_cast<std::uint32_t>(tensor));
    return program_->tensor(tensor).name;
  }
  std::string name(LocalId local) const {
    const auto number = static_cast<std::size_t>(local);
    return kernel_ ? kernel_->locals.at(number).name : fmt::format("local{}", number);
  }
  std::string element(const std::string& array, std::span<const ExprId> indices) {
    return indices.empty() ? array : fmt::format("{}[{}]", array, list(indices));
  }

 private:
  std::string list(std::span<const ExprId> ids) {
    std::vector<std::string> parts;
    for (const ExprId id : ids) parts.push_back(text(id).text);
    return fmt::format("{}", fmt::join(parts, ", "));
  }

  /// The function whose result `id` is, unless it has become something plain.
  const Call* visible_call(ExprId id) const { return pool_.operands(id).empty() ? nullptr : pool_.call(id); }
  /// What the printed form of `id` mentions.
  std::vector<ExprId> parts(ExprId id) const {
    const Call* call = visible_call(id);
    return call ? call->arguments : pool_.operands(id);
  }

  void visit(ExprId id, std::unordered_map<ExprId, int>& uses, std::vector<ExprId>& order) const {
    if (uses[id]++ > 0) return;
    for (const ExprId part : parts(id)) visit(part, uses, order);
    order.push_back(id);
  }

  /// Short enough to say twice: constants, indices, and elements at plain indices.
  bool trivial(ExprId id) const {
    const ExprNode& node = pool_.node(id);
    const std::vector<ExprId> operands = parts(id);
    const bool plain = std::all_of(operands.begin(), operands.end(), [&](ExprId part) { return trivial(part); });
    if (std::holds_alternative<Load>(node) || std::holds_alternative<Local>(node)) return plain;
    if (std::holds_alternative<Binary>(node)) return plain && pool_.dtype(id) == i64;
    return operands.empty() || (plain && std::holds_alternative<Cast>(node));
  }

  Text write(const Constant& e) { return text_of(e); }
  Text write(const AxisIndex& e) {
    name_axis(e.axis);
    return {axes_.at(e.axis)};
  }
  Text write(const Extent& e) { return text_of(e.dim); }
  Text write(const Load& e) { return {element(name(e.tensor), e.indices)}; }
  Text write(const Local& e) { return {element(name(e.local), e.indices)}; }
  Text write(const Unary& e) {
    const bool symbol = e.op == UnaryOp::neg || e.op == UnaryOp::bit_not;
    const std::string operand = symbol ? at_least(text(e.a), prefix) : "(" + text(e.a).text + ")";
    return {std::string(name_of(e.op)) + operand, symbol ? prefix : primary};
  }
  Text write(const Binary& e) {
    const auto [symbol, precedence] = infix(e.op);
    if (precedence == primary) return {fmt::format("{}({}, {})", symbol, text(e.a).text, text(e.b).text)};
    const std::string left = at_least(text(e.a), precedence);
    if (const auto* extent = std::get_if<Extent>(&pool_.node(e.b));
        extent && e.op == BinaryOp::add && extent->dim.is_constant() && extent->dim.constant() < 0) {
      return {fmt::format("{} - {}", left, lathe::to_string(Dim(0) - extent->dim)), precedence};
    }
    const auto tighter = static_cast<Precedence>(precedence + 1);  // all these operators group to the left
    return {fmt::format("{} {} {}", left, symbol, at_least(text(e.b), tighter)), precedence};
  }
  Text write(const Select& e) {
    return {fmt::format("{}({}, {}, {})", e.lazy ? "select_lazily" : "select", text(e.condition).text, text(e.a).text,
                        text(e.b).text)};
  }
  Text write(const Fma& e) { return {fmt::format("fma({}, {}, {})", text(e.a).text, text(e.b).text, text(e.c).text)}; }
  Text write(const Cast& e) { return {fmt::format("{}({})", lathe::to_string(e.to), text(e.a).text)}; }
  Text write(const Bitcast& e) { return {fmt::format("bitcast_{}({})", lathe::to_string(e.to), text(e.a).text)}; }
  Text write(const Lookup& e) {
    const auto numbers = std::bit_cast<std::array<float, 16>>(e.table);
    return {fmt::format("lookup({}, [{}])", text(e.index).text, fmt::join(numbers, ", "))};
  }
  Text write(const Reduce& e) {
    const std::string head = fmt::format("{} over {} of ", name_of(e.op), axes(e.axes));
    const std::string a = text(e.a).text;
    return {head + (e.op == ReduceOp::contract ? fmt::format("{}, {}", a, text(e.b).text) : a), whole};
  }
  Text write(const Check& e) {
    const CheckInfo& info = pool_.checks()[static_cast<std::size_t>(e.check)];
    return {fmt::format("check({}, {}, index {}, detail {}, \"{}\")", text(e.condition).text, text(e.value).text,
                        text(e.index).text, text(e.detail).text, info.message)};
  }

  const Pool& pool_;
  const Program* program_;
  const Kernel* kernel_;
  std::map<AxisId, std::string> axes_;
  std::set<std::string> taken_;
  std::unordered_map<ExprId, std::string> shared_;
};

std::string place_of(const ProgramTensor& tensor) {
  switch (tensor.role) {
    case Role::input: return fmt::format("input {}", tensor.slot);
    case Role::output: return fmt::format("output {}", tensor.slot);
    case Role::variable: return fmt::format("variable {}", tensor.slot);
    case Role::constant:
      return tensor.constant && tensor.constant->size() == 1 ? fmt::format("constant {}", tensor.constant->at(0))
                                                             : "constant";
    case Role::arena: return fmt::format("arena at {}", to_string(tensor.arena_offset_bytes));
    case Role::dissolved: break;
  }
  return "nowhere";
}

std::string tensor_table(const Program& program) {
  std::size_t name_width = 0;
  std::size_t type_width = 0;
  for (const ProgramTensor& tensor : program.tensors) {
    if (tensor.role == Role::dissolved) continue;
    name_width = std::max(name_width, tensor.name.size());
    type_width = std::max(type_width, to_string(tensor.type).size());
  }
  std::string out = fmt::format("tensors   (arena: {} bytes)\n", to_string(program.arena_bytes));
  for (const ProgramTensor& tensor : program.tensors) {
    if (tensor.role == Role::dissolved) continue;
    out += fmt::format("    {:<{}}   {:<{}}   {}\n", tensor.name, name_width, to_string(tensor.type), type_width,
                       place_of(tensor));
  }
  return out;
}

/// A stage's lines: where it runs, what it shares, what it writes.
std::vector<std::string> lines_of(const Stage& stage, const Kernel& kernel, const Program& program) {
  ExprPrinter printer(*program.pool, &program, &kernel);
  for (const AxisId axis : kernel.outer) printer.name_axis(axis);
  std::vector<std::string> lines;
  std::string indent;
  if (!stage.inner.empty()) {
    lines.push_back(fmt::format("for {}", printer.axes(stage.inner)));
    indent = "    ";
  }
  std::vector<ExprId> roots;
  bool reduces = false;
  for (const Yield& yield : stage.yields) {
    reduces = reduces || std::holds_alternative<Reduce>(program.pool->node(yield.value));
    roots.push_back(yield.value);
  }
  // What a reduction shares depends on its axes, so the reduction comes first.
  std::vector<std::string> shared;
  std::vector<std::string> left;
  std::vector<std::string> right;
  if (reduces) {
    for (const ExprId root : roots) {
      if (const auto* reduce = std::get_if<Reduce>(&program.pool->node(root))) printer.axes(reduce->axes);
    }
  }
  shared = printer.share(roots);
  std::size_t width = 0;
  for (const Yield& yield : stage.yields) {
    left.push_back(std::visit(
        [&]<class To>(const To& to) {
          if constexpr (std::is_same_v<To, ToLocal>) {
            return printer.element(printer.name(to.local), to.indices);
          } else {
            return printer.element(printer.name(to.tensor), to.indices);
          }
        },
        yield.destination));
    right.push_back(printer.text(yield.value).text);
    width = std::max(width, left.back().size());
  }
  if (!reduces) {
    for (const std::string& line : shared) lines.push_back(indent + line);
  }
  for (std::size_t i = 0; i < left.size(); ++i) {
    lines.push_back(fmt::format("{}{:<{}} = {}", indent, left[i], width, right[i]));
  }
  if (reduces) {
    for (const std::string& line : shared) lines.push_back(fmt::format("{}    where {}", indent, line));
  }
  return lines;
}

std::string print(const Kernel& kernel, std::size_t number, const Program& program) {
  ExprPrinter printer(*program.pool, &program, &kernel);
  std::string out = fmt::format("kernel {} '{}'", number, kernel.name);
  if (!kernel.outer.empty()) out += fmt::format("   outer {}", printer.axes(kernel.outer));
  out += '\n';
  if (!kernel.nodes.empty()) out += fmt::format("    ; nodes: {}\n", fmt::join(kernel.nodes, ", "));
  if (!kernel.boundary.empty()) out += fmt::format("    ; not fused further: {}\n", kernel.boundary);
  for (const Stage& stage : kernel.stages) {
    for (const std::string& line : lines_of(stage, kernel, program)) out += fmt::format("    {}\n", line);
  }
  return out;
}

std::string print(const ScatterKernel& kernel, std::size_t number, const Program& program) {
  ExprPrinter printer(*program.pool, &program, nullptr);
  std::string out = fmt::format("scatter {} '{}'\n    {} = {}\n", number, kernel.name, printer.name(kernel.out),
                                printer.name(kernel.base));
  std::string indent;
  if (!kernel.axes.empty()) {
    out += fmt::format("    for {}, in order\n", printer.axes(kernel.axes));
    indent = "    ";
  }
  std::vector<ExprId> roots = kernel.target;
  roots.push_back(kernel.value);
  for (const std::string& line : printer.share(roots)) out += fmt::format("    {}{}\n", indent, line);
  return out + fmt::format("    {}{} += {}\n", indent, printer.element(printer.name(kernel.out), kernel.target),
                           printer.text(kernel.value).text);
}

std::string print(const HostStep& step, std::size_t number, const Program& program) {
  return fmt::format("host {}   \"{}\" {}\n", number, step.message, program.tensor(step.tensor).name);
}

std::string print(const CommitStep& step, std::size_t number, const Program& program) {
  return fmt::format("commit {}   {} = {}\n", number, program.tensor(step.variable).name,
                     program.tensor(step.from).name);
}

std::string print(const StripGroup& group, const Program& program) {
  std::string out = fmt::format("strips   kernels {} to {}, at {} points of {}\n", group.first,
                                group.first + group.count - 1, to_string(group.points),
                                group.axes == 1 ? "the first axis" : fmt::format("the first {} axes", group.axes));
  for (const StripGroup::Link& link : group.links) {
    out += fmt::format("    {}: from {} to {}, {} bytes a point{}\n", program.tensor(link.tensor).name, link.first,
                       link.last, link.point_bytes, link.is_private ? ", nobody else's" : "");
  }
  return out;
}

}  // namespace

std::string to_string(const Program& program) {
  std::string out = tensor_table(program);
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    out += '\n';
    out += std::visit([&](const auto& step) { return print(step, i, program); }, program.steps[i]);
  }
  for (const StripGroup& group : program.strips) out += '\n' + print(group, program);
  return out;
}

std::string to_string(const loop::Pool& pool, loop::ExprId id) {
  ExprPrinter printer(pool, nullptr, nullptr);
  const loop::ExprId roots[] = {id};
  std::string out;
  for (const std::string& line : printer.share(roots)) out += line + '\n';
  return out + printer.text(id).text;
}

}  // namespace lathe
