// What it takes to compile the classifier's programs, phase by phase: the training step and inference, both for every
// size of a batch. Each time the graph and the session are new.

#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

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

const Subject subjects[] = {
    {"training step",
     [](Classifier& classifier, Session& session) {
       const Value train = classifier.train();
       return session.prepare({classifier.loss, train}, {classifier.images, classifier.labels});
     }},
    {"inference", [](Classifier& classifier,
                     Session& session) { return session.prepare({classifier.probabilities}, {classifier.images}); }},
};

ProgramStatistics compile_once(const Subject& subject, const SessionOptions& options) {
  Classifier classifier;
  Session session(classifier.graph, options);
  return subject.prepare(classifier, session).statistics();
}

/// With several threads the phases are those of the one that took longest.
Measurement measure(const Subject& subject, int threads, const Setting& setting) {
  const SessionOptions options = setting.session(threads);
  const ProgramStatistics first = compile_once(subject, options);
  std::vector<double> totals;
  std::map<std::string, std::vector<double>> times;
  for (int run = 0; run < setting.pace.blocks; ++run) {
    const ProgramStatistics program = compile_once(subject, options);
    totals.push_back(program.compile_milliseconds);
    std::map<std::string, double> sums;  // some passes run twice
    for (const auto& [name, milliseconds] : program.phases) sums[name] += milliseconds;
    for (const auto& [name, milliseconds] : sums) times[name].push_back(milliseconds);
  }
  Measurement measurement{.subject = subject.name, .threads = threads, .timings = {}, .figures = {}};
  measurement.figures = {{"kernels", static_cast<double>(first.kernels), ""},
                         {"first time", first.compile_milliseconds, "ms"},
                         {"again", median(totals), "ms"}};
  for (const auto& phase : first.phases) {
    const auto found = times.extract(phase.name);
    if (!found.empty()) measurement.figures.push_back({phase.name, median(found.mapped()), "ms"});
  }
  return measurement;
}

}  // namespace

int main(int argc, char** argv) {
  return run_benchmark(argc, argv, "compile",
                       "Compiling the classifier's programs, each for every size of a batch: the first time in a "
                       "process, which also sets LLVM up, and again, with the medians of its phases.",
                       [](const Setting& setting, Report& report) {
                         for (const Subject& subject : subjects) {
                           if (!setting.wants(subject.name)) continue;
                           for (const int threads : setting.threads) {
                             report.add(measure(subject, threads, setting));
                           }
                         }
                       });
}
