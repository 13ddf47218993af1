#include <lathe/ops/concat.h>

#include <utility>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/axes.h>
#include <lathe/ops/guarded_load.h>
#include <lathe/ops/rules.h>
#include <lathe/ops/slice.h>

namespace lathe {
namespace {

std::size_t concat_axis(const Node& node, std::size_t rank) {
  return resolve_axis(node.attributes.get<std::int64_t>("axis"), rank);
}

InferredTypes infer_concat(const InferContext& context) {
  const std::size_t rank = context.in(0).rank();
  const std::size_t axis = resolve_axis(context, context.attribute<std::int64_t>("axis"), rank);
  Dim total = context.in(0).shape[axis];
  for (std::size_t i = 1; i < context.inputs(); ++i) {
    require_same_dtype(context, 0, i);
    const std::string mismatch =
        fmt::format("input 0 is {}, input {} is {}: all extents but that of axis {} must agree",
                    to_string(context.in(0)), i, to_string(context.in(i)), axis);
    if (context.in(i).rank() != rank) context.fail(mismatch);
    for (std::size_t other = 0; other < rank; ++other) {
      if (other != axis) context.unify(context.in(0).shape[other], context.in(i).shape[other], mismatch);
    }
    total = total + context.in(i).shape[axis];
  }
  Shape shape = context.in(0).shape;
  shape[axis] = total;
  return {{context.in(0).dtype, shape}};
}

Values concat_gradient(const GradientContext& g) {
  const std::size_t rank = g.y().rank();
  const std::size_t axis = concat_axis(g.node(), rank);
  Values gradients;
  Shape begin(rank, Dim(0));
  for (std::size_t i = 0; i < g.node().inputs.size(); ++i) {
    const Shape extents = g.in(i).shape();
    gradients.push_back(slice_block(g.dy(), begin, extents));
    begin[axis] = begin[axis] + extents[axis];
  }
  return gradients;
}

/// Of each input the element whose turn would be here; the first input that reaches this far wins.
void lower_concat(loop::Body& body) {
  const std::size_t rank = body.out_type().rank();
  const std::size_t axis = concat_axis(body.node(), rank);
  struct Piece {
    std::size_t input;
    Dim begin;
    Dim end;
  };
  std::vector<Piece> pieces;
  Dim offset;
  for (std::size_t i = 0; i < body.inputs(); ++i) {
    const Dim& extent = body.in_type(i).shape[axis];
    if (extent != Dim(0)) pieces.push_back({i, offset, offset + extent});
    offset = offset + extent;
  }
  if (pieces.empty()) return body.yield(body.constant(body.out_type().dtype, 0));

  std::optional<loop::Expr> value;
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    std::vector<loop::Expr> indices;
    for (std::size_t d = 0; d < rank; ++d) indices.push_back(body.axis(d));
    indices[axis] = indices[axis] - body.extent(piece->begin);
    const std::vector<std::size_t> unsure = pieces.size() == 1 ? std::vector<std::size_t>{} : std::vector{axis};
    const loop::Expr element = load_moved_inside(body, piece->input, indices, unsure);
    value = value ? loop::select(body.axis(axis) < body.extent(piece->end), element, *value) : element;
  }
  body.yield(*value);
}

[[noreturn]] void fail(std::string_view op, const std::source_location& where, const std::string& message) {
  throw GraphError(fmt::format("{} ({}): {}", op, describe(SourceLine(where)), message));
}

SampleArray reference_concat(std::span<const SampleArray> x) {
  return array_of({2, x[0].shape[1] + x[1].shape[1] + x[2].shape[1]}, [&](std::span<const std::int64_t> i) {
    std::int64_t column = i[1];
    for (const SampleArray& part : x) {
      if (column < part.shape[1]) return element(part, std::vector{i[0], column});
      column -= part.shape[1];
    }
    return 0.0;
  });
}

}  // namespace

