#include <lathe/codegen/loop/interpret.h>

#include <cstring>

#include <lathe/codegen/denormals.h>
#include <lathe/codegen/loop/evaluate.h>
#include <lathe/codegen/loop/scalar.h>
#include <lathe/graph/error.h>

namespace lathe::loop {
namespace {

/// One yield's value and where it goes at the current point.
struct Write {
  Evaluator::Cell value;
  Evaluator::Place place;
  std::size_t element_bytes;
  std::byte* tensor;     // destination in memory
  std::uint64_t* local;  // or in a local
};

struct PreparedStage {
  std::vector<Evaluator::Loop> inner;
  Evaluator::Instructions instructions;
  std::vector<Write> writes;
};

PreparedStage prepare(const Stage& stage, const Kernel& kernel, Evaluator& evaluator, const Run& run) {
  PreparedStage out;
  out.inner = evaluator.loops(stage.inner);
  std::vector<ExprId> roots;
  for (const Yield& yield : stage.yields) {
    roots.push_back(yield.value);
    std::visit([&](const auto& to) { roots.insert(roots.end(), to.indices.begin(), to.indices.end()); },
               yield.destination);
  }
  std::vector<AxisId> axes = kernel.outer;
  axes.insert(axes.end(), stage.inner.begin(), stage.inner.end());
  out.instructions = evaluator.compile(roots, axes);
  for (const Yield& yield : stage.yields) {
    Write write{evaluator.cell(yield.value), {}, size_of(run.pool().dtype(yield.value)), nullptr, nullptr};
    if (const auto* to = std::get_if<ToLocal>(&yield.destination)) {
      write.place = evaluator.place(to->local, to->indices);
      write.local = evaluator.local(to->local);
    } else {
      const auto& store = std::get<ToTensor>(yield.destination);
      write.place = evaluator.place(store.tensor, store.indices);
      write.tensor = run.write(store.tensor);
    }
    out.writes.push_back(std::move(write));
  }
  return out;
}

/// Copies the low `bytes` of a cell to memory, whatever the machine's byte order.
void store(std::byte* to, std::uint64_t bits, std::size_t bytes) {
  switch (bytes) {
    case 1: {
      const auto narrow = static_cast<std::uint8_t>(bits);
      std::memcpy(to, &narrow, sizeof narrow);
      return;
    }
    case 4: {
      const auto narrow = static_cast<std::uint32_t>(bits);
      std::memcpy(to, &narrow, sizeof narrow);
      return;
    }
    default: std::memcpy(to, &bits, sizeof bits);
  }
}

void perform(const PreparedStage& stage, Evaluator& evaluator) {
  evaluator.for_each_point(stage.inner, [&] {
    evaluator.execute(stage.instructions);
    for (const Write& write : stage.writes) {
      const std::int64_t offset = evaluator.offset(write.place);
      const std::uint64_t bits = evaluator.value(write.value);
      if (write.local) {
        write.local[offset] = bits;
      } else {
        store(write.tensor + offset * static_cast<std::int64_t>(write.element_bytes), bits, write.element_bytes);
      }
    }
  });
}

void perform(const Kernel& kernel, Run& run, std::int64_t) {
  Evaluator evaluator(run, kernel.name);
  for (const LocalInfo& local : kernel.locals) evaluator.add_local(local);
  const std::vector<Evaluator::Loop> outer = evaluator.loops(kernel.outer);
  std::vector<PreparedStage> stages;
  for (const Stage& stage : kernel.stages) stages.push_back(prepare(stage, kernel, evaluator, run));
  evaluator.for_each_point(outer, [&] {
    for (const PreparedStage& stage : stages) perform(stage, evaluator);
  });
}

std::size_t bytes_of(TensorId tensor, const Run& run) {
  return static_cast<std::size_t>(element_count(run.extents(tensor))) *
         size_of(run.program().tensor(tensor).type.dtype);
}

void copy(TensorId from, TensorId to, const Run& run) {
  const std::byte* source = run.read(from);
  std::byte* target = run.write(to);
  const std::size_t bytes = bytes_of(to, run);
  if (source != target && bytes > 0) std::memcpy(target, source, bytes);
}

void perform(const ScatterKernel& kernel, Run& run, std::int64_t) {
  copy(kernel.base, kernel.out, run);
  Evaluator evaluator(run, kernel.name);
  const std::vector<Evaluator::Loop> loops = evaluator.loops(kernel.axes);
  std::vector<ExprId> roots = kernel.target;
  roots.push_back(kernel.value);
  const Evaluator::Instructions instructions = evaluator.compile(roots, kernel.axes);
  const Evaluator::Place place = evaluator.place(kernel.out, kernel.target);
  const Evaluator::Cell value = evaluator.cell(kernel.value);
  std::byte* out = run.write(kernel.out);
  dispatch(run.pool().dtype(kernel.value), [&]<class T>(T) {
    evaluator.for_each_point(loops, [&] {
      evaluator.execute(instructions);
      std::byte* target = out + evaluator.offset(place) * static_cast<std::int64_t>(sizeof(T));
      T sum{};
      std::memcpy(&sum, target, sizeof(T));
      sum = scalar::add(sum, scalar::from_bits<T>(evaluator.value(value)));
      std::memcpy(target, &sum, sizeof(T));
    });
  });
}

void perform(const HostStep& step, Run& run, std::int64_t number) {
  const abi::Arguments& arguments = run.arguments();
  if (arguments.host) arguments.host(arguments.host_context, number, run.read(step.tensor));
}

void perform(const CommitStep& step, Run& run, std::int64_t) {
  copy(step.from, step.variable, run);
}

}  // namespace

std::int32_t interpret(const Program& program, const abi::Arguments& arguments) {
  const FlushDenormals flush;
  Run run(program, arguments);
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    std::visit([&](const auto& step) { perform(step, run, static_cast<std::int64_t>(i)); }, program.steps[i]);
    if (run.failed()) {
      if (arguments.failure) *arguments.failure = run.failure();
      return 1;
    }
  }
  return 0;
}

}  // namespace lathe::loop
