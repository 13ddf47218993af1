#include <lathe/ops/operand.h>

#include <cstring>

#include <fmt/format.h>

#include <lathe/graph/dispatcher.h>
#include <lathe/ops/source.h>

namespace lathe {
namespace {

/// `number` converted to T, or nothing if T is not a float and does not hold it exactly.
template <class T, class N>
std::optional<T> represent(N number) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(number);
  } else if constexpr (std::is_floating_point_v<N>) {
    constexpr double beyond_i64 = 9223372036854775808.0;
    if (!(number >= -beyond_i64 && number < beyond_i64)) return std::nullopt;
    const auto whole = static_cast<std::int64_t>(number);
    if (static_cast<double>(whole) != number) return std::nullopt;
    return represent<T>(whole);
  } else {
    if (!std::in_range<std::int64_t>(number)) return std::nullopt;
    if constexpr (std::is_same_v<T, bool>) {
      return number == 0 || number == 1 ? std::optional(number == 1) : std::nullopt;
    } else {
      return std::in_range<T>(number) ? std::optional(static_cast<T>(number)) : std::nullopt;
    }
  }
}

}  // namespace

Value Operand::as(Graph& graph, DType dtype, const std::source_location& where) const {
  if (const Value* value = this->value()) return *value;
  return std::visit(
      [&]<class N>(const N& number) -> Value {
        if constexpr (std::is_same_v<N, Value>) {
          return number;
        } else {
          return dispatch(dtype, [&]<class T>(T) {
            const std::optional<T> element = represent<T>(number);
            if (!element) {
              throw GraphError(fmt::format("{}: the number {} is not a value of {}: cast the other operand first",
                                           describe(SourceLine(where)), number, to_string(dtype)));
            }
            if (Dispatcher* dispatcher = graph.dispatcher()) {
              std::uint64_t bits = 0;
              std::memcpy(&bits, &*element, sizeof(T));
              return dispatcher->scalar(dtype, bits, where);
            }
            return constant(graph, Tensor::scalar<T>(*element), where);
          });
        }
      },
      argument_);
}

std::pair<Value, Value> as_values(const Operand& a, const Operand& b, std::string_view op,
                                  const std::source_location& where) {
  const Value* some = a.value() ? a.value() : b.value();
  if (!some) throw GraphError(fmt::format("{} ({}): both operands are numbers", op, describe(SourceLine(where))));
  if (some->empty())
    throw GraphError(fmt::format("{} ({}): an operand is an empty Value", op, describe(SourceLine(where))));
  return {a.as(some->graph(), some->dtype(), where), b.as(some->graph(), some->dtype(), where)};
}

}  // namespace lathe