namespace op {

const Op concat{{
    .name = "concat",
    .doc = "The inputs one after the other along an axis.",
    .kind = Kind::view,
    .min_inputs = 1,
    .max_inputs = SIZE_MAX,
    .attributes = {{"axis", "Along which.", {}}},
    .infer = infer_concat,
    .gradient = concat_gradient,
    .lower = lower_concat,
    .rewrites = {{"concat of one", [](const RewriteContext& context) { return input_if_same_type(context, 0); }}},
    .onnx = "Concat",
    .samples = []() -> Samples {
      return {
          {.in = {{.shape = {2, dim("n")}}, {.shape = {2, 3}}, {.shape = {2, dim("n")}}},
           .attributes = {{"axis", std::int64_t{-1}}},
           .whole = reference_concat},
          {.in = {{.shape = {2, 0}}, {.shape = {2, 0}}, {.shape = {2, 4}}},
           .attributes = {{"axis", std::int64_t{1}}},
           .whole = reference_concat},
          {.in = {{.dtype = DType::i64, .shape = {2, dim("n")}}, {.dtype = DType::i64, .shape = {dim("m"), dim("n")}}},
           .attributes = {{"axis", std::int64_t{0}}},
           .whole = [](std::span<const SampleArray> x) {
             SampleArray out{{2 + x[1].shape[0], x[0].shape[1]}, x[0].data};
             out.data.insert(out.data.end(), x[1].data.begin(), x[1].data.end());
             return out;
           }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {2, 3}}, {DType::f32, {3, 4}}},
               .attributes = {{"axis", std::int64_t{1}}},
               .error = "input 0 is f32 [2, 3], input 1 is f32 [3, 4]: all extents but that of axis 1 must agree"},
              {.in = {{DType::f32, {2}}, {DType::i32, {2}}},
               .attributes = {{"axis", std::int64_t{0}}},
               .error = "dtypes differ"},
              {.in = {{DType::f32, {2}}, {DType::f32, {2, 2}}},
               .attributes = {{"axis", std::int64_t{0}}},
               .error = "must agree"}};
    },
}};

}  // namespace op

Value concat(Values xs, std::int64_t axis, std::source_location where) {
  if (xs.empty()) fail("concat", where, "there is nothing to join");
  Graph& graph = xs[0].graph();
  return graph.apply({.op = op::concat, .inputs = std::move(xs), .attributes = {{"axis", axis}}, .where = where});
}

Values split(Value x, std::int64_t axis, Shape extents, std::source_location where) {
  if (axis < -static_cast<std::int64_t>(x.rank()) || axis >= static_cast<std::int64_t>(x.rank())) {
    fail("split", where, fmt::format("x {} has no axis {}", to_string(x.shape()), axis));
  }
  const std::size_t along = resolve_axis(axis, x.rank());
  const Shape shape = x.shape();
  Dim left = shape[along];
  Dim* open = nullptr;
  for (Dim& extent : extents) {
    if (extent.is_unknown() && !open) {
      open = &extent;
    } else {
      left = left - extent;
    }
  }
  if (open) {
    *open = left;
  } else if (x.graph().resolve(left) != Dim(0)) {
    fail("split", where,
         fmt::format("pieces of {} do not add up to axis {} of {}", to_string(extents), along, to_string(shape)));
  }
  Values pieces;
  Shape begin(shape.size(), Dim(0));
  Shape piece = shape;
  for (const Dim& extent : extents) {
    piece[along] = extent;
    pieces.push_back(slice_block(x, begin, piece, where));
    begin[along] = begin[along] + extent;
  }
  return pieces;
}

Values split(Value x, std::int64_t axis, std::int64_t parts, std::source_location where) {
  if (axis < -static_cast<std::int64_t>(x.rank()) || axis >= static_cast<std::int64_t>(x.rank())) {
    fail("split", where, fmt::format("x {} has no axis {}", to_string(x.shape()), axis));
  }
  const Dim extent = x.shape()[resolve_axis(axis, x.rank())];
  const auto part = parts > 0 ? divide(extent, Dim(parts)) : std::nullopt;
  if (!part) {
    fail("split", where,
         fmt::format("axis {} of {} does not fall into {} equal parts", axis, to_string(x.shape()), parts));
  }
  return split(x, axis, Shape(static_cast<std::size_t>(parts), *part), where);
}

}  // namespace lathe
