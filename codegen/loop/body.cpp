#include <lathe/codegen/loop/body.h>

#include <fmt/format.h>

namespace lathe::loop {
namespace {

std::string axis_name(std::size_t d) {
  constexpr std::string_view names = "ijlpqrst";
  return d < names.size() ? std::string(1, names[d]) : fmt::format("i{}", d);
}

}  // namespace

Body::Body(Pool& pool, const Graph& graph, NodeId node, std::vector<TensorId> inputs)
    : pool_(pool), graph_(graph), node_(graph.node(node)), inputs_(std::move(inputs)), yields_(node_.outputs.size()) {
  for (const TensorType& type : node_.outputs) {
    std::vector<AxisId>& axes = axes_.emplace_back();
    for (std::size_t d = 0; d < type.rank(); ++d) axes.push_back(pool.make_axis(type.shape[d], axis_name(d)));
  }
}

const TensorType& Body::in_type(std::size_t i) const {
  return graph_.type(node_.inputs.at(i));
}

Expr Body::axis(std::size_t d, std::size_t output) {
  return pool_.index(axes_.at(output).at(d));
}

Expr Body::in(std::size_t i, std::size_t output) {
  const Shape& shape = in_type(i).shape;
  const std::size_t rank = axes_.at(output).size();
  ensure(shape.size() <= rank, "an input of higher rank than the output was read at the output's index");
  std::vector<Expr> indices;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const std::size_t outer = rank - shape.size() + d;
    indices.push_back(shape[d] == Dim(1) ? pool_.extent(0) : axis(outer, output));
  }
  return in(i, indices);
}

Expr Body::in(std::size_t i, const std::vector<Expr>& indices) {
  const TensorType& type = in_type(i);
  ensure(indices.size() == type.rank(), "a load needs one index an axis");
  std::vector<ExprId> ids;
  for (const Expr& index : indices) ids.push_back(index.id);
  return pool_.load(inputs_.at(i), type.dtype, std::move(ids));
}

Expr Body::flat_index(std::size_t output) {
  const Shape strides = row_major_strides(out_type(output).shape);
  Expr flat = pool_.extent(0);
  for (std::size_t d = 0; d < strides.size(); ++d) flat = flat + axis(d, output) * pool_.extent(strides[d]);
  return flat;
}

AxisId Body::reduce_axis(const Dim& extent, std::string name) {
  return pool_.make_axis(extent, std::move(name));
}

Expr Body::check(Expr condition, Expr value, Expr index, Expr detail, std::string message) {
  return pool_.check(pool_.make_check({describe(node_), std::move(message)}), condition, value, index, detail);
}

void Body::yield(Expr value, std::size_t output) {
  ensure(value.dtype() == out_type(output).dtype,
         fmt::format("{} yields {} instead of {}", describe(node_), to_string(value.dtype()),
                     to_string(out_type(output).dtype)));
  yields_.at(output) = value.id;
}

void Body::yield_scatter(std::size_t base, std::vector<AxisId> axes, const std::vector<Expr>& target, Expr value) {
  Scatter scatter{inputs_.at(base), std::move(axes), {}, value.id};
  for (const Expr& index : target) scatter.target.push_back(index.id);
  yields_.at(0) = std::move(scatter);
}

std::vector<Definition> Body::take() {
  std::vector<Definition> definitions;
  for (std::size_t output = 0; output < yields_.size(); ++output) {
    ensure(yields_[output].has_value(), fmt::format("{}: lowering left output {} out", describe(node_), output));
    definitions.push_back({axes_[output], std::move(*yields_[output])});
  }
  return definitions;
}

}  // namespace lathe::loop
