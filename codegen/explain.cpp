#include <lathe/codegen/explain.h>

#include <algorithm>
#include <chrono>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lathe/codegen/access.h>
#include <lathe/codegen/strip_plan.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

// What the model takes of any current core: bytes it moves a cycle, from its own caches and from beyond.
constexpr double near_bytes_per_cycle = 32;
constexpr double far_bytes_per_cycle = 8;
constexpr double near_bytes = 4 << 20;

/// Cycles a nanosecond, from a chain of dependent multiplications and additions: four cycles a link everywhere.
double core_frequency() {
  static const double frequency = [] {
    constexpr int links = 250'000;
    constexpr double cycles_a_link = 4;
    double best = 0;
    volatile std::uint64_t start_value = 1;
    for (int repeat = 0; repeat < 5; ++repeat) {
      std::uint64_t x = start_value;
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < links; ++i) x = x * 6364136223846793005U + 1442695040888963407U;
      const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
      start_value = x;
      best = std::max(best, links * cycles_a_link / time.count());
    }
    return best;
  }();
  return frequency;
}

/// Floating-point operations of a node itself, at one point.
double operations(const Pool& pool, ExprId id) {
  if (!is_float(pool.dtype(id))) return 0;
  const ExprNode& node = pool.node(id);
  if (std::holds_alternative<Fma>(node)) return 2;
  return std::holds_alternative<Unary>(node) || std::holds_alternative<Binary>(node) ? 1 : 0;
}

class KernelCost {
 public:
  KernelCost(const Program& program, const Kernel& kernel, const Bindings& bindings)
      : program_(program), pool_(*program.pool), bindings_(bindings), accesses_(program, kernel.locals, kernel.stages) {
    const double outer = points(kernel.outer);
    for (const Stage& stage : kernel.stages) {
      const double all = outer * points(stage.inner);
      for (const Yield& yield : stage.yields) {
        if (std::holds_alternative<ToTensor>(yield.destination)) touch(accesses_.target(yield), stored_);
      }
      count(stage, all);
    }
    for (const auto& tensors : {loaded_, stored_}) {
      for (const auto& [tensor, touched] : tensors) bytes += touched;
    }
  }

  double contracted = 0;  // operations in contractions
  double other = 0;
  double bytes = 0;

 private:
  double points(std::span<const AxisId> axes) const {
    double product = 1;
    for (const AxisId axis : axes) product *= static_cast<double>(pool_.axis(axis).extent.evaluate(bindings_));
    return product;
  }

  void count(const Stage& stage, double all) {
    const std::vector<ExprId> roots = values_of({&stage, 1});
    for (const ExprId id : usual_order(pool_, roots)) {
      if (std::holds_alternative<Load>(pool_.node(id))) touch(id, loaded_);
      // Once for all points at which it is the same: a matrix is scaled once, not once for each column of the other.
      if (const double here = operations(pool_, id); here > 0) other += here * points(accesses_.facts(id).axes);
    }
    const Reduce* reduce = reduction(pool_, stage);
    if (!reduce) return;
    const double inside = all * points(reduce->axes);
    if (reduce->op == ReduceOp::contract) {
      contracted += 2 * inside;
    } else if (is_float(pool_.dtype(reduce->a))) {
      other += inside;
    }
  }

  /// Notes the bytes of all elements that an access reaches.
  void touch(ExprId access, std::map<TensorId, double>& tensors) {
    const auto* load = std::get_if<Load>(&pool_.node(access));
    if (!load) return;
    const ProgramTensor& tensor = program_.tensor(load->tensor);
    const auto whole = static_cast<double>(element_count(tensor.type.shape).evaluate(bindings_));
    const double reached = std::min(whole, points(accesses_.facts(access).axes));
    double& touched = tensors[load->tensor];
    touched = std::max(touched, reached * static_cast<double>(size_of(tensor.type.dtype)));
  }

  const Program& program_;
  const Pool& pool_;
  const Bindings& bindings_;
  Accesses accesses_;
  std::map<TensorId, double> loaded_;
  std::map<TensorId, double> stored_;
};

StepReport report(const Program& program, const Kernel& kernel, const Schedule& made, const MachineModel& machine,
                  const Bindings& bindings) {
  const Sharing sharing = share(made, *program.pool, bindings);
  const KernelCost cost(program, kernel, bindings);
  const double lanes = machine.vector_bits / 32.0;
  const double compute =
      cost.contracted / (2 * machine.fma_per_cycle * lanes) + cost.other / (machine.fma_per_cycle * lanes);
  const double move = cost.bytes / (cost.bytes <= near_bytes ? near_bytes_per_cycle : far_bytes_per_cycle);
  return {.name = kernel.name,
          .holds = fmt::format("{}", fmt::join(kernel.nodes, ", ")),
          .boundary = kernel.boundary,
          .schedule = to_string(made, *program.pool),
          .flops = cost.contracted + cost.other,
          .bytes = cost.bytes,
          .chunks = sharing.items == 0 ? 0 : (sharing.items - 1) / sharing.grain + 1,
          .predicted_us = std::max(compute, move) / core_frequency() / 1000};
}

