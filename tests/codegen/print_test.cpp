#include <doctest/doctest.h>

#include "loop/program_builder.h"

#include <lathe/codegen/loop/math.h>

using namespace lathe;
using namespace lathe::loop;

namespace {

struct Scalars {
  Pool pool;
  AxisId i = pool.make_axis(dim("print_n"), "i");
  AxisId k = pool.make_axis(10, "k");
  Expr at(int tensor, AxisId axis) { return pool.load(static_cast<TensorId>(tensor), f32, {pool.index(axis).id}); }
  Expr a = at(0, i);
  Expr b = at(1, i);
  Expr c = at(2, i);
  std::string text(Expr e) { return to_string(pool, e.id); }
};

}  // namespace

TEST_CASE("expressions are written infix with no more parentheses than they need") {
  Scalars s;
  CHECK(s.text(s.a + s.b * s.c) == "tensor0[i] + tensor1[i] * tensor2[i]");
  CHECK(s.text((s.a + s.b) * s.c) == "(tensor0[i] + tensor1[i]) * tensor2[i]");
  CHECK(s.text(s.a - (s.b - s.c)) == "tensor0[i] - (tensor1[i] - tensor2[i])");
  CHECK(s.text(s.a - s.b - s.c) == "tensor0[i] - tensor1[i] - tensor2[i]");
  CHECK(s.text(-(s.a + s.b) / s.c) == "-(tensor0[i] + tensor1[i]) / tensor2[i]");
  CHECK(s.text((s.a < s.b) & (s.b <= s.c)) == "tensor0[i] < tensor1[i] & tensor1[i] <= tensor2[i]");
  CHECK(s.text(s.a * -0.5) == "tensor0[i] * -0.5");
  CHECK(s.text(select(equal(s.a, s.b), max(s.a, s.c), sqrt(s.b))) ==
        "select(tensor0[i] == tensor1[i], max(tensor0[i], tensor2[i]), sqrt(tensor1[i]))");
  CHECK(s.text(cast(i32, s.a + s.b)) == "i32(tensor0[i] + tensor1[i])");
  CHECK(s.text(bitcast(i32, s.a) >> 23) == "bitcast_i32(tensor0[i]) >> 23");
  CHECK(s.text(s.pool.lookup({0.5, -1}, bitcast(i32, s.a))) ==
        "lookup(bitcast_i32(tensor0[i]), [0.5, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])");
}

TEST_CASE("indices subtract constants and multiply sums in parentheses") {
  Scalars s;
  const Expr i = s.pool.index(s.i);
  const Expr k = s.pool.index(s.k);
  CHECK(s.text(i - 1) == "i - 1");
  CHECK(s.text(k * s.pool.extent(dim("print_n") + Dim(2))) == "k * (" + to_string(dim("print_n") + Dim(2)) + ")");
  CHECK(s.text(mod(i, s.pool.extent(3))) == "i % 3");
  CHECK(s.text(floor_div(i, s.pool.extent(3))) == "i // 3");
}

TEST_CASE("what is used more than once is written once") {
  Scalars s;
  const Expr sum = s.a + s.b;
  CHECK(s.text(sum * sum) == "t0 = tensor0[i] + tensor1[i]\nt0 * t0");
  CHECK(s.text(s.a * s.a) == "tensor0[i] * tensor0[i]");
}

TEST_CASE("mathematical functions are written as calls") {
  Scalars s;
  CHECK(s.text(exp(s.a - s.b) / log(s.c)) == "exp(tensor0[i] - tensor1[i]) / log(tensor2[i])");
  CHECK(s.text(pow(tanh(s.a), s.b)) == "pow(tanh(tensor0[i]), tensor1[i])");
}

TEST_CASE("axes of the same name are told apart") {
  Scalars s;
  const AxisId other = s.pool.make_axis(3, "i");
  CHECK(s.text(s.a + s.at(1, other)) == "tensor0[i] + tensor1[i2]");
}

