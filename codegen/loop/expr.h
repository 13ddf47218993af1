#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include <lathe/graph/node.h>
#include <lathe/graph/shape.h>

/// The expressions of kernel IR. Semantics, which the interpreter follows to the letter and compiled code to the bit:
///
/// - Arithmetic is IEEE 754 in the operands' dtype, subnormals flushed to zero; but one that was fed may be left where
///   an operation gives its operand back, as x * 1 does. `a * b + c` rounds twice; only Fma rounds once. Integers wrap.
///   There are no implicit casts: both sides of a Binary have one dtype.
/// - max and min propagate NaN, and flush what they choose: max(a, b) = a > b or a is NaN ? a : b. Comparisons with NaN
///   are false, != is true.
/// - floor_div and mod round towards minus infinity; a zero integer divisor gives 0.
/// - Casts from float to integer truncate and saturate, NaN becomes 0; between integers they wrap; to bool they
///   compare with zero.
/// - Indices are i64. An index is inside its axis for every element that is used; Select's two arms are both safe to
///   evaluate, so a guarded load clamps its index first. A tensor without elements has no such index: it is read at 0
///   along every axis, what comes is not used, and its memory must bear the reading of one element.
namespace lathe::loop {

enum class ExprId : std::uint32_t {};
enum class AxisId : std::uint32_t {};
enum class TensorId : std::uint32_t {};  // an array in memory, or one that fusion will dissolve
enum class LocalId : std::uint32_t {};   // a kernel's register or row of scratch
enum class CheckId : std::uint32_t {};

enum class UnaryOp { neg, abs, sqrt, floor, ceil, round, bit_not };  // round: half to even; bit_not: logical for bool
enum class BinaryOp {
  add,
  sub,
  mul,
  div,
  floor_div,
  mod,
  max,
  min,
  bit_and,
  bit_or,
  bit_xor,
  shift_left,
  shift_right,  // shift_right is logical
  eq,
  ne,
  lt,
  le,
  gt,
  ge,
};

/// How a reduction combines; the order is part of the meaning (see kernel.h).
enum class ReduceOp { contract, sum, prod, max, min, any, all };

struct Constant {  // not for i64, which is Extent
  DType dtype;
  std::uint64_t bits;
  bool operator==(const Constant&) const = default;
};
struct AxisIndex {
  AxisId axis;
  bool operator==(const AxisIndex&) const = default;
};
struct Extent {  // i64 constants too
  Dim dim;
  bool operator==(const Extent&) const = default;
};
struct Load {  // one index an axis of the tensor
  TensorId tensor;
  std::vector<ExprId> indices;
  bool operator==(const Load&) const = default;
};
struct Local {  // one index an inner axis of the local
  LocalId local;
  std::vector<ExprId> indices;
  bool operator==(const Local&) const = default;
};
struct Unary {
  UnaryOp op;
  ExprId a;
  bool operator==(const Unary&) const = default;
};
struct Binary {
  BinaryOp op;
  ExprId a, b;
  bool operator==(const Binary&) const = default;
};
struct Select {
  ExprId condition, a, b;
  bool lazy = false;  // `a` takes long: compiled code passes it by where no lane of a vector selects it
  bool operator==(const Select&) const = default;
};
struct Fma {
  ExprId a, b, c;
  bool operator==(const Fma&) const = default;
};
struct Cast {
  DType to;
  ExprId a;
  bool operator==(const Cast&) const = default;
};
struct Bitcast {  // between i32 and f32, i64 and f64
  DType to;
  ExprId a;
  bool operator==(const Bitcast&) const = default;
};
struct Lookup {  // one of 16 numbers (f32), by the low bits of an i32: what one shuffle of a register does
  std::array<std::uint32_t, 16> table;
  ExprId index;
  bool operator==(const Lookup&) const = default;
};
struct Reduce {  // contract: fma(a, b, accumulator); otherwise b equals a and is not read
  ReduceOp op;
  std::vector<AxisId> axes;
  ExprId a, b;
  bool operator==(const Reduce&) const = default;
};
struct Check {  // value; reports a failed check with `index` and `detail` (both i64) where the condition is false
  CheckId check;
  ExprId condition, value, index, detail;
  bool operator==(const Check&) const = default;
};

using ExprNode = std::variant<Constant, AxisIndex, Extent, Load, Local, Unary, Binary, Select, Fma, Cast, Bitcast,
                              Lookup, Reduce, Check>;

struct AxisInfo {
  Dim extent;
  std::string name;
};

/// What a failed check tells the user: `message` with {index} and {detail} replaced, after the node's description.
struct CheckInfo {
  std::string node;
  std::string message;
  bool operator==(const CheckInfo&) const = default;
};

/// The function that an expression is the result of, for listings: exp(x) reads better than its polynomial.
struct Call {
  std::string function;
  std::vector<ExprId> arguments;
};

class Pool;

/// A handle on an expression; the pool must outlive it. Operators build and simplify.
struct Expr {
  Pool* pool = nullptr;
  ExprId id{};

