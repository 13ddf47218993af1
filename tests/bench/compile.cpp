// What it takes to have the classifier's programs ready, phase by phase: the training step and inference, both for
// every size of a batch, compiled and from the cache, and a training step of many layers. Each time the graph and the
// session are new. And what a process takes up to the end of its first training step.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "../../examples/support/program.h"
#include "support/classifier.h"
#include "support/program.h"
#include "support/statistics.h"

using namespace lathe;
using namespace lathe::bench;

namespace {

struct Subject {
  std::string name;
  Callable (*prepare)(Classifier& classifier, Session& session);
};

/// Layers that are alike have the same kernels, where they are too large for one kernel to take them all row by row.
Callable prepare_deep(Classifier& classifier, Session& session) {
  constexpr int layers = 16;
  constexpr std::int64_t units = 256;
  Value x = flatten(cast(classifier.images, f32) * (1.0 / 255));
  for (int layer = 0; layer < layers; ++layer) x = nn::dense(x, units, {.activation = relu});
  const Value logits = nn::dense(x, Mlp::classes);
  const Value loss = mean(sparse_softmax_cross_entropy(classifier.labels, logits));
  const Value train = optim::adam().minimize(loss);
  return session.prepare({loss, train}, {classifier.images, classifier.labels});
}

const Subject subjects[] = {
    {"training step",
     [](Classifier& classifier, Session& session) {
       const Value train = classifier.train();
       return session.prepare({classifier.loss, train}, {classifier.images, classifier.labels});
     }},
    {"training step of 16 layers", prepare_deep},
    {"inference", [](Classifier& classifier,
                     Session& session) { return session.prepare({classifier.probabilities}, {classifier.images}); }},
};

/// A cache of programs that vanishes with the object.
class TemporaryCache {
 public:
  TemporaryCache() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lathe-bench-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw Error("cannot make a temporary folder");
    folder_ = pattern;
  }
  ~TemporaryCache() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TemporaryCache(const TemporaryCache&) = delete;
  TemporaryCache& operator=(const TemporaryCache&) = delete;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

ProgramStatistics prepare_once(const Subject& subject, const SessionOptions& options) {
  Classifier classifier;
  Session session(classifier.graph, options);
  return subject.prepare(classifier, session).statistics();
}

/// With several threads the phases are those of the one that took longest.
Measurement measure(const Subject& subject, const std::string& name, const SessionOptions& options, int runs) {
  const ProgramStatistics first = prepare_once(subject, options);
  std::vector<double> totals;
  std::vector<std::string> order;
  std::map<std::string, std::vector<double>> times;
  for (int run = 0; run < runs; ++run) {
    const ProgramStatistics program = prepare_once(subject, options);
    totals.push_back(program.compile_milliseconds);
    std::map<std::string, double> sums;  // some passes run twice
    for (const auto& [phase, milliseconds] : program.phases) {
      if (run == 0 && !sums.contains(phase)) order.push_back(phase);
      sums[phase] += milliseconds;
    }
    for (const auto& [phase, milliseconds] : sums) times[phase].push_back(milliseconds);
  }
  Measurement measurement{.subject = name, .threads = options.threads, .timings = {}, .figures = {}};
  measurement.figures = {{"kernels", static_cast<double>(first.kernels), ""},
                         {"first time", first.compile_milliseconds, "ms"},
                         {"again", median(totals), "ms"}};
  for (const std::string& phase : order) measurement.figures.push_back({phase, median(times.at(phase)), "ms"});
  return measurement;
}

const std::string process_subject = "a process up to its first step";
constexpr std::string_view nothing = "--do-nothing";
constexpr std::string_view first_step = "--first-step";  // then the cache's folder, or nothing for none

/// What a child process does: one training step, from the beginning.
void take_first_step(const std::string& folder, int threads) {
  Classifier classifier;
  Session session(classifier.graph, {.threads = threads, .cache = {.enabled = !folder.empty(), .folder = folder}});
  Callable step = subjects[0].prepare(classifier, session);
  session.initialize(1);
  const Tensor images(u8, {32, 28, 28});
  const Tensor labels(u8, {32});
  step({images, labels});
  _exit(0);  // what a process does at its end is not asked for
}

/// Milliseconds from starting this program to its end.
double time_process(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "compile");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const auto start = std::chrono::steady_clock::now();
  pid_t child = 0;
  int status = 0;
  const bool done = posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, pointers.data(), environ) == 0 &&
                    waitpid(child, &status, 0) == child && status == 0;
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  if (!done) throw Error("a process that was to be timed failed");
  return time.count();
}

Measurement measure_processes(int threads, int runs) {
  const TemporaryCache cache;
  const auto number = std::to_string(threads);
  const std::vector<std::string> compiles = {std::string(first_step), "", number};
  const std::vector<std::string> finds = {std::string(first_step), cache.folder(), number};
  time_process(finds);  // fills the cache
  std::vector<double> empty;
  std::vector<double> compiled;
  std::vector<double> found;
  for (int run = 0; run < runs; ++run) {
    empty.push_back(time_process({std::string(nothing)}));
    compiled.push_back(time_process(compiles));
    found.push_back(time_process(finds));
  }
  return {.subject = process_subject,
          .threads = threads,
          .timings = {},
          .figures = {{"does nothing", median(empty), "ms"},
                      {"compiles", median(compiled), "ms"},
                      {"finds its programs", median(found), "ms"}}};
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && arguments[0] == nothing) return 0;
  if (arguments.size() == 3 && arguments[0] == first_step) {
    return examples::guarded([&] { take_first_step(arguments[1], std::stoi(arguments[2])); });
  }
  return run_benchmark(
      argc, argv, "compile",
      "Compiling the classifier's programs, each for every size of a batch: the first time in a "
      "process, which also loads and sets LLVM up, and again, with the medians of its phases; the same with the cache "
      "of programs; and whole processes, from their start to the end of their first training step of 32 images.",
      [](const Setting& setting, Report& report) {
        for (const Subject& subject : subjects) {
          if (!setting.wants(subject.name)) continue;
          for (const int threads : setting.threads) {
            SessionOptions options = setting.session(threads);
            report.add(measure(subject, subject.name, options, setting.pace.blocks));
            const TemporaryCache cache;
            options.cache = {.folder = cache.folder()};
            prepare_once(subject, options);  // fills it
            report.add(measure(subject, subject.name + ", from the cache", options, setting.pace.blocks));
          }
        }
        for (const int threads : setting.threads) {
          if (setting.wants(process_subject)) report.add(measure_processes(threads, setting.pace.blocks));
        }
      });
}
