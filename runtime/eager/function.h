#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <lathe/codegen/explain.h>
#include <lathe/runtime/eager/array.h>
#include <lathe/runtime/eager/context.h>
#include <lathe/runtime/statistics.h>

namespace lathe::eager {

class TracedProgram;

/// What all traced functions have in common: the programs that calls were traced to.
class TracedCalls {
 public:
  /// The function, from all its array arguments to all its results.
  using Body = std::function<Values(std::span<const Value>)>;

  enum class Kind {
    function,  // runs as the C++ that it is where ops are to be seen one by one: under a tape, or to find NaNs
    update,    // never does; reads variables in row-major order, as the ops do that run between its calls
  };

  explicit TracedCalls(std::source_location where, Kind kind = Kind::function);
  ~TracedCalls();
  TracedCalls(const TracedCalls&) = delete;
  TracedCalls& operator=(const TracedCalls&) = delete;

  /// Calls `body` by way of a program; `others` says what the arguments are that are no arrays.
  Values call(Graph& context, std::span<const Value> arrays, const std::vector<std::string>& others, const Body& body);

  std::size_t traces() const;
  std::string explain_retraces() const;
  std::vector<ProgramStatistics> statistics() const;
  std::vector<Explanation> explain() const;

 private:
  struct Trace;
  TracedProgram& program_for(Graph& context, std::span<const Value> arrays, const std::vector<std::string>& others,
                             const Body& body);
  std::string why(std::span<const Value> arrays, const std::vector<std::string>& others) const;

  std::source_location where_;
  Kind kind_;
  std::vector<std::unique_ptr<Trace>> traces_;
};

namespace detail {

template <class T>
concept ArrayArgument = std::derived_from<std::remove_cvref_t<T>, Value>;

/// How an argument that is no array is told from others of its type.
template <class T>
std::string text_of(const T& argument) {
  if constexpr (std::is_enum_v<T>) {
    return fmt::format("{}", static_cast<std::underlying_type_t<T>>(argument));
  } else {
    return fmt::format("{}", argument);
  }
}

/// How the results of a function become values, and come back.
template <class R>
struct Results;

template <>
struct Results<Value> {
  static Values pack(Value value) { return {std::move(value)}; }
  static Value unpack(Values values) { return std::move(values.at(0)); }
};

template <>
struct Results<Values> {
  static Values pack(Values values) { return values; }
  static Values unpack(Values values) { return values; }
};

template <std::same_as<Value>... R>
struct Results<std::tuple<R...>> {
  static Values pack(std::tuple<R...> values) {
    return std::apply([](auto&... value) { return Values{std::move(value)...}; }, values);
  }
  static std::tuple<R...> unpack(Values values) {
    return unpack(std::move(values), std::make_index_sequence<sizeof...(R)>());
  }
  template <std::size_t... I>
  static std::tuple<R...> unpack(Values values, std::index_sequence<I...>) {
    return {std::move(values.at(I))...};
  }
};

}  // namespace detail

/// A C++ function of arrays as a compiled program: see lathe::function.
template <class F>
class Function {
 public:
  Function(F function, Graph* context, std::source_location where)
      : function_(std::move(function)), context_(context), calls_(std::make_shared<TracedCalls>(where)) {}

  template <class... Args>
  auto operator()(const Args&... args) {
    using Result = std::invoke_result_t<F&, Inside<Args>...>;
    Values arrays;
    std::vector<std::string> others;
    [[maybe_unused]] const auto sort = [&]<class T>(const T& arg) {
      if constexpr (detail::ArrayArgument<T>) {
        arrays.push_back(arg);
      } else {
        others.push_back(detail::text_of(arg));
      }
    };
    (sort(args), ...);
    const auto body = [&](std::span<const Value> inside) -> Values {
      [[maybe_unused]] std::size_t next = 0;
      [[maybe_unused]] const auto pick = [&]<class T>(const T& arg) -> Inside<T> {
        if constexpr (detail::ArrayArgument<T>) {
          return inside[next++];
        } else {
          return arg;
        }
      };
      std::tuple<Inside<Args>...> all{pick(args)...};
      if constexpr (std::is_void_v<Result>) {
        std::apply(function_, std::move(all));
        return {};
      } else {
        return detail::Results<Result>::pack(std::apply(function_, std::move(all)));
      }
    };
    Values results = calls_->call(context_of(arrays), arrays, others, body);
    if constexpr (!std::is_void_v<Result>) return detail::Results<Result>::unpack(std::move(results));
  }

  /// How many programs the calls so far were traced to.
  std::size_t traces() const { return calls_->traces(); }
  /// One line a trace: what of its arguments no earlier one served.
  std::string explain_retraces() const { return calls_->explain_retraces(); }
  /// Of the programs, in the order of their traces.
  std::vector<ProgramStatistics> statistics() const { return calls_->statistics(); }
  /// Why each program looks as it does and what it costs, at the sizes of its last call.
  std::vector<Explanation> explain() const { return calls_->explain(); }

 private:
  /// What the function is given for an argument.
  template <class T>
  using Inside = std::conditional_t<detail::ArrayArgument<T>, Value, std::decay_t<T>>;

  Graph& context_of(const Values& arrays) const {
    if (context_) return *context_;
    if (arrays.empty()) {
      throw GraphError("a function without array arguments must be told its context: function(context, f)");
    }
    return arrays.front().graph();
  }

  F function_;
  Graph* context_;
  std::shared_ptr<TracedCalls> calls_;
};

}  // namespace lathe::eager

namespace lathe {

/// Turns a C++ function of arrays into a graph, by running it once on symbolic values, and compiles that; calls then
/// run one program, fused and with the bits of the op-by-op result.
///
///   auto step = function([&](Value x, Value y) {
///     eager::GradientTape tape(context);
///     Value loss = mean(square(model(x) - y));
///     optimizer.apply_gradients(tape.gradient(loss, model.parameters()), model.parameters());
///     return loss;
///   });
///   Value loss = step(images, labels);
///
/// Arguments are arrays (eager::Array or Value), or numbers, strings and enumerators; results are a Value, Values, a
/// std::tuple of Value, or nothing. A call is traced anew only where no earlier trace serves it: for other dtypes or
/// ranks, or other values of what is no array; and for other extents only where the function depends on them, as where
/// an extent of 1 is stretched. Arrays from outside are captured as they are, variables by reference: reads and
/// assignments take place in every call, in the function's order. C++ side effects happen when the function is traced,
/// which may take more than one attempt. A C++ branch on a symbolic value is a GraphError. Called from a function that
/// is traced, or under a tape, it runs as the function that it was.
template <class F>
eager::Function<F> function(F f, std::source_location where = std::source_location::current()) {
  return {std::move(f), nullptr, where};
}
/// The same of a function that may have no array arguments.
template <class F>
eager::Function<F> function(eager::Context& context, F f,
                            std::source_location where = std::source_location::current()) {
  return {std::move(f), &context.graph(), where};
}

}  // namespace lathe
