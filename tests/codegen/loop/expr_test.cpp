#include <unordered_set>

#include <doctest/doctest.h>

#include <lathe/codegen/loop/expr.h>
#include <lathe/codegen/program.h>

using namespace lathe;
using namespace lathe::loop;

namespace {

struct Axes {
  Pool pool;
  Dim n = dim("expr_n");
  AxisId i_axis = pool.make_axis(n, "i");
  AxisId j_axis = pool.make_axis(4, "j");
  AxisId k_axis = pool.make_axis(7, "k");
  Expr i = pool.index(i_axis);
  Expr j = pool.index(j_axis);
  Expr k = pool.index(k_axis);
  Expr number(std::int64_t value) { return pool.extent(value); }
};

}  // namespace

TEST_CASE("equal expressions are one expression") {
  Axes a;
  CHECK(a.i * 3 + a.j == a.i * 3 + a.j);
  CHECK(a.i * 3 + a.j != a.i * 3 + a.k);
  CHECK(a.pool.constant(f32, 0.0) != a.pool.constant(f32, -0.0));
  CHECK(a.pool.load(TensorId{0}, f32, {a.i.id}) == a.pool.load(TensorId{0}, f32, {a.i.id}));
}

TEST_CASE("constant index arithmetic folds, symbols included") {
  Axes a;
  CHECK(a.number(3) + a.number(4) == a.number(7));
  CHECK(a.pool.extent(a.n) * a.number(2) == a.pool.extent(a.n * Dim(2)));
  CHECK(floor_div(a.number(-7), a.number(2)) == a.number(-4));
  CHECK(mod(a.number(-7), a.number(2)) == a.number(1));
  CHECK(a.i + 0 == a.i);
  CHECK(a.i * 1 == a.i);
  CHECK(a.i * 0 == a.number(0));
  CHECK(a.i - a.i == a.number(0));
}

TEST_CASE("the index along an axis of one is zero") {
  Pool pool;
  CHECK(pool.index(pool.make_axis(1, "one")) == pool.extent(0));
}

TEST_CASE("mixed-radix indices come apart: what a reshape makes dissolves again") {
  Axes a;
  const Expr flat = (a.i * 4 + a.j) * 7 + a.k;
  CHECK(mod(flat, a.number(7)) == a.k);
  CHECK(floor_div(flat, a.number(28)) == a.i);
  CHECK(mod(floor_div(flat, a.number(7)), a.number(4)) == a.j);
  CHECK(floor_div(floor_div(flat, a.number(7)), a.number(4)) == a.i);
  CHECK(mod(flat, a.number(28)) == to_expr(a.pool, affine(a.pool, (a.j * 7 + a.k).id)));
}

TEST_CASE("of a quotient come apart what the divisor divides, and what is below a factor of it") {
  Axes a;
  const Expr odd = a.i * 3 + a.k;  // of any size
  CHECK(floor_div(a.j * 10 + odd, a.number(5)) == a.j * 2 + floor_div(odd, a.number(5)));
  CHECK(mod(a.j * 10 + odd + 5, a.number(5)) == mod(odd, a.number(5)));

  const Expr digits = a.i * 7 + a.k;  // k is below 7
  CHECK(floor_div(digits, a.number(21)) == floor_div(a.i, a.number(3)));
  CHECK(mod(digits, a.number(21)) == mod(a.i, a.number(3)) * 7 + a.k);
  CHECK(floor_div(digits, a.number(20)) != floor_div(a.i, a.number(3)));
  const Expr carries = a.i * 7 + a.k + 1;
  CHECK(floor_div(carries, a.number(21)) != floor_div(a.i, a.number(3)));
}

TEST_CASE("division by a symbolic extent comes apart too") {
  Axes a;
  const Expr extent = a.pool.extent(a.n);
  const Expr flat = a.j * extent + a.i;
  CHECK(floor_div(flat, extent) == a.j);
  CHECK(mod(flat, extent) == a.i);
}

TEST_CASE("an index that may pass the divisor is left alone") {
  Axes a;
  const Expr flat = a.j * 3 + a.k;  // k reaches 6
  CHECK(std::holds_alternative<Binary>(floor_div(flat, a.number(3)).node()));
  const Expr negative = a.j * 7 - a.k;
  CHECK(std::holds_alternative<Binary>(mod(negative, a.number(7)).node()));
}

TEST_CASE("a quotient and its remainder join again in linear form") {
  Axes a;
  const Expr odd = a.i * 3 + a.k;
  const Expr five = a.number(5);
  const Expr joined = floor_div(odd, five) * 5 + mod(odd, five);
  CHECK(to_expr(a.pool, affine(a.pool, joined.id)) == to_expr(a.pool, affine(a.pool, odd.id)));

  // Of three digits, where the quotient of a quotient is one division.
  const Expr digits = floor_div(odd, a.number(15)) * 15 + mod(floor_div(odd, five), a.number(3)) * 5 + mod(odd, five);
  CHECK(to_expr(a.pool, affine(a.pool, digits.id)) == to_expr(a.pool, affine(a.pool, odd.id)));
  const Expr others = floor_div(odd, a.number(20)) * 15 + mod(floor_div(odd, five), a.number(3)) * 5 + mod(odd, five);
  CHECK(affine(a.pool, others.id).terms.size() == 3);
}

