// The classifier's training step compiled ahead of time, beside the same step in a session: the same code, called
// through a C function. And what the objects weigh, and how soon a program that has one takes its first step.

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include <fmt/format.h>

#include <lathe/codegen/layout.h>
#include <lathe/runtime/thread_pool.h>

#include "../support/temporary_folder.h"
#include "peers/batch_order.h"
#include "support/classifier.h"
#include "support/program.h"
#include "support/statistics.h"

using namespace lathe;
using namespace lathe::bench;

namespace {

constexpr std::uint64_t seed = 1;

/// As in the header that comes with the object.
struct LatheCall {
  abi::ParallelFor parallel_for;
  void* context;
  std::int64_t failed_index;
  std::int64_t failed_value;
};
using Init = std::int32_t(void* state, std::uint64_t seed, void* arena, LatheCall* call);
using TrainStep = std::int32_t(void* state, const std::uint8_t* images, const std::uint8_t* labels,
                               const std::int64_t* rows, float* loss, std::int64_t examples, std::int64_t batch,
                               void* arena, LatheCall* call);
using ArenaBytes = std::int64_t(std::int64_t examples, std::int64_t batch);
using StateBytes = std::int64_t();

std::vector<aot::Function> functions(Classifier& classifier) {
  return {aot::initialize("init"),
          {.name = "train_step",
           .feeds = {classifier.all_images, classifier.all_labels, classifier.rows},
           .fetches = {{"loss", classifier.loss}, classifier.train()}},
          {.name = "evaluate",
           .feeds = {classifier.all_images, classifier.all_labels, classifier.rows},
           .fetches = {{"loss", classifier.loss}}},
          {.name = "predict", .feeds = {classifier.images}, .fetches = {{"probabilities", classifier.probabilities}}}};
}

/// The classifier's library as a file that can be loaded.
class SharedLibrary {
 public:
  SharedLibrary() {
    Classifier classifier;
    aot::compile(classifier.graph, functions(classifier), {.name = "mlp"}).write(folder_.path());
    const std::string link =
        fmt::format("cc -shared -nostdlib -o '{}' '{}'", path().string(), (folder_.path() / "mlp.o").string());
    if (std::system(link.c_str()) != 0) throw Error("the object cannot be linked: " + link);
  }
  std::filesystem::path path() const { return folder_.path() / "mlp.so"; }

 private:
  test::TemporaryFolder folder_;
};

/// The step compiled ahead of time, from loading it on.
class LoadedStep {
 public:
  LoadedStep(const SharedLibrary& library, const TrainingData& data, std::int64_t batch, ThreadPool& pool)
      : handle_(dlopen(library.path().c_str(), RTLD_NOW | RTLD_LOCAL)),
        data_(data),
        batch_(batch),
        order_(data.labels.shape()[0], batch, seed) {
    if (!handle_) throw Error(dlerror());
    call_.parallel_for = pool.threads() > 1 ? &ThreadPool::parallel_for : nullptr;
    call_.context = &pool;
    state_ = Tensor(u8, {find<StateBytes>("mlp_state_bytes")()});
    arena_ = Tensor(u8, {find<ArenaBytes>("mlp_train_step_arena_bytes")(examples(), batch)});
    step_ = find<TrainStep>("mlp_train_step");
    check(find<Init>("mlp_init")(state_.bytes().data(), seed, arena_.bytes().data(), &call_));
  }
  ~LoadedStep() { dlclose(handle_); }
  LoadedStep(const LoadedStep&) = delete;
  LoadedStep& operator=(const LoadedStep&) = delete;

  void run() {
    check(step_(state_.bytes().data(), data_.images.data<std::uint8_t>().data(),
                data_.labels.data<std::uint8_t>().data(), order_.next().data(), &loss_, examples(), batch_,
                arena_.bytes().data(), &call_));
  }
  float loss() const { return loss_; }

 private:
  template <class F>
  F* find(const char* name) const {
    return reinterpret_cast<F*>(dlsym(handle_, name));
  }
  std::int64_t examples() const { return data_.labels.shape()[0]; }
  static void check(std::int32_t code) {
    if (code != 0) throw Error(fmt::format("a function compiled ahead of time returned {}", code));
  }

  void* handle_;
  const TrainingData& data_;
  std::int64_t batch_;
  BatchOrder order_;
  Tensor state_;
  Tensor arena_;
  TrainStep* step_ = nullptr;
  LatheCall call_{};
  float loss_ = 0;
};

/// Milliseconds from loading the library to the end of the first step, in memory that is new each time.
double first_step(const SharedLibrary& library, const TrainingData& data, int threads) {
  ThreadPool pool(threads);
  std::vector<double> times;
  for (int run = 0; run < 21; ++run) {
    const auto start = std::chrono::steady_clock::now();
    LoadedStep step(library, data, 32, pool);
    step.run();
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  return median(times);
}

Measurement measure(const SharedLibrary& library, const TrainingData& data, std::int64_t batch, int threads,
                    const Setting& setting) {
  Classifier classifier;
  const Value train = classifier.train();
  Session session(classifier.graph, setting.session(threads));
  session.initialize(seed);
  Callable step =
      session.prepare({classifier.loss, train}, {classifier.all_images, classifier.all_labels, classifier.rows});
  BatchOrder order(data.labels.shape()[0], batch, seed);
  float loss = 0;
  ThreadPool pool(threads);
  LoadedStep loaded(library, data, batch, pool);
  const std::vector<Contestant> contestants = {
      {.name = "Lathe", .run = [&] { loaded.run(); }, .result = [&] { return std::vector<double>{loaded.loss()}; }},
      {.name = "Lathe, in a session",
       .run =
           [&] {
             const TensorView rows{i64, std::span(&batch, 1), reinterpret_cast<const std::byte*>(order.next().data())};
             loss = step({data.images, data.labels, rows})[0].item<float>();
           },
       .result = [&] { return std::vector<double>{loss}; }}};
  return {.subject = fmt::format("batch {}", batch),
          .threads = threads,
          .timings = contest(contestants, setting.pace.quick(), 0),
          .figures = {}};
}

Measurement measure_sizes() {
  Measurement out{.subject = "object", .threads = 1, .timings = {}, .figures = {}};
  using enum aot::Target;
  const std::pair<const char*, std::vector<aot::Target>> objects[] = {
      {"x86-64-v3", {x86_64_v3}}, {"x86-64-v4", {x86_64_v4}}, {"both", {x86_64_v3, x86_64_v4}}, {"aarch64", {aarch64}}};
  for (const auto& [name, targets] : objects) {
    Classifier classifier;
    const aot::Library library = aot::compile(classifier.graph, functions(classifier), {.targets = targets});
    out.figures.push_back({name, static_cast<double>(library.object.size()) / 1024, "KiB"});
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  return run_benchmark(
      argc, argv, "ahead_of_time",
      "A training step of the classifier compiled ahead of time, beside the same step in a session; the size of its "
      "object, which also initializes, evaluates and predicts; and the time from loading it to the end of a first "
      "step.",
      [](const Setting& setting, Report& report) {
        const TrainingData data = training_data();
        const SharedLibrary library;
        for (const int threads : setting.threads) {
          for (const std::int64_t batch : {32, 128, 1024}) {
            if (!setting.wants(fmt::format("batch {}", batch))) continue;
            Measurement measurement = measure(library, data, batch, threads, setting);
            if (batch == 32) measurement.figures = {{"first step after", first_step(library, data, threads), "ms"}};
            report.add(measurement);
          }
        }
        if (setting.wants("object")) report.add(measure_sizes());
      });
}