StepReport report(const Program& program, const Kernel& kernel, const MachineModel& machine, const Bindings& bindings) {
  return report(program, kernel, schedule(program, kernel, machine), machine, bindings);
}

StepReport report(const Program& program, const ScatterKernel& scatter, const MachineModel&, const Bindings& bindings) {
  double points = 1;
  for (const AxisId axis : scatter.axes)
    points *= static_cast<double>(program.pool->axis(axis).extent.evaluate(bindings));
  const auto bytes = static_cast<double>(size_of(program.tensor(scatter.out).type.dtype));
  const auto elements = static_cast<double>(element_count(program.tensor(scatter.out).type.shape).evaluate(bindings));
  StepReport out{.name = scatter.name, .holds = scatter.name, .boundary = "a scatter runs alone"};
  out.flops = points;
  out.bytes = (2 * elements + 2 * points) * bytes;
  out.predicted_us = out.bytes / near_bytes_per_cycle / core_frequency() / 1000;
  return out;
}

StepReport report(const Program& program, const HostStep& step, const MachineModel&, const Bindings&) {
  return {.name = "print", .holds = program.tensor(step.tensor).name};
}

StepReport report(const Program& program, const CommitStep& step, const MachineModel&, const Bindings& bindings) {
  const TensorType& type = program.tensor(step.variable).type;
  StepReport out{
      .name = "commit", .holds = program.tensor(step.variable).name, .boundary = "a check could still have failed"};
  out.bytes =
      2 * static_cast<double>(element_count(type.shape).evaluate(bindings)) * static_cast<double>(size_of(type.dtype));
  out.predicted_us = out.bytes / near_bytes_per_cycle / core_frequency() / 1000;
  return out;
}

/// A group's kernels: those that run in strips at these sizes say so.
void explain(const Program& program, const StripGroup& group, const MachineModel& machine, const Bindings& bindings,
             std::vector<StepReport>& steps) {
  const StripPlan plan = plan_strips(program, group, machine);
  for (std::size_t i = 0; i < group.count; ++i) {
    const auto& kernel = std::get<Kernel>(program.steps[group.first + i]);
    steps.push_back(report(program, kernel, plan.schedules[i], machine, bindings));
  }
  for (const StripRun& run : plan.runs) {
    if (!pays(run, bindings)) continue;
    const std::string points = run.points == 1 ? "a point" : fmt::format("{} points", run.points);
    for (std::size_t step = run.first; step < run.first + run.count; ++step) {
      steps[step].schedule += fmt::format("; in strips with kernels {} to {}, {} of their first axes at a time",
                                          run.first, run.first + run.count - 1, points);
    }
  }
}

std::string intensity(const StepReport& step) {
  return step.bytes > 0 ? fmt::format("{:.1f}", step.flops / step.bytes) : std::string("-");
}

std::string measured(const StepReport& step) {
  return step.measured_us ? fmt::format("{:.2f}", *step.measured_us) : std::string("-");
}