TEST_CASE("linear forms add up coefficients, and atoms are what is not linear") {
  Axes a;
  const Expr product = a.i * a.j;
  const Affine form = affine(a.pool, (a.i * 2 + product + a.j * 3 - a.i + 5).id);
  CHECK(form.constant == Dim(5));
  CHECK(form.coefficient(a.i.id) == Dim(1));
  CHECK(form.coefficient(a.j.id) == Dim(3));
  CHECK(form.coefficient(product.id) == Dim(1));
  CHECK(form.coefficient(a.k.id) == Dim(0));
  CHECK(form.terms.size() == 3);
}

TEST_CASE("extents are never negative, their differences may be") {
  const Dim n = dim("expr_n");
  CHECK(never_negative(n));
  CHECK(never_negative(n * Dim(2) + Dim(3)));
  CHECK_FALSE(never_negative(n - Dim(1)));
  CHECK_FALSE(never_negative(Dim(-1)));
}

TEST_CASE("a select with equal arms or a known condition is one of its arms") {
  Axes a;
  const Expr condition = a.i < a.j;
  CHECK(select(condition, a.i, a.i) == a.i);
  CHECK(select(a.pool.constant(boolean, 1), a.i, a.j) == a.i);
  CHECK(select(a.pool.constant(boolean, 0), a.i, a.j) == a.j);
}

TEST_CASE("what is selected lazily by data is not among the usual parts, unless something else needs it") {
  Axes a;
  const Expr x = a.pool.load(TensorId{0}, f32, {a.i.id});
  const Expr root = sqrt(x);
  const Expr floored = floor(x);
  const Expr choice = select_lazily(x < 0.0, root * floored, floored);
  CHECK(choice != select(x < 0.0, root * floored, floored));
  const auto usual = [&](Expr e) {
    const std::vector<ExprId> order = usual_order(a.pool, {&e.id, 1});
    CHECK(order.back() == e.id);
    return std::unordered_set<ExprId>(order.begin(), order.end());
  };
  CHECK(usual(choice).contains(floored.id));
  CHECK_FALSE(usual(choice).contains(root.id));
  CHECK(usual(choice + root).contains(root.id));

  const Expr border = select_lazily(a.i < a.j, root, floored);
  CHECK(usual(border).contains(root.id));

  // As it is after substitution.
  Substitution substitute(a.pool);
  substitute.replace(a.i_axis, a.j);
  CHECK_FALSE(usual(a.pool.wrap(substitute(choice.id))).contains(substitute(root.id)));
}

TEST_CASE("lookups in equal tables at one index are one expression") {
  Axes a;
  const Expr index = cast(i32, a.i);
  const std::array<float, 16> table = {1, 2, 3};
  const std::array<float, 16> other = {1, 2, -3};
  CHECK(a.pool.lookup(table, index) == a.pool.lookup(table, index));
  CHECK(a.pool.lookup(table, index) != a.pool.lookup(other, index));
  CHECK(a.pool.lookup(table, index) != a.pool.lookup(table, cast(i32, a.j)));
  CHECK(a.pool.lookup(table, index).dtype() == f32);
  CHECK_THROWS_AS(a.pool.lookup(table, a.i), std::logic_error);
}

TEST_CASE("mixed dtypes are refused") {
  Axes a;
  const Expr x = a.pool.load(TensorId{0}, f32, {a.i.id});
  CHECK_THROWS_AS(x + a.i, std::logic_error);
  CHECK_THROWS_AS(select(x, a.i, a.j), std::logic_error);
  CHECK_THROWS_AS(bitcast(i64, x), std::logic_error);
  CHECK_THROWS_AS(fma(a.i, a.i, a.i), std::logic_error);
}

TEST_CASE("substitution replaces axes, simplifies again and keeps the names of functions") {
  Axes a;
  const Expr x = a.pool.load(TensorId{0}, f32, {(a.i * 4 + a.j).id});
  const Expr twice = a.pool.call(x + x, "multiple", {x.id, a.number(2).id});
  Substitution substitute(a.pool);
  substitute.replace(a.i_axis, a.number(2));
  substitute.replace(a.j_axis, a.number(1));
  const Expr replaced = a.pool.wrap(substitute(twice.id));
  const Expr element = a.pool.load(TensorId{0}, f32, {a.number(9).id});
  CHECK(replaced == element + element);
  REQUIRE(a.pool.call(replaced.id));
  CHECK(a.pool.call(replaced.id)->function == "multiple");
  CHECK(a.pool.call(replaced.id)->arguments == std::vector{element.id, a.number(2).id});
}

TEST_CASE("post order lists operands first and everything once") {
  Axes a;
  const Expr shared = a.i * a.j;
  const Expr top = shared + floor_div(shared, a.k);
  const ExprId roots[] = {top.id};
  const std::vector<ExprId> order = post_order(a.pool, roots);
  CHECK(order.back() == top.id);
  for (std::size_t at = 0; at < order.size(); ++at) {
    CHECK(std::count(order.begin(), order.end(), order[at]) == 1);
    for (const ExprId operand : a.pool.operands(order[at])) {
      CHECK(std::find(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(at), operand) !=
            order.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
}