TEST_CASE("a program lists its tensors and then its steps") {
  test::ProgramBuilder b;
  const Dim batch = dim("batch");
  b.program.symbols = {symbol("batch")};
  const TensorId x = b.input("x", {f32, {batch, 784}});
  const TensorId w = b.variable("w", Tensor(f32, {784, 10}));
  const TensorId scale = b.constant("scale", Tensor::scalar<float>(0.5F));
  const TensorId z = b.arena("dense", {f32, {batch, 10}});
  const TensorId p = b.output("softmax", {f32, {batch, 10}});
  b.program.tensors.push_back({"fused", {f32, {batch}}, Role::dissolved, 0, nullptr, {}});

  const AxisId i = b.pool().make_axis(batch, "i");
  const AxisId j = b.pool().make_axis(10, "j");
  const AxisId k = b.pool().make_axis(784, "k");
  Kernel dense = test::kernel("dense/matmul", {i, j});
  dense.locals = {{"acc", f32, {}}};
  dense.nodes = {"dense/matmul", "dense/relu"};
  dense.boundary = "softmax reads whole rows";
  dense.stages.push_back({{},
                          {b.keep(b.pool().reduce(ReduceOp::contract, {k}, b.load(x, {b.index(i), b.index(k)}),
                                                  b.load(w, {b.index(k), b.index(j)})),
                                  LocalId{0})}});
  dense.stages.push_back(
      {{},
       {b.store(max(b.pool().local(LocalId{0}, f32, {}), b.pool().constant(f32, 0)) * b.load(scale, {}), z,
                {b.index(i), b.index(j)})}});
  b.program.steps.emplace_back(dense);

  const AxisId row = b.pool().make_axis(batch, "i");
  const AxisId c = b.pool().make_axis(10, "c");
  const AxisId r = b.pool().make_axis(10, "k");
  Kernel softmax = test::kernel("softmax", {row});
  softmax.locals = {{"m", f32, {}}, {"s", f32, {}}};
  const Expr m = b.pool().local(LocalId{0}, f32, {});
  const Expr s = b.pool().local(LocalId{1}, f32, {});
  const auto element = [&](AxisId axis) { return b.load(z, {b.index(row), b.index(axis)}); };
  const Expr shifted = element(r) - m;
  softmax.stages.push_back({{}, {b.keep(b.pool().reduce(ReduceOp::max, {r}, element(r)), LocalId{0})}});
  softmax.stages.push_back(
      {{}, {b.keep(b.pool().reduce(ReduceOp::sum, {r}, exp(shifted) + shifted * shifted), LocalId{1})}});
  softmax.stages.push_back({{c}, {b.store(exp(element(c) - m) / s, p, {b.index(row), b.index(c)})}});
  b.program.steps.emplace_back(softmax);
  b.program.steps.emplace_back(HostStep{"p: ", p});

  CHECK(to_string(b.program) == R"(tensors   (arena: 640*batch bytes)
    x         f32 [batch, 784]   input 0
    w         f32 [784, 10]      variable 0
    scale     f32 []             constant 0.5
    dense     f32 [batch, 10]    arena at 0
    softmax   f32 [batch, 10]    output 0

kernel 0 'dense/matmul'   outer i: batch, j: 10
    ; nodes: dense/matmul, dense/relu
    ; not fused further: softmax reads whole rows
    acc = contract over k: 784 of x[i, k], w[k, j]
    dense[i, j] = max(acc, 0) * scale

kernel 1 'softmax'   outer i: batch
    m = max over k: 10 of dense[i, k]
    s = sum over k: 10 of exp(t0) + t0 * t0
        where t0 = dense[i, k] - m
    for c: 10
        softmax[i, c] = exp(dense[i, c] - m) / s

host 2   "p: " softmax
)");
}

TEST_CASE("scatters and commits are listed with what they change") {
  test::ProgramBuilder b;
  const TensorId at = b.input("at", {i64, {4}});
  const TensorId out = b.arena("sum", {f32, {3}});
  const TensorId w = b.variable("w", Tensor(f32, {3}));
  const AxisId i = b.pool().make_axis(4, "i");
  b.program.steps.emplace_back(
      ScatterKernel{"scatter_add", w, out, {i}, {b.load(at, {b.index(i)}).id}, b.pool().constant(f32, 1).id});
  b.program.steps.emplace_back(CommitStep{out, w});
  const std::string listing = to_string(b.program);
  CHECK(listing.substr(listing.find("scatter")) == R"(scatter 0 'scatter_add'
    sum = w
    for i: 4, in order
        sum[at[i]] += 1

commit 1   w = sum
)");
}
