#include <lathe/graph/dim.h>

#include <cstdint>
#include <limits>

#include <doctest/doctest.h>

#include <lathe/graph/error.h>

using namespace lathe;

namespace {

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();

const Dim n = dim("n");
const Dim m = dim("m");
const Dim k = dim("k");

}  // namespace

TEST_CASE("symbols are equal by name") {
  CHECK(symbol("batch") == symbol("batch"));
  CHECK(symbol("batch") != symbol("time"));
  CHECK(name_of(symbol("batch")) == "batch");
}

TEST_CASE("a symbol's name is an identifier") {
  for (const auto* good : {"n", "_0", "unk__12", "past.length", "N1"}) CHECK(dim(good).as_symbol());
  for (const auto* bad : {"", "1n", "batch size", "n*m", "n+1", ".n", "n\n", "n-1"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(dim(bad), GraphError);
  }
  CHECK_THROWS_WITH(dim("n + 1"), "'n + 1' cannot name an extent: it is no identifier");
}

TEST_CASE("equal polynomials compare equal however they were computed") {
  CHECK((n + m) * (n + m) == n * n + Dim(2) * n * m + m * m);
  CHECK((n + 1) * (n - 1) == n * n - 1);
  CHECK(n - n == Dim(0));
  CHECK(n * 0 == Dim());
  CHECK(n + m == m + n);
  CHECK(n != m);
  CHECK(Dim(3) + 4 == Dim(7));
}

TEST_CASE("a Dim knows whether it is a number or one symbol") {
  CHECK(Dim(7).constant() == 7);
  CHECK(Dim().constant() == 0);
  CHECK((n - n + 5).constant() == 5);
  CHECK_FALSE(n.is_constant());
  CHECK_FALSE((n + 1).as_constant());
  CHECK(n.as_symbol() == symbol("n"));
  CHECK_FALSE((n + 1).as_symbol());
  CHECK_FALSE((n * 2).as_symbol());
  CHECK_FALSE((n * n).as_symbol());
  CHECK_FALSE(Dim(3).as_symbol());
  CHECK_THROWS_AS((void)n.constant(), std::logic_error);
}

TEST_CASE("a Dim lists the symbols that it mentions, each once") {
  std::vector<SymbolId> symbols{symbol("m")};
  (n * m + n * n + 3).collect(symbols);
  CHECK(symbols == std::vector{symbol("m"), symbol("n")});
  CHECK((n * m).mentions(symbol("m")));
  CHECK_FALSE((n * m).mentions(symbol("k")));
}

TEST_CASE("division is exact or fails") {
  CHECK(divide(n * 784, 784) == n);
  CHECK(divide(n * 784, n) == Dim(784));
  CHECK(divide(n * n - 1, n + 1) == n - 1);
  CHECK(divide((n + m) * (n * k + m * 3 + 2), n + m) == n * k + m * 3 + 2);
  CHECK(divide((n + m) * (n * k + m * 3 + 2), n * k + m * 3 + 2) == n + m);
  CHECK(divide(Dim(0), n) == Dim(0));
  CHECK(divide(Dim(12), 4) == Dim(3));
  CHECK(divide(Dim(-12), 4) == Dim(-3));
  CHECK_FALSE(divide(Dim(12), 5));
  CHECK_FALSE(divide(n, 2));
  CHECK_FALSE(divide(n + 1, n));
  CHECK_FALSE(divide(n, n * n));
  CHECK_FALSE(divide(n, 0));
  CHECK_FALSE(divide(Dim(1), n));
}

TEST_CASE("division undoes multiplication, whatever the order in which symbols were made") {
  const std::vector<Dim> polynomials{n, m + 1, n * m - k, k * k + n * 2 - 3, n * n * m + k * 5, Dim(-4), n * k * 6 + m};
  for (const Dim& a : polynomials) {
    for (const Dim& b : polynomials) {
      CAPTURE(to_string(a));
      CAPTURE(to_string(b));
      CHECK(divide(a * b, b) == a);
      CHECK_FALSE((divide(a * b + 1, b) && b.as_constant() == std::nullopt));
    }
  }
}

TEST_CASE("substitution replaces every power of a symbol") {
  CHECK((n * n + n * m).substitute(symbol("n"), m + 1) == (m + 1) * (m + 1) + (m + 1) * m);
  CHECK((n + 1).substitute(symbol("m"), 5) == n + 1);
  CHECK((n * m).substitute(symbol("n"), 0) == Dim(0));
}

TEST_CASE("evaluation needs every symbol") {
  Bindings bindings;
  CHECK_FALSE(bindings.bind(symbol("n"), 3));
  CHECK_FALSE(bindings.bind(symbol("n"), 3));
  CHECK(bindings.bind(symbol("n"), 4) == 3);
  CHECK((n * n + 1).evaluate(bindings) == 10);
  CHECK((n - 5).evaluate(bindings) == -2);
  CHECK_THROWS_WITH_AS((void)(n * m).evaluate(bindings), "nothing that was fed says what 'm' is", RunError);
  bindings.clear();
  CHECK_THROWS_AS((void)n.evaluate(bindings), RunError);
}

TEST_CASE("arithmetic that leaves 64 bits throws instead of wrapping round") {
  CHECK_THROWS_AS(Dim(most) + 1, RunError);
  CHECK_THROWS_AS(Dim(most) * 2, RunError);
  Bindings bindings;
  bindings.bind(symbol("n"), most);
  CHECK((n * 1).evaluate(bindings) == most);
  CHECK_THROWS_AS((void)(n * n).evaluate(bindings), RunError);
  CHECK_THROWS_AS((void)(n + 1).evaluate(bindings), RunError);
}

TEST_CASE("an open extent cannot be computed with") {
  CHECK(None.is_unknown());
  CHECK_FALSE(None.is_constant());
  CHECK_FALSE(n.is_unknown());
  CHECK_THROWS_AS(None + 1, GraphError);
  CHECK_THROWS_AS(n * None, GraphError);
  CHECK_THROWS_AS(None - 1, GraphError);
  CHECK_THROWS_AS((void)divide(None, n), GraphError);
  CHECK_THROWS_AS((void)None.evaluate(Bindings{}), RunError);
  CHECK(to_string(None) == "?");
}

TEST_CASE("extents print as a person would write them") {
  CHECK(to_string(Dim(10)) == "10");
  CHECK(to_string(Dim()) == "0");
  CHECK(to_string(Dim(-3)) == "-3");
  CHECK(to_string(n) == "n");
  CHECK(to_string(m + n) == "m + n");
  CHECK(to_string(n * 2 + 1) == "2*n + 1");
  CHECK(to_string(n - m) == "-m + n");
  CHECK(to_string(n * m * 3 - k - 1) == "-k + 3*m*n - 1");
  CHECK(to_string(n * n) == "n*n");
}

TEST_CASE("printing does not depend on the order in which symbols were made") {
  const Dim z = dim("order_z");
  const Dim a = dim("order_a");
  CHECK(to_string(z * a + z + a) == "order_a + order_a*order_z + order_z");
}

TEST_CASE("a printed extent parses back") {
  const std::vector<Dim> dims{0,     7,         -7,        most,      least,      n,
                              n * 2, n * m - k, n * n + 1, n * least, n * -1 - m, (n + m) * (n - k) * (m + 3)};
  for (const Dim& each : dims) {
    CAPTURE(to_string(each));
    CHECK(parse_dim(to_string(each)) == each);
  }
}

TEST_CASE("parsing takes sums of products and nothing else") {
  CHECK(parse_dim(" n*2 +m ") == n * 2 + m);
  CHECK(parse_dim("2*3") == Dim(6));
  CHECK(parse_dim("-n") == Dim(0) - n);
  CHECK(parse_dim("n-1-1") == n - 2);
  CHECK(parse_dim("3*n - 2*m*k") == n * 3 - m * k * 2);
  for (const auto* bad :
       {"", " ", "n +", "* n", "n m", "2n", "n ** m", "n + + m", "(n)", "?", "99999999999999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_dim(bad));
  }
}
