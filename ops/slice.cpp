#include <lathe/ops/slice.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/axes.h>
#include <lathe/ops/rules.h>

namespace lathe {
namespace {

// ---- Positions: element j of a slice lies at begin + j * step of its axis; so does element j of what is padded.

/// Where the elements of one axis lie.
struct Positions {
  Dim begin;
  Dim count;
  std::int64_t step;

  Dim lowest() const { return step > 0 ? begin : begin + (count - Dim(1)) * Dim(step); }
  Dim highest() const { return step > 0 ? begin + (count - Dim(1)) * Dim(step) : begin; }
};

enum class Inside { always, never, depends };

/// Whether all positions are inside [0, extent), whatever the symbols stand for.
Inside inside(const Positions& positions, const Dim& extent) {
  if (positions.count == Dim(0)) return Inside::always;
  const Dim room_above = extent - Dim(1) - positions.highest();
  if (loop::never_negative(positions.lowest()) && loop::never_negative(room_above)) return Inside::always;
  const auto negative = [](const Dim& dim) { return dim.is_constant() && dim.constant() < 0; };
  return negative(positions.lowest()) || negative(room_above) ? Inside::never : Inside::depends;
}

/// Input 0 at `indices`, of which those along `axes` may lie outside: they are moved inside, for a value that a select
/// then drops. A tensor that may be empty is read at its first position, which memory has even then.
loop::Expr load_moved_inside(loop::Body& body, std::size_t input, std::vector<loop::Expr> indices,
                             const std::vector<std::size_t>& axes) {
  const Shape& shape = body.in_type(input).shape;
  std::optional<loop::Expr> not_empty;
  for (const std::size_t axis : axes) {
    indices[axis] = loop::max(loop::min(indices[axis], body.extent(shape[axis] - Dim(1))), body.extent(0));
    if (loop::never_negative(shape[axis] - Dim(1))) continue;
    const loop::Expr some = body.extent(shape[axis]) > body.extent(0);
    not_empty = not_empty ? *not_empty & some : some;
  }
  if (not_empty) {
    for (loop::Expr& index : indices) index = loop::select(*not_empty, index, body.extent(0));
  }
  return body.in(input, indices);
}

// ---- slice

Positions positions_of(const Node& node, const Shape& begin, const Shape& counts, std::size_t axis) {
  return {begin[axis], counts[axis], node.attributes.get<Extents>("steps")[axis]};
}

void check_ranks(const InferContext& context, std::string_view shape_name) {
  const std::size_t rank = context.in(0).rank();
  for (const std::string_view name : {std::string_view("begin"), shape_name}) {
    if (context.attribute<Shape>(name).size() == rank) continue;
    context.fail(fmt::format("x {} has {} axes, '{}' {} has {}", to_string(context.in(0).shape), rank, name,
                             to_string(context.attribute<Shape>(name)), context.attribute<Shape>(name).size()));
  }
  const Extents& steps = context.attribute<Extents>("steps");
  if (steps.size() != rank) context.fail(fmt::format("x has {} axes, 'steps' has {}", rank, steps.size()));
  if (std::find(steps.begin(), steps.end(), 0) != steps.end()) context.fail("a step is 0");
}

InferredTypes infer_slice(const InferContext& context) {
  check_ranks(context, "extents");
  const TensorType& x = context.in(0);
  const Shape begin = context.graph.resolve(context.attribute<Shape>("begin"));
  const Shape extents = context.graph.resolve(context.attribute<Shape>("extents"));
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    if (extents[axis].is_constant() && extents[axis].constant() < 0) {
      context.fail(fmt::format("axis {} would get {} elements", axis, to_string(extents[axis])));
    }
    const Positions positions = positions_of(context.node, begin, extents, axis);
    if (inside(positions, x.shape[axis]) != Inside::never) continue;
    context.fail(fmt::format("positions {} to {} of axis {} are asked for, x {} has {} there",
                             to_string(positions.lowest()), to_string(positions.highest()), axis, to_string(x.shape),
                             to_string(x.shape[axis])));
  }
  return {{x.dtype, extents}};
}

/// An element of the slice; where only a run can tell whether its position exists, with a check that it does.
void lower_slice(loop::Body& body) {
  const Shape& shape = body.in_type(0).shape;
  const Shape& extents = body.out_type().shape;
  const Shape begin = body.graph().resolve(body.attribute<Shape>("begin"));
  std::vector<loop::Expr> indices;
  std::vector<std::size_t> unsure;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const Positions positions = positions_of(body.node(), begin, extents, axis);
    indices.push_back(body.axis(axis) * body.extent(positions.step) + body.extent(positions.begin));
    if (inside(positions, shape[axis]) != Inside::always) unsure.push_back(axis);
  }
  loop::Expr value = load_moved_inside(body, 0, indices, unsure);
  for (const std::size_t axis : unsure) {
    const loop::Expr index = indices[axis];
    const loop::Expr extent = body.extent(shape[axis]);
    value = body.check((index >= body.extent(0)) & (index < extent), value, index, extent,
                       fmt::format("position {{index}} of axis {} is asked for, x has {{detail}} there", axis));
  }
  body.yield(value);
}

