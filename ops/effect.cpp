#include <lathe/ops/effect.h>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/codegen/loop/math.h>
#include <lathe/ops/rules.h>

namespace lathe {
namespace {

InferredTypes infer_labels(const InferContext& context) {
  if (!is_integer(context.in(0).dtype)) {
    context.fail(fmt::format("labels are integers, and input 0 is {}", to_string(context.in(0))));
  }
  if (context.attribute<Shape>("classes").size() != 1) context.fail("'classes' is one extent");
  return {context.in(0)};
}

void lower_assert_all_finite(loop::Body& body) {
  const loop::Expr x = body.in(0);
  const std::string& message = body.attribute<std::string>("message");
  body.yield(body.check(loop::is_finite(x), x, body.flat_index(), body.extent(0),
                        fmt::format("{}{}element {{index}} is NaN or infinite", message, message.empty() ? "" : ": ")));
}

void lower_check_labels(loop::Body& body) {
  const loop::Expr label = body.in(0);
  const loop::Expr number = loop::cast(DType::i64, label);
  const Dim classes = body.graph().resolve(body.attribute<Shape>("classes"))[0];
  const loop::Expr valid = (number >= body.extent(0)) & (number < body.extent(classes));
  body.yield(body.check(valid, label, body.flat_index(), number,
                        fmt::format("label {{detail}} at row {{index}} is outside [0, {})", to_string(classes))));
}

double same(std::span<const double> x) {
  return x[0];
}

std::vector<NodeId> nodes_of(const Values& values) {
  std::vector<NodeId> nodes;
  for (const Value& value : values) nodes.push_back(value.id().node);
  return nodes;
}

}  // namespace

namespace op {

const Op print{{
    .name = "print",
    .doc = "x, which each run also shows.",
    .kind = Kind::host,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"message", "What to show before x.", std::string()}},
    .infer = same_as_input,
    .gradient = pass_through,
    .lower = [](loop::Body& body) { body.yield(body.in(0)); },
    .shows_nonfinite = 1,
    .samples = []() -> Samples {
      return {{.in = {{.shape = {dim("n")}}}, .attributes = {{"message", std::string("x:")}}, .scalar = same}};
    },
}};

// A check belongs to the value that it lets through and fuses like any arithmetic on it; so it is no effect to fusion.
const Op assert_all_finite{{
    .name = "assert_all_finite",
    .doc = "x; a run fails if an element is NaN or infinite.",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"message", "What the error says first.", std::string()}},
    .infer = float_like_input,
    .gradient = pass_through,
    .lower = lower_assert_all_finite,
    .shows_nonfinite = 1,
    .samples = []() -> Samples {
      return {{.in = {{.shape = {dim("n"), 2}}}, .scalar = same}};
    },
    .bad_samples = float_bad_samples,
}};

const Op check_labels{{
    .name = "check_labels",
    .doc = "labels; a run fails if one is outside [0, classes).",
    .kind = Kind::elementwise,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {{"classes", "One extent: how many classes there are.", {}}},
    .infer = infer_labels,
    .not_differentiable = "labels are integers",
    .lower = lower_check_labels,
    .samples = []() -> Samples {
      return {{.in = {{.dtype = DType::i32, .shape = {dim("n")}, .low = 0, .high = 10}},
               .attributes = {{"classes", Shape{10}}},
               .scalar = same},
              {.in = {{.dtype = DType::u8, .shape = {dim("n")}, .low = 0, .high = 3}},
               .attributes = {{"classes", Shape{300}}},
               .scalar = same}};
    },
    .bad_samples = []() -> BadSamples {
      return {{.in = {{DType::f32, {2}}},
               .attributes = {{"classes", Shape{10}}},
               .error = "labels are integers, and input 0 is f32 [2]"}};
    },
}};

const Op group{{
    .name = "group",
    .doc = "True, once all nodes that it has control edges from have run.",
    .kind = Kind::effect,
    .infer = [](const InferContext&) -> InferredTypes {
      return {{DType::boolean, {}}};
    },
    .gradient = no_inputs,
    .lower = [](loop::Body& body) { body.yield(body.constant(DType::boolean, 1)); },
    .samples = []() -> Samples { return {{.in = {}, .scalar = [](std::span<const double>) { return 1.0; }}}; },
}};

const Op with_dependencies{{
    .name = "with_dependencies",
    .doc = "x, once all nodes that it has control edges from have run.",
    .kind = Kind::effect,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = same_as_input,
    .gradient = pass_through,
    .lower = [](loop::Body& body) { body.yield(body.in(0)); },
    .shows_nonfinite = 1,
    .samples = []() -> Samples { return {{.in = {{.shape = {dim("n")}}}, .scalar = same}}; },
}};

}  // namespace op

Value print(Value x, std::string_view message, std::source_location where) {
  return x.graph().apply(
      {.op = op::print, .inputs = {x}, .attributes = {{"message", std::string(message)}}, .where = where});
}

Value assert_all_finite(Value x, std::string_view message, std::source_location where) {
  return x.graph().apply(
      {.op = op::assert_all_finite, .inputs = {x}, .attributes = {{"message", std::string(message)}}, .where = where});
}

Value check_labels(Value labels, Dim classes, std::source_location where) {
  return labels.graph().apply({.op = op::check_labels,
                               .inputs = {labels},
                               .attributes = {{"classes", Shape{std::move(classes)}}},
                               .where = where});
}

Value group(const Values& values, std::source_location where) {
  if (values.empty()) throw GraphError(fmt::format("group ({}): of nothing", describe(SourceLine(where))));
  return values[0].graph().apply({.op = op::group, .where = where, .control = nodes_of(values)});
}

Value with_dependencies(Value x, const Values& effects, std::source_location where) {
  return x.graph().apply({.op = op::with_dependencies, .inputs = {x}, .where = where, .control = nodes_of(effects)});
}

}  // namespace lathe
