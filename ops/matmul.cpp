#include <lathe/ops/matmul.h>

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <lathe/codegen/loop/body.h>
#include <lathe/ops/arithmetic.h>
#include <lathe/ops/shape.h>

namespace lathe {
namespace {

/// "a [batch, 784] has 784 columns"
std::string side(std::string_view name, const Shape& shape, const Dim& extent, bool transposed,
                 std::string_view along) {
  return fmt::format("{} {}{} has {} {}", name, to_string(shape), transposed ? ", transposed," : "", to_string(extent),
                     along);
}

std::vector<TensorType> infer(const InferContext& context) {
  const TensorType a = context.in(0);
  const TensorType b = context.in(1);
  for (const auto& [name, type] : {std::pair{"a", &a}, std::pair{"b", &b}}) {
    if (type->rank() < 2) {
      context.fail(fmt::format("multiplies matrices, and {} {} has rank {}: reshape or expand_dims makes it one", name,
                               to_string(type->shape), type->rank()));
    }
    if (!is_float(type->dtype)) {
      context.fail(fmt::format("multiplies floats, and {} is {}: cast it first", name, to_string(type->dtype)));
    }
  }
  if (a.dtype != b.dtype) {
    context.fail(fmt::format("dtypes differ: a is {}, b is {}", to_string(a.dtype), to_string(b.dtype)));
  }
  const bool transpose_a = context.attribute<bool>("transpose_a");
  const bool transpose_b = context.attribute<bool>("transpose_b");
  const auto a_rows = a.shape.end() - (transpose_a ? 1 : 2);
  const auto a_columns = a.shape.end() - (transpose_a ? 2 : 1);
  const auto b_rows = b.shape.end() - (transpose_b ? 1 : 2);
  const auto b_columns = b.shape.end() - (transpose_b ? 2 : 1);
  context.unify(*a_columns, *b_rows,
                fmt::format("inner dimensions differ: {}, {}", side("a", a.shape, *a_columns, transpose_a, "columns"),
                            side("b", b.shape, *b_rows, transpose_b, "rows")));
  Shape c = context.broadcast({a.shape.begin(), a.shape.end() - 2}, {b.shape.begin(), b.shape.end() - 2});
  c.push_back(*a_rows);
  c.push_back(*b_columns);
  return {{a.dtype, c}};
}

/// The indices of a matrix in a stack that is broadcast to the output's batch dimensions.
std::vector<loop::Expr> indices(loop::Body& body, std::size_t input, loop::Expr row, loop::Expr column) {
  const Shape& shape = body.in_type(input).shape;
  const std::size_t offset = body.out_type().rank() - shape.size();
  std::vector<loop::Expr> result;
  for (std::size_t axis = 0; axis + 2 < shape.size(); ++axis) {
    result.push_back(shape[axis] == Dim(1) ? body.extent(0) : body.axis(offset + axis));
  }
  result.push_back(row);
  result.push_back(column);
  return result;
}

void lower(loop::Body& body) {
  const bool transpose_a = body.attribute<bool>("transpose_a");
  const bool transpose_b = body.attribute<bool>("transpose_b");
  const TensorType& a = body.in_type(0);
  const std::size_t rank = body.out_type().rank();
  const loop::AxisId inner = body.reduce_axis(a.shape[a.rank() - (transpose_a ? 2 : 1)]);
  const loop::Expr m = body.axis(rank - 2);
  const loop::Expr n = body.axis(rank - 1);
  const loop::Expr k = body.index(inner);
  const auto a_indices = transpose_a ? indices(body, 0, k, m) : indices(body, 0, m, k);
  const auto b_indices = transpose_b ? indices(body, 1, n, k) : indices(body, 1, k, n);
  body.yield(body.contract({inner}, body.in(0, a_indices), body.in(1, b_indices)));
}

/// A stack of matrices [.., M, N] as one of all their rows.
Value all_rows(const Value& x) {
  const Shape& shape = x.shape();
  return reshape(x, {element_count(Shape(shape.begin(), shape.end() - 1)), shape.back()});
}

Values gradient(const GradientContext& g) {
  const Value a = g.in(0);
  const Value b = g.in(1);
  const Value dy = g.dy();
  const bool ta = g.attribute<bool>("transpose_a");
  const bool tb = g.attribute<bool>("transpose_b");
  Value da;
  if (g.wants(0)) {
    da = ta ? matmul(b, dy, {.transpose_a = tb, .transpose_b = true}) : matmul(dy, b, {.transpose_b = !tb});
    da = sum_to_shape(da, a.shape());
  }
  if (!g.wants(1)) return {da, Value()};
  // One b for a whole stack: a single product over all rows, where the general way would store a product for each a.
  if (b.rank() == 2 && a.rank() > 2 && !ta) {
    const Value rows = all_rows(a);
    const Value dy_rows = all_rows(dy);
    const Value db = tb ? matmul(dy_rows, rows, {.transpose_a = true}) : matmul(rows, dy_rows, {.transpose_a = true});
    return {da, db};
  }
  const Value db = tb ? matmul(dy, a, {.transpose_a = true, .transpose_b = ta}) : matmul(a, dy, {.transpose_a = !ta});
  return {da, sum_to_shape(db, b.shape())};
}

/// Where batch number `batch` of the output's stack starts in a stack of matrices that is broadcast to it.
std::size_t matrix_offset(const Extents& shape, const Extents& output, std::int64_t batch) {
  std::int64_t matrix = 0;
  std::int64_t stride = 1;
  const std::size_t missing = output.size() - shape.size();
  for (std::size_t axis = output.size() - 2; axis-- > missing;) {
    const std::int64_t extent = shape[axis - missing];
    if (extent != 1) matrix += batch % output[axis] * stride;
    stride *= extent;
    batch /= output[axis];
  }
  return static_cast<std::size_t>(matrix * shape[shape.size() - 2] * shape.back());
}

std::function<SampleArray(std::span<const SampleArray>)> reference(bool transpose_a, bool transpose_b) {
  return [=](std::span<const SampleArray> in) {
    const SampleArray& a = in[0];
    const SampleArray& b = in[1];
    const std::size_t a_rank = a.shape.size();
    const std::size_t b_rank = b.shape.size();
    const std::int64_t rows = a.shape[a_rank - (transpose_a ? 1 : 2)];
    const std::int64_t inner = a.shape[a_rank - (transpose_a ? 2 : 1)];
    const std::int64_t columns = b.shape[b_rank - (transpose_b ? 2 : 1)];
    SampleArray c;
    const std::size_t rank = std::max(a_rank, b_rank);
    std::int64_t batches = 1;
    for (std::size_t axis = 0; axis + 2 < rank; ++axis) {
      const std::int64_t from_a = axis + a_rank < rank ? 1 : a.shape[axis + a_rank - rank];
      const std::int64_t from_b = axis + b_rank < rank ? 1 : b.shape[axis + b_rank - rank];
      c.shape.push_back(from_a == 1 ? from_b : from_a);
      batches *= c.shape.back();
    }
    c.shape.push_back(rows);
    c.shape.push_back(columns);
    for (std::int64_t batch = 0; batch < batches; ++batch) {
      const double* x = a.data.data() + matrix_offset(a.shape, c.shape, batch);
      const double* y = b.data.data() + matrix_offset(b.shape, c.shape, batch);
      for (std::int64_t m = 0; m < rows; ++m) {
        for (std::int64_t n = 0; n < columns; ++n) {
          double total = 0;
          for (std::int64_t k = 0; k < inner; ++k) {
            total += x[transpose_a ? k * rows + m : m * inner + k] * y[transpose_b ? n * inner + k : k * columns + n];
          }
          c.data.push_back(total);
        }
      }
    }
    return c;
  };
}

Sample sample(Shape a, Shape b, bool transpose_a = false, bool transpose_b = false) {
  return {.in = {{.shape = std::move(a)}, {.shape = std::move(b)}},
          .attributes = {{"transpose_a", transpose_a}, {"transpose_b", transpose_b}},
          .whole = reference(transpose_a, transpose_b)};
}

}  // namespace

const Op op::matmul{{
    .name = "matmul",
    .doc = "c[.., m, n] = sum over k of a[.., m, k] * b[.., k, n]; batch dimensions broadcast.",
    .kind = Kind::contraction,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {{"transpose_a", "Whether a is stored as [.., K, M].", false},
                   {"transpose_b", "Whether b is stored as [.., N, K].", false}},
    .infer = infer,
    .gradient = gradient,
    .lower = lower,
    .shows_nonfinite = 2,
    .onnx = "MatMul",
    .samples = []() -> Samples {
      return {sample({dim("n"), 5}, {5, 3}),
              sample({3, dim("n")}, {dim("n"), 4}),
              sample({4, 3}, {3, dim("n")}),
              sample({5, dim("n")}, {5, 3}, true, false),
              sample({dim("n"), 5}, {3, 5}, false, true),
              sample({5, 2}, {3, 5}, true, true),
              sample({2, dim("n"), 3}, {2, 3, 4}),
              sample({2, 4, 3}, {3, 5}),
              sample({2, 4, 3}, {5, 3}, false, true),
              sample({3, 4}, {2, 4, 2}),
              sample({2, 1, 3, 4}, {3, 4, 2}),
              sample({2, 4, 3}, {1, 4, 2}, true, false)};
    },
    .bad_samples = []() -> BadSamples {
      return {
          {.in = {{DType::f32, {dim("batch"), 784}}, {DType::f32, {768, 128}}},
           .error = "inner dimensions differ: a [batch, 784] has 784 columns, b [768, 128] has 768 rows"},
          {.in = {{DType::f32, {2, 3}}, {DType::f32, {3, 4}}},
           .attributes = {{"transpose_a", true}},
           .error = "inner dimensions differ: a [2, 3], transposed, has 2 columns, b [3, 4] has 3 rows"},
          {.in = {{DType::f32, {3}}, {DType::f32, {3, 4}}},
           .error = "multiplies matrices, and a [3] has rank 1: reshape or expand_dims makes it one"},
          {.in = {{DType::f32, {2, 3}}, {DType::f32, {}}},
           .error = "multiplies matrices, and b [] has rank 0: reshape or expand_dims makes it one"},
          {.in = {{DType::f32, {2, 3}}, {DType::f64, {3, 4}}}, .error = "dtypes differ: a is f32, b is f64"},
          {.in = {{DType::i32, {2, 3}}, {DType::i32, {3, 4}}},
           .error = "multiplies floats, and a is i32: cast it first"},
          {.in = {{DType::f32, {2, 2, 3}}, {DType::f32, {5, 3, 4}}}, .error = "shapes [2] and [5] do not broadcast"}};
    },
}};

Value matmul(Value a, Value b, MatmulOptions options, std::source_location where) {
  return a.graph().apply({.op = op::matmul,
                          .inputs = {a, b},
                          .attributes = {{"transpose_a", options.transpose_a}, {"transpose_b", options.transpose_b}},
                          .where = where});
}

}  // namespace lathe