/// The node for slices whose extents are known already.
Value apply_slice(const Value& x, Shape begin, Shape extents, Extents steps, const std::source_location& where) {
  return x.graph().apply(
      {.op = op::slice,
       .inputs = {x},
       .attributes = {{"begin", std::move(begin)}, {"extents", std::move(extents)}, {"steps", std::move(steps)}},
       .where = where});
}

Value apply_pad(const Value& x, Shape begin, Shape shape, Extents steps, double value,
                const std::source_location& where) {
  return x.graph().apply({.op = op::pad,
                          .inputs = {x},
                          .attributes = {{"begin", std::move(begin)},
                                         {"shape", std::move(shape)},
                                         {"steps", std::move(steps)},
                                         {"value", value}},
                          .where = where});
}

bool all_zero(const Shape& begin) {
  return std::all_of(begin.begin(), begin.end(), [](const Dim& dim) { return dim == Dim(0); });
}

/// A slice or pad that takes all elements from the first on, one by one.
std::optional<Value> unmoved(const RewriteContext& context) {
  const Extents& steps = context.attribute<Extents>("steps");
  const bool forward = std::all_of(steps.begin(), steps.end(), [](std::int64_t step) { return step == 1; });
  if (!forward || !all_zero(context.attribute<Shape>("begin"))) return std::nullopt;
  return input_if_same_type(context, 0);
}

// ---- pad

InferredTypes infer_pad(const InferContext& context) {
  check_ranks(context, "shape");
  const TensorType& x = context.in(0);
  const Shape begin = context.graph.resolve(context.attribute<Shape>("begin"));
  const Shape shape = context.graph.resolve(context.attribute<Shape>("shape"));
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    const Positions positions = positions_of(context.node, begin, x.shape, axis);
    if (inside(positions, shape[axis]) != Inside::never) continue;
    context.fail(fmt::format("axis {} of x {} would lie at {} to {} of the result's {}", axis, to_string(x.shape),
                             to_string(positions.lowest()), to_string(positions.highest()), to_string(shape)));
  }
  return {{x.dtype, shape}};
}

void lower_pad(loop::Body& body) {
  const Shape& from = body.in_type(0).shape;
  const Shape begin = body.graph().resolve(body.attribute<Shape>("begin"));
  const Shape& shape = body.out_type().shape;
  const Extents& steps = body.attribute<Extents>("steps");
  const loop::Expr zero = body.extent(0);
  std::optional<loop::Expr> taken;
  const auto require = [&](loop::Expr condition) { taken = taken ? *taken & condition : condition; };
  std::vector<loop::Expr> indices;
  std::vector<std::size_t> unsure;
  for (std::size_t axis = 0; axis < from.size(); ++axis) {
    const std::int64_t distance = std::abs(steps[axis]);
    const loop::Expr first = body.extent(begin[axis]);
    const loop::Expr offset = steps[axis] > 0 ? body.axis(axis) - first : first - body.axis(axis);
    const loop::Expr index = distance == 1 ? offset : loop::floor_div(offset, body.extent(distance));
    indices.push_back(index);
    if (steps[axis] == 1 && begin[axis] == Dim(0) && from[axis] == shape[axis]) continue;
    unsure.push_back(axis);
    if (steps[axis] < 0 || begin[axis] != Dim(0)) require(index >= zero);
    if (steps[axis] != 1 || begin[axis] + from[axis] != shape[axis]) require(index < body.extent(from[axis]));
    if (distance != 1) require(loop::equal(loop::mod(offset, body.extent(distance)), zero));
  }
  const loop::Expr value = load_moved_inside(body, 0, indices, unsure);
  if (!taken) return body.yield(value);
  body.yield(loop::select(*taken, value, body.constant(value.dtype(), body.attribute<double>("value"))));
}