  DType dtype() const;
  const ExprNode& node() const;
  bool operator==(const Expr&) const = default;
};

/// Owns expressions, axes and checks. Equal expressions are one expression. Constructors fold constants and simplify
/// index arithmetic, so that views dissolve.
class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  AxisId make_axis(Dim extent, std::string name);
  const AxisInfo& axis(AxisId id) const { return axes_.at(static_cast<std::size_t>(id)); }
  CheckId make_check(CheckInfo info);
  std::span<const CheckInfo> checks() const { return checks_; }

  const ExprNode& node(ExprId id) const { return nodes_.at(static_cast<std::size_t>(id)).node; }
  DType dtype(ExprId id) const { return nodes_.at(static_cast<std::size_t>(id)).dtype; }

  Expr index(AxisId axis);
  Expr extent(const Dim& dim);
  /// A constant of any dtype; integers and booleans must be exact.
  Expr constant(DType dtype, double value);
  Expr constant_bits(DType dtype, std::uint64_t bits);
  Expr load(TensorId tensor, DType dtype, std::vector<ExprId> indices);
  Expr local(LocalId local, DType dtype, std::vector<ExprId> indices);
  Expr unary(UnaryOp op, Expr a);
  Expr binary(BinaryOp op, Expr a, Expr b);
  Expr select(Expr condition, Expr a, Expr b, bool lazy = false);
  Expr fma(Expr a, Expr b, Expr c);
  Expr cast(DType to, Expr a);
  Expr bitcast(DType to, Expr a);
  Expr lookup(const std::array<float, 16>& table, Expr index);
  Expr reduce(ReduceOp op, std::vector<AxisId> axes, Expr a, std::optional<Expr> b = std::nullopt);
  Expr check(CheckId check, Expr condition, Expr value, Expr index, Expr detail);

  /// Remembers that `result` is `function` of these arguments, and returns it. Means nothing to its value.
  Expr call(Expr result, std::string function, std::vector<ExprId> arguments);
  /// What `id` was said to be the result of, or null.
  const Call* call(ExprId id) const;

  /// The expressions that `id` is made from directly.
  std::vector<ExprId> operands(ExprId id) const;
  /// The same expression over other operands, simplified again.
  Expr with_operands(ExprId id, std::span<const ExprId> operands);
  Expr wrap(ExprId id) { return {this, id}; }

 private:
  struct Entry {
    ExprNode node;
    DType dtype;
  };
  Expr intern(ExprNode node, DType dtype);
  Expr index_binary(BinaryOp op, Expr a, Expr b);
  /// A quotient by an extent, or the remainder, made of simpler ones; nothing where it does not come apart.
  std::optional<Expr> take_apart(BinaryOp op, Expr a, const Dim& divisor);

