#include <lathe/ops/slice.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/guarded_load.h>
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

/// Where a slice begins; 0 if it turns out empty: it may be read even so, and x has no element elsewhere, perhaps.
loop::Expr first_position(loop::Body& body, const Positions& positions) {
  const loop::Expr begin = body.extent(positions.begin);
  if (loop::never_negative(positions.count - Dim(1))) return begin;
  return loop::select(body.extent(positions.count) > body.extent(0), begin, body.extent(0));
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
    const bool is_sure = inside(positions, shape[axis]) == Inside::always;
    const loop::Expr first = is_sure ? first_position(body, positions) : body.extent(positions.begin);
    indices.push_back(body.axis(axis) * body.extent(positions.step) + first);
    if (!is_sure) unsure.push_back(axis);
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

SampleArray reference_slice(std::span<const SampleArray> x) {
  // x[1:4, ::-2]
  const std::int64_t columns = x[0].shape[1];
  return array_of({3, (columns + 1) / 2}, [&](std::span<const std::int64_t> i) {
    return element(x[0], std::vector{i[0] + 1, columns - 1 - 2 * i[1]});
  });
}

SampleArray reference_pad(std::span<const SampleArray> x) {
  const std::int64_t n = x[0].shape[0];
  return array_of({n + 3, 2}, [&](std::span<const std::int64_t> i) {
    return i[0] < 1 || i[0] > n ? 0.5 : element(x[0], std::vector{i[0] - 1, i[1]});
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
    .samples = []() -> Samples {
      return {{.in = {{.shape = {5, 7}}},
               .attributes = {{"begin", Shape{1, 6}}, {"extents", Shape{3, 4}}, {"steps", Extents{1, -2}}},
               .whole = reference_slice},
              {.in = {{.shape = {dim("n"), 4}}},
               .attributes = {{"begin", Shape{dim("n") - Dim(1), 1}},
                              {"extents", Shape{dim("n"), 2}},
                              {"steps", Extents{-1, 2}}},
               .whole = [](std::span<const SampleArray> x) {
                 const std::int64_t n = x[0].shape[0];
                 return array_of({n, 2}, [&](std::span<const std::int64_t> i) {
                   return element(x[0], std::vector{n - 1 - i[0], 1 + 2 * i[1]});
                 });
               }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {5}}},
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
               .error = "x [5] has 1 axes, 'begin' [1, 1] has 2"}};
    },
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
    .samples = []() -> Samples {
      return {{.in = {{.shape = {dim("n"), 2}}},
               .attributes = {{"begin", Shape{1, 0}},
                              {"shape", Shape{dim("n") + Dim(3), 2}},
                              {"steps", Extents{1, 1}},
                              {"value", 0.5}},
               .whole = reference_pad},
              {.in = {{.dtype = DType::i32, .shape = {3}}},
               .attributes = {{"begin", Shape{6}}, {"shape", Shape{9}}, {"steps", Extents{-2}}, {"value", -1.0}},
               .whole = [](std::span<const SampleArray> x) {
                 const auto& d = x[0].data;
                 return SampleArray{{9}, {-1, -1, d[2], -1, d[1], -1, d[0], -1, -1}};
               }}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {5}}},
               .attributes = {{"begin", Shape{1}}, {"shape", Shape{5}}, {"steps", Extents{1}}},
               .error = "axis 0 of x [5] would lie at 1 to 5 of the result's [5]"},
              {.in = {{DType::f32, {5}}},
               .attributes = {{"begin", Shape{-1}}, {"shape", Shape{9}}, {"steps", Extents{1}}},
               .error = "axis 0 of x [5] would lie at -1 to 3 of the result's [9]"}};
    },
}};

}  // namespace op

Value slice_block(Value x, Shape begin, Shape extents, std::source_location where) {
  return apply_slice(x, std::move(begin), std::move(extents), Extents(x.rank(), 1), where);
}

Value slice(Value x, std::vector<Range> ranges, std::source_location where) {
  const Shape shape = x.shape();
  if (ranges.size() > shape.size()) {
    fail("slice", where,
         fmt::format("{} ranges for the {} axes of x {}", ranges.size(), shape.size(), to_string(shape)));
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
      fail("pad", where,
           fmt::format("by {} before and {} after axis {}: slice it instead", to_string(low[axis]),
                       to_string(high[axis]), axis));
    }
    shape[axis] = low[axis] + shape[axis] + high[axis];
  }
  return apply_pad(x, std::move(low), std::move(shape), Extents(x.rank(), 1), value, where);
}

}  // namespace lathe