// ---- concat

std::size_t concat_axis(const Node& node, std::size_t rank) {
  return resolve_axis(node.attributes.get<std::int64_t>("axis"), rank);
}

InferredTypes infer_concat(const InferContext& context) {
  const std::size_t rank = context.in(0).rank();
  const std::size_t axis = resolve_axis(context, context.attribute<std::int64_t>("axis"), rank);
  Dim total = context.in(0).shape[axis];
  for (std::size_t i = 1; i < context.inputs(); ++i) {
    require_same_dtype(context, 0, i);
    const std::string mismatch = fmt::format("input 0 is {}, input {} is {}: all extents but that of axis {} must agree",
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
    gradients.push_back(apply_slice(g.dy(), begin, extents, Extents(rank, 1), std::source_location::current()));
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

// ---- what the functions for users work out

[[noreturn]] void fail(std::string_view op, const std::source_location& where, const std::string& message) {
  throw GraphError(fmt::format("{} ({}): {}", op, describe(SourceLine(where)), message));
}

/// A position counted from the end if it is negative.
Dim from_start(const Dim& position, const Dim& extent) {
  return position.is_constant() && position.constant() < 0 ? extent + position : position;
}

/// distance / step rounded up, if that is a polynomial: none left over by any number of elements below a step.
std::optional<Dim> steps_in(const Dim& distance, std::int64_t step) {
  if (const auto number = distance.as_constant()) return Dim(*number <= 0 ? 0 : (*number + step - 1) / step);
  for (std::int64_t more = 0; more < step; ++more) {
    if (const auto exact = divide(distance + Dim(more), Dim(step))) return exact;
  }
  return std::nullopt;
}

Positions positions_in(const Range& range, const Dim& extent, const std::source_location& where) {
  if (range.step == 0) fail("slice", where, "a step is 0");
  const bool forward = range.step > 0;
  const Dim begin = range.begin ? from_start(*range.begin, extent) : forward ? Dim(0) : extent - Dim(1);
  const Dim end = range.end ? from_start(*range.end, extent) : forward ? extent : Dim(-1);
  const Dim distance = forward ? end - begin : begin - end;
  const std::optional<Dim> count = steps_in(distance, std::abs(range.step));
  if (!count) {
    fail("slice", where,
         fmt::format("how many steps of {} lead from {} to {} depends on more than a polynomial says", range.step,
                     to_string(begin), to_string(end)));
  }
  return {begin, *count, range.step};
}

Array reference_slice(std::span<const Array> x) {
  // x[1:4, ::-2]
  const std::int64_t columns = x[0].shape[1];
  return array_of({3, (columns + 1) / 2}, [&](std::span<const std::int64_t> i) {
    return element(x[0], std::vector{i[0] + 1, columns - 1 - 2 * i[1]});
  });
}

Array reference_pad(std::span<const Array> x) {
  const std::int64_t n = x[0].shape[0];
  return array_of({n + 3, 2}, [&](std::span<const std::int64_t> i) {
    return i[0] < 1 || i[0] > n ? 0.5 : element(x[0], std::vector{i[0] - 1, i[1]});
  });
}

Array reference_concat(std::span<const Array> x) {
  return array_of({2, x[0].shape[1] + x[1].shape[1] + x[2].shape[1]}, [&](std::span<const std::int64_t> i) {
    std::int64_t column = i[1];
    for (const Array& part : x) {
      if (column < part.shape[1]) return element(part, std::vector{i[0], column});
      column -= part.shape[1];
    }
    return 0.0;
  });
}

}  // namespace

namespace op {

const Op slice{{
    .name = "slice",
    .doc = "Element i of the result is x at begin + i * steps, along every axis.",
    .kind = Kind::view,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"begin", "The first position, one an axis.", {}},
                   {"extents", "How many elements, one an axis.", {}},
                   {"steps", "How far apart, one an axis; not 0.", {}}},
    .infer = infer_slice,
    .gradient = [](const GradientContext& g) -> Values {
      return {apply_pad(g.dy(), g.attribute<Shape>("begin"), g.in(0).shape(), g.attribute<Extents>("steps"), 0,
                        std::source_location::current())};
    },
    .lower = lower_slice,
    .rewrites = {{"slice of all", unmoved}},
    .onnx = "Slice",
    .samples = {{.in = {{.shape = {5, 7}}},
                 .attributes = {{"begin", Shape{1, 6}}, {"extents", Shape{3, 4}}, {"steps", Extents{1, -2}}},
                 .whole = reference_slice},
                {.in = {{.shape = {dim("n"), 4}}},
                 .attributes = {{"begin", Shape{dim("n") - Dim(1), 1}},
                                {"extents", Shape{dim("n"), 2}},
                                {"steps", Extents{-1, 2}}},
                 .whole =
                     [](std::span<const Array> x) {
                       const std::int64_t n = x[0].shape[0];
                       return array_of({n, 2}, [&](std::span<const std::int64_t> i) {
                         return element(x[0], std::vector{n - 1 - i[0], 1 + 2 * i[1]});
                       });
                     }}},
    .bad_samples =
        {{.in = {{DType::f32, {5}}},
          .attributes = {{"begin", Shape{3}}, {"extents", Shape{3}}, {"steps", Extents{1}}},
          .error = "positions 3 to 5 of axis 0 are asked for, x [5] has 5 there"},
         {.in = {{DType::f32, {5}}},
          .attributes = {{"begin", Shape{1}}, {"extents", Shape{3}}, {"steps", Extents{-1}}},
          .error = "positions -1 to 1 of axis 0 are asked for"},
         {.in = {{DType::f32, {5}}},
          .attributes = {{"begin", Shape{1}}, {"extents", Shape{3}}, {"steps", Extents{0}}},
          .error = "a step is 0"},
         {.in = {{DType::f32, {5}}},
          .attributes = {{"begin", Shape{1, 1}}, {"extents", Shape{3}}, {"steps", Extents{1}}},
          .error = "x [5] has 1 axes, 'begin' [1, 1] has 2"}},
}};

const Op pad{{
    .name = "pad",
    .doc = "x in the middle of a larger tensor of `value`: element i lies at begin + i * steps, along every axis.",
    .kind = Kind::view,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"begin", "Where element 0 lies, one an axis.", {}},
                   {"shape", "Of the result.", {}},
                   {"steps", "How far apart elements lie, one an axis; not 0.", {}},
                   {"value", "What is around them.", 0.0}},
    .infer = infer_pad,
    .gradient = [](const GradientContext& g) -> Values {
      return {apply_slice(g.dy(), g.attribute<Shape>("begin"), g.in(0).shape(), g.attribute<Extents>("steps"),
                          std::source_location::current())};
    },
    .lower = lower_pad,
    .rewrites = {{"pad by nothing", unmoved}},
    .onnx = "Pad",
    .samples = {{.in = {{.shape = {dim("n"), 2}}},
                 .attributes = {{"begin", Shape{1, 0}},
                                {"shape", Shape{dim("n") + Dim(3), 2}},
                                {"steps", Extents{1, 1}},
                                {"value", 0.5}},
                 .whole = reference_pad},
                {.in = {{.dtype = DType::i32, .shape = {3}}},
                 .attributes = {{"begin", Shape{6}}, {"shape", Shape{9}}, {"steps", Extents{-2}}, {"value", -1.0}},
                 .whole =
                     [](std::span<const Array> x) {
                       const auto& d = x[0].data;
                       return Array{{9}, {-1, -1, d[2], -1, d[1], -1, d[0], -1, -1}};
                     }}},
    .bad_samples = {{.in = {{DType::f32, {5}}},
                     .attributes = {{"begin", Shape{1}}, {"shape", Shape{5}}, {"steps", Extents{1}}},
                     .error = "axis 0 of x [5] would lie at 1 to 5 of the result's [5]"},
                    {.in = {{DType::f32, {5}}},
                     .attributes = {{"begin", Shape{-1}}, {"shape", Shape{9}}, {"steps", Extents{1}}},
                     .error = "axis 0 of x [5] would lie at -1 to 3 of the result's [9]"}},
}};

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
    .samples = {{.in = {{.shape = {2, dim("n")}}, {.shape = {2, 3}}, {.shape = {2, dim("n")}}},
                 .attributes = {{"axis", std::int64_t{-1}}},
                 .whole = reference_concat},
                {.in = {{.shape = {2, 0}}, {.shape = {2, 0}}, {.shape = {2, 4}}},
                 .attributes = {{"axis", std::int64_t{1}}},
                 .whole = reference_concat},
                {.in = {{.dtype = DType::i64, .shape = {2, dim("n")}}, {.dtype = DType::i64, .shape = {dim("m"), dim("n")}}},
                 .attributes = {{"axis", std::int64_t{0}}},
                 .whole =
                     [](std::span<const Array> x) {
                       Array out{{2 + x[1].shape[0], x[0].shape[1]}, x[0].data};
                       out.data.insert(out.data.end(), x[1].data.begin(), x[1].data.end());
                       return out;
                     }}},
    .bad_samples = {{.in = {{DType::f32, {2, 3}}, {DType::f32, {3, 4}}},
                     .attributes = {{"axis", std::int64_t{1}}},
                     .error = "input 0 is f32 [2, 3], input 1 is f32 [3, 4]: all extents but that of axis 1 must agree"},
                    {.in = {{DType::f32, {2}}, {DType::i32, {2}}},
                     .attributes = {{"axis", std::int64_t{0}}},
                     .error = "dtypes differ"},
                    {.in = {{DType::f32, {2}}, {DType::f32, {2, 2}}},
                     .attributes = {{"axis", std::int64_t{0}}},
                     .error = "must agree"}},
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
    pieces.push_back(apply_slice(x, begin, piece, Extents(shape.size(), 1), where));
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
    fail("split", where, fmt::format("axis {} of {} does not fall into {} equal parts", axis, to_string(x.shape()), parts));
  }
  return split(x, axis, Shape(static_cast<std::size_t>(parts), *part), where);
}

