#include <lathe/graph/op.h>

#include <map>

#include <fmt/format.h>

#include <lathe/graph/graph.h>

namespace lathe {
namespace {

std::map<std::string, const Op*, std::less<>>& registry() {
  static std::map<std::string, const Op*, std::less<>> ops;
  return ops;
}

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::placeholder: return "placeholder";
    case Kind::constant: return "constant";
    case Kind::variable: return "variable";
    case Kind::assign: return "assign";
    case Kind::elementwise: return "elementwise";
    case Kind::view: return "view";
    case Kind::reduction: return "reduction";
    case Kind::contraction: return "contraction";
    case Kind::gather: return "gather";
    case Kind::scatter: return "scatter";
    case Kind::random: return "random";
    case Kind::effect: return "effect";
    case Kind::host: break;
  }
  return "host";
}

bool is_pure(Kind kind) {
  switch (kind) {
    case Kind::constant:
    case Kind::elementwise:
    case Kind::view:
    case Kind::reduction:
    case Kind::contraction:
    case Kind::gather:
    case Kind::scatter: return true;
    case Kind::placeholder:
    case Kind::variable:
    case Kind::assign:
    case Kind::random:
    case Kind::effect:
    case Kind::host: break;
  }
  return false;
}

bool has_effect(Kind kind) {
  return kind == Kind::assign || kind == Kind::effect || kind == Kind::host;
}

Op::Op(OpSpec spec) : OpSpec(std::move(spec)) {
  ensure(gradient != nullptr || !not_differentiable.empty(),
         fmt::format("op '{}' has no gradient and does not say why", name));
  ensure(registry().emplace(name, this).second, fmt::format("two ops are called '{}'", name));
}

std::vector<const Op*> all_ops() {
  std::vector<const Op*> ops;
  for (const auto& [name, op] : registry()) ops.push_back(op);
  return ops;
}

const Op* find_op(std::string_view name) {
  const auto found = registry().find(name);
  return found == registry().end() ? nullptr : found->second;
}

const TensorType& InferContext::in(std::size_t i) const {
  return graph.type(node.inputs.at(i));
}

void InferContext::fail(std::string_view message) const {
  throw GraphError(fmt::format("{}: {}", describe(node), message));
}

Dim InferContext::unify(const Dim& a, const Dim& b, std::string_view message) const {
  if (!graph.unify(a, b)) fail(message);
  return graph.resolve(a);
}

Shape InferContext::broadcast(const Shape& a, const Shape& b) const {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape out = longer;
  const std::size_t offset = longer.size() - shorter.size();
  for (std::size_t axis = 0; axis < shorter.size(); ++axis) {
    const Dim x = graph.resolve(longer[offset + axis]);
    const Dim y = graph.resolve(shorter[axis]);
    if (x == Dim(1) || y == Dim(1)) {
      out[offset + axis] = x == Dim(1) ? y : x;
    } else if (graph.unify(x, y)) {
      out[offset + axis] = graph.resolve(x);
    } else {
      fail(fmt::format("shapes {} and {} do not broadcast", to_string(a), to_string(b)));
    }
  }
  return out;
}

const Node& GradientContext::node() const {
  return graph.node(id);
}

Value GradientContext::in(std::size_t i) const {
  return {graph, node().inputs.at(i)};
}

Value GradientContext::y(std::size_t output) const {
  return {graph, {id, static_cast<std::uint32_t>(output)}};
}

}  // namespace lathe