  std::deque<Entry> nodes_;
  std::unordered_multimap<std::size_t, ExprId> by_hash_;
  std::deque<AxisInfo> axes_;
  std::vector<CheckInfo> checks_;
  std::unordered_map<ExprId, Call> calls_;
};

Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);
Expr operator/(Expr a, Expr b);
Expr operator-(Expr a);
Expr operator&(Expr a, Expr b);
Expr operator|(Expr a, Expr b);
Expr operator^(Expr a, Expr b);
Expr operator~(Expr a);
Expr operator<<(Expr a, int bits);
Expr operator>>(Expr a, int bits);
Expr operator<(Expr a, Expr b);
Expr operator<=(Expr a, Expr b);
Expr operator>(Expr a, Expr b);
Expr operator>=(Expr a, Expr b);
// With a number on the right, which takes the left side's dtype.
Expr operator+(Expr a, double b);
Expr operator-(Expr a, double b);
Expr operator*(Expr a, double b);
Expr operator/(Expr a, double b);
Expr operator+(double a, Expr b);
Expr operator-(double a, Expr b);
Expr operator*(double a, Expr b);
Expr operator/(double a, Expr b);
Expr operator<(Expr a, double b);
Expr operator<=(Expr a, double b);
Expr operator>(Expr a, double b);
Expr operator>=(Expr a, double b);

Expr equal(Expr a, Expr b);
Expr not_equal(Expr a, Expr b);
Expr floor_div(Expr a, Expr b);
Expr mod(Expr a, Expr b);
Expr max(Expr a, Expr b);
Expr min(Expr a, Expr b);
Expr abs(Expr a);
Expr sqrt(Expr a);
Expr floor(Expr a);
Expr ceil(Expr a);
Expr round(Expr a);
Expr fma(Expr a, Expr b, Expr c);
Expr select(Expr condition, Expr a, Expr b);
/// The same where `a` takes long, and where the condition depends on data, it holds seldom.
Expr select_lazily(Expr condition, Expr a, Expr b);
Expr cast(DType to, Expr a);
Expr bitcast(DType to, Expr a);
/// A number in the dtype of `like`.
Expr constant_like(Expr like, double value);

/// An i64 expression as constant + sum of coefficient * atom. Atoms are axes, and what is not linear.
struct Affine {
  Dim constant;
  std::vector<std::pair<ExprId, Dim>> terms;  // no zero coefficients; atoms differ

  Dim coefficient(ExprId atom) const;
};
/// Splits `id` into linear form; (x / c) * c + x % c becomes x.
Affine affine(Pool& pool, ExprId id);
Expr to_expr(Pool& pool, const Affine& affine);
/// True if `dim` cannot be negative whatever its symbols (which are extents) stand for.
bool never_negative(const Dim& dim);

/// Copies an expression, replacing axes and, through `load`, loads. Calls stay calls.
class Substitution {
 public:
  explicit Substitution(Pool& pool) : pool_(pool) {}
  virtual ~Substitution() = default;
  void replace(AxisId axis, Expr with) { axes_[axis] = with.id; }
  ExprId operator()(ExprId id);

 protected:
  /// What to put instead of a load whose indices are substituted already; the load itself by default.
  virtual Expr load(const Load& load, DType dtype) { return pool_.load(load.tensor, dtype, load.indices); }
  /// The same for a Select.
  virtual Expr select(const Select& e) {
    return pool_.select(pool_.wrap(e.condition), pool_.wrap(e.a), pool_.wrap(e.b), e.lazy);
  }
  Pool& pool_;

 private:
  void copy_call(Call call, ExprId result);

  std::unordered_map<AxisId, ExprId> axes_;
  std::unordered_map<ExprId, ExprId> done_;
};

/// All expressions reachable from `roots`, operands first, each once.
std::vector<ExprId> post_order(const Pool& pool, std::span<const ExprId> roots);
/// The operands of `id`, but what it selects lazily by a condition on data, which holds seldom.
std::vector<ExprId> usual_operands(const Pool& pool, ExprId id);
/// All expressions that `roots` are made of by way of those.
std::vector<ExprId> usual_order(const Pool& pool, std::span<const ExprId> roots);
/// Whether an expression depends on nothing but indices and sizes.
bool is_of_indices(const Pool& pool, ExprId id);

}  // namespace lathe::loop
