#include <lathe/runtime/eager/function.h>

#include <algorithm>
#include <utility>

#include <lathe/runtime/eager/generaliser.h>
#include <lathe/runtime/eager/state.h>
#include <lathe/runtime/eager/traced_program.h>

namespace lathe::eager {

struct TracedCalls::Trace {
  std::vector<TensorType> arrays;  // of the call that was traced
  std::vector<std::string> others;
  std::string why;
  std::unique_ptr<TracedProgram> program;

  bool serves(std::span<const Value> given, const std::vector<std::string>& given_others) const {
    const auto alike = [](const TensorType& type, const Value& value) {
      return type.dtype == value.dtype() && type.rank() == value.rank();
    };
    return others == given_others && std::equal(arrays.begin(), arrays.end(), given.begin(), given.end(), alike) &&
           program->fits(given);
  }
};

TracedCalls::TracedCalls(std::source_location where, Kind kind) : where_(where), kind_(kind) {}
TracedCalls::~TracedCalls() = default;

std::size_t TracedCalls::traces() const {
  return traces_.size();
}

std::vector<ProgramStatistics> TracedCalls::statistics() const {
  std::vector<ProgramStatistics> out;
  for (const auto& trace : traces_) out.push_back(trace->program->statistics());
  return out;
}

std::vector<Explanation> TracedCalls::explain() const {
  std::vector<Explanation> out;
  for (const auto& trace : traces_) out.push_back(trace->program->explain());
  return out;
}

std::string TracedCalls::explain_retraces() const {
  std::string text;
  for (std::size_t i = 0; i < traces_.size(); ++i) {
    std::vector<std::string> arguments;
    for (const TensorType& type : traces_[i]->arrays) arguments.push_back(to_string(type));
    arguments.insert(arguments.end(), traces_[i]->others.begin(), traces_[i]->others.end());
    text += fmt::format("trace {} of the function ({}) for ({}): {}\n", i + 1, describe(SourceLine(where_)),
                        fmt::join(arguments, ", "), traces_[i]->why);
  }
  return text;
}

Values TracedCalls::call(Graph& context, std::span<const Value> arrays, const std::vector<std::string>& others,
                         const Body& body) {
  auto* state = dynamic_cast<State*>(context.dispatcher());
  if (!state || state->tracing) return body(arrays);
  if (kind_ == Kind::function && (state->is_recorded() || state->options.assert_all_finite)) return body(arrays);
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (!arrays[i].empty() && &arrays[i].graph() == &context) continue;
    throw GraphError(fmt::format(
        "the function ({}): argument {} is {}", describe(SourceLine(where_)), i,
        arrays[i].empty() ? "an empty Value, never set or moved from" : "an array of another context or graph"));
  }
  return program_for(context, arrays, others, body).run(arrays);
}

TracedProgram& TracedCalls::program_for(Graph& context, std::span<const Value> arrays,
                                        const std::vector<std::string>& others, const Body& body) {
  for (const auto& trace : traces_) {
    if (trace->serves(arrays, others)) return *trace->program;
  }
  State& state = dynamic_cast<State&>(*context.dispatcher());
  const std::string name = describe(SourceLine(where_));
  for (const Known known : {Known::none, Known::ones, Known::inner, Known::all}) {
    try {
      auto made = std::make_unique<eager::Trace>(state);
      Generaliser generalise(known, "n");
      for (std::size_t i = 0; i < arrays.size(); ++i) {
        const TensorType& type = arrays[i].type();
        const Shape shape = generalise(type.shape);
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
          if (const auto symbol = shape[axis].as_symbol()) made->example.bind(*symbol, type.shape[axis].constant());
        }
        made->argument(fmt::format("argument{}", i), {type.dtype, shape});
      }
      {
        const Tracing tracing(state, made.get());
        made->finish(body(made->arguments));
      }
      auto program = std::make_unique<TracedProgram>(state, std::move(made), name, kind_ == Kind::function);
      if (!program->fits(arrays)) continue;
      std::vector<TensorType> types;
      for (const Value& array : arrays) types.push_back(array.type());
      std::string reason = why(arrays, others);
      traces_.push_back(
          std::make_unique<Trace>(Trace{std::move(types), others, std::move(reason), std::move(program)}));
      return *traces_.back()->program;
    } catch (const GraphError&) {
      if (known == Known::all) throw;
    }
  }
  ensure(false, "a trace for the extents of its arguments does not fit them");
  return *traces_.back()->program;
}

/// What of a call no earlier trace serves, compared with the one that comes nearest: the last.
std::string TracedCalls::why(std::span<const Value> arrays, const std::vector<std::string>& others) const {
  if (traces_.empty()) return "the first call";
  const Trace& last = *traces_.back();
  if (last.arrays.size() != arrays.size() || last.others.size() != others.size()) {
    return fmt::format("{} arguments, after {}", arrays.size() + others.size(),
                       last.arrays.size() + last.others.size());
  }
  std::vector<std::string> reasons;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const TensorType& now = arrays[i].type();
    const TensorType& before = last.arrays[i];
    if (now.dtype != before.dtype) {
      reasons.push_back(fmt::format("array {} is of {}, after {}", i, to_string(now.dtype), to_string(before.dtype)));
    } else if (now.rank() != before.rank()) {
      reasons.push_back(fmt::format("array {} has rank {}, after {}", i, now.rank(), before.rank()));
    }
  }
  for (std::size_t i = 0; i < others.size(); ++i) {
    if (others[i] != last.others[i])
      reasons.push_back(fmt::format("argument '{}', after '{}'", others[i], last.others[i]));
  }
  if (!reasons.empty()) return fmt::format("{}", fmt::join(reasons, "; "));
  return "extents that the earlier traces depend on, such as a 1 that is stretched";
}

}  // namespace lathe::eager