Value slice(Value x, std::vector<Range> ranges, std::source_location where) {
  const Shape shape = x.shape();
  if (ranges.size() > shape.size()) {
    fail("slice", where, fmt::format("{} ranges for the {} axes of x {}", ranges.size(), shape.size(), to_string(shape)));
  }
  ranges.resize(shape.size());
  Shape begin;
  Shape extents;
  Extents steps;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    Positions positions = positions_in(ranges[axis], shape[axis], where);
    begin.push_back(std::move(positions.begin));
    extents.push_back(std::move(positions.count));
    steps.push_back(positions.step);
  }
  return apply_slice(x, std::move(begin), std::move(extents), std::move(steps), where);
}

Value pad(Value x, Shape low, Shape high, double value, std::source_location where) {
  Shape shape = x.shape();
  if (low.size() != shape.size() || high.size() != shape.size()) {
    fail("pad", where,
         fmt::format("x {} has {} axes, low {} has {}, high {} has {}", to_string(shape), shape.size(), to_string(low),
                     low.size(), to_string(high), high.size()));
  }
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const auto negative = [](const Dim& dim) { return dim.is_constant() && dim.constant() < 0; };
    if (negative(low[axis]) || negative(high[axis])) {
      fail("pad", where, fmt::format("by {} before and {} after axis {}: slice it instead", to_string(low[axis]),
                                     to_string(high[axis]), axis));
    }
    shape[axis] = low[axis] + shape[axis] + high[axis];
  }
  return apply_pad(x, std::move(low), std::move(shape), Extents(x.rank(), 1), value, where);
}

}  // namespace lathe