std::string title(const Explanation& e) {
  return fmt::format("program '{}': {} steps, arena {} bytes, {}{}{}", e.program, e.steps.size(), e.arena_bytes,
                     e.target, e.sizes.empty() ? "" : ", ", e.sizes);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

/// One bar for each part, after the one before, in percent of them all.
std::string timeline(std::span<const std::pair<std::string, double>> parts, std::string_view unit) {
  double total = 0;
  for (const auto& [name, length] : parts) total += length;
  if (total <= 0) return {};
  std::string out = "<div class=\"timeline\">\n";
  double start = 0;
  for (const auto& [name, length] : parts) {
    out += fmt::format(
        "<div class=\"row\"><span class=\"name\">{}</span><span class=\"track\"><span class=\"bar\" "
        "style=\"margin-left:{:.3f}%;width:{:.3f}%\"></span></span><span class=\"time\">{:.2f} {}</span></div>\n",
        escaped(name), 100 * start / total, 100 * length / total, length, unit);
    start += length;
  }
  return out + "</div>\n";
}

constexpr std::string_view page_style = R"(
body { font: 14px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #1b1b1b; }
h1 { font-size: 1.3em; } h2 { font-size: 1.1em; margin-top: 2em; }
table { border-collapse: collapse; } td, th { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd; }
td:nth-child(2), th:nth-child(2) { text-align: left; } dt { font-weight: 600; margin-top: .8em; } dd { margin-left: 1.5em; }
.row { display: flex; gap: 1em; } .name { width: 18em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.track { flex: 1; background: #f2f2f2; margin: .2em 0; } .bar { display: block; height: 100%; min-width: 1px; background: #3a6ea5; }
.time { width: 8em; text-align: right; }
)";

}  // namespace

Explanation explain(const Executable& executable, const Bindings& bindings, std::span<const double> measured_us) {
  const Program& program = executable.program();
  const MachineModel machine = machine_model(executable.instruction_set());
  Explanation out;
  out.target = executable.target();
  out.arena_bytes = program.arena_bytes.evaluate(bindings);
  for (const SymbolId symbol : program.symbols) {
    out.sizes +=
        fmt::format("{}{} = {}", out.sizes.empty() ? "" : ", ", name_of(symbol), Dim(symbol).evaluate(bindings));
  }
  while (out.steps.size() < program.steps.size()) {
    if (const StripGroup* group = group_at(program, out.steps.size())) {
      explain(program, *group, machine, bindings, out.steps);
      continue;
    }
    out.steps.push_back(std::visit([&](const auto& kind) { return report(program, kind, machine, bindings); },
                                   program.steps[out.steps.size()]));
  }
  for (std::size_t i = 0; i < std::min(out.steps.size(), measured_us.size()); ++i) {
    out.steps[i].measured_us = measured_us[i];
  }
  out.phases = executable.phases();
  return out;
}

std::string to_text(const Explanation& e) {
  std::string out = title(e) + "\n\n";
  out += fmt::format("{:>3}  {:<32}{:>12}{:>12}{:>9}{:>8}{:>14}{:>13}\n", "", "kernel", "FLOP", "bytes", "FLOP/B",
                     "chunks", "predicted us", "measured us");
  double predicted = 0;
  double total = 0;
  for (std::size_t i = 0; i < e.steps.size(); ++i) {
    const StepReport& step = e.steps[i];
    out += fmt::format("{:>3}  {:<32}{:>12.0f}{:>12.0f}{:>9}{:>8}{:>14.2f}{:>13}\n", i, step.name, step.flops,
                       step.bytes, intensity(step), step.chunks, step.predicted_us, measured(step));
    predicted += step.predicted_us;
    total += step.measured_us.value_or(0);
  }
  out += fmt::format("{:>3}  {:<32}{:>12}{:>12}{:>9}{:>8}{:>14.2f}{:>13}\n\n", "", "all", "", "", "", "", predicted,
                     total > 0 ? fmt::format("{:.2f}", total) : "-");
  for (std::size_t i = 0; i < e.steps.size(); ++i) {
    const StepReport& step = e.steps[i];
    out += fmt::format("{:>3}  {}\n     holds {}\n", i, step.name, step.holds);
    if (!step.schedule.empty()) out += fmt::format("     runs as {}\n", step.schedule);
    if (!step.boundary.empty()) out += fmt::format("     ends here: {}\n", step.boundary);
  }
  out += "\ncompile time\n";
  for (const CompilePhase& phase : e.phases)
    out += fmt::format("     {:<20}{:>9.2f} ms\n", phase.name, phase.milliseconds);
  if (!e.cache.empty()) out += fmt::format("     cache of programs: {}\n", e.cache);
  return out;
}

std::string to_html(const Explanation& e) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta "
      "charset=\"utf-8\"><title>{0}</title><style>{1}</style></head><body>\n"
      "<h1>{0}</h1>\n<h2>Kernels</h2>\n<table><tr><th></th><th>kernel</th><th>FLOP</th><th>bytes</th><th>FLOP/B</th>"
      "<th>chunks</th><th>predicted us</th><th>measured us</th></tr>\n",
      escaped(title(e)), page_style);
  const bool has_times = std::any_of(e.steps.begin(), e.steps.end(), [](const auto& step) { return step.measured_us; });
  std::vector<std::pair<std::string, double>> times;
  for (std::size_t i = 0; i < e.steps.size(); ++i) {
    const StepReport& step = e.steps[i];
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{:.0f}</td><td>{:.0f}</td><td>{}</td><td>{}</td><td>{:.2f}</td><td>{}</td></"
        "tr>\n",
        i, escaped(step.name), step.flops, step.bytes, intensity(step), step.chunks, step.predicted_us, measured(step));
    times.emplace_back(step.name, has_times ? step.measured_us.value_or(0) : step.predicted_us);
  }
  out +=
      fmt::format("</table>\n<h2>Timeline, {}</h2>\n{}", has_times ? "measured" : "predicted", timeline(times, "us"));
  out += "<h2>What each holds</h2>\n<dl>\n";
  for (const StepReport& step : e.steps) {
    out += fmt::format("<dt>{}</dt><dd>holds {}</dd>", escaped(step.name), escaped(step.holds));
    if (!step.schedule.empty()) out += fmt::format("<dd>runs as {}</dd>", escaped(step.schedule));
    if (!step.boundary.empty()) out += fmt::format("<dd>ends here: {}</dd>", escaped(step.boundary));
    out += "\n";
  }
  std::vector<std::pair<std::string, double>> phases;
  for (const CompilePhase& phase : e.phases) phases.emplace_back(phase.name, phase.milliseconds);
  out += "</dl>\n<h2>Compile time</h2>\n" + timeline(phases, "ms");
  if (!e.cache.empty()) out += fmt::format("<p>Cache of programs: {}</p>\n", escaped(e.cache));
  return out + "</body></html>\n";
}

}  // namespace lathe
