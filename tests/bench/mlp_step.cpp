// The training step of the 784-128-10 classifier (ReLU, sparse softmax cross-entropy, Adam), batch assembly included,
// at several batch sizes and thread counts; beside it, where libtorch is installed, the same step in libtorch.
//
// Both sides start from the same weights and see the same batches. They take turns in short blocks, so that a change of
// the machine's speed meets both alike; medians are over all steps. libtorch's batches are gathered in two ways, and
// the faster one counts. A ratio above 1 means that Lathe is the faster one; all are printed, whichever way they fall.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <lathe/lathe.h>

#include "../../examples/support/program.h"
#include "../../examples/support/write_file.h"
#include "fma_peak.h"
#include "mlp_step_torch.h"

using namespace lathe;
using namespace lathe::bench;

namespace {

constexpr std::int64_t pixels = 784;
constexpr std::int64_t hidden = 128;
constexpr std::int64_t classes = 10;
constexpr std::uint64_t seed = 1;

using Clock = std::chrono::steady_clock;

/// Floating-point operations of a step: products and sums of the contractions, which are all but the whole.
double step_flops(std::int64_t batch) {
  const double forward = 2.0 * static_cast<double>(batch * (pixels * hidden + hidden * classes));
  const double weight_gradients = forward;
  const double hidden_gradient = 2.0 * static_cast<double>(batch * hidden * classes);
  return forward + weight_gradients + hidden_gradient;
}

struct TrainingData {
  Tensor images;
  Tensor labels;
};

/// Fashion-MNIST, or as many bytes without meaning where it is not installed.
TrainingData training_data() {
  try {
    auto data = data::fashion_mnist();
    return {std::move(data.train_images), std::move(data.train_labels)};
  } catch (const DataError&) {
    constexpr std::int64_t count = 60000;
    TrainingData data{Tensor(u8, {count, 28, 28}), Tensor(u8, {count})};
    std::uint64_t number = 0;
    for (auto& level : data.images.data<std::uint8_t>()) level = data::derive_seed(seed, number++) & 0xffU;
    for (auto& label : data.labels.data<std::uint8_t>()) label = data::derive_seed(seed, number++) % classes;
    return data;
  }
}

/// One side of the comparison: makes steps over its own run of batches.
class Side {
 public:
  explicit Side(std::string name) : name_(std::move(name)) {}
  virtual ~Side() = default;
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  virtual float step() = 0;
  /// Called before a block of steps.
  virtual void prepare() {}

  void run_block(int steps, int warm_up) {
    prepare();
    for (int i = 0; i < warm_up; ++i) loss_ = step();
    for (int i = 0; i < steps; ++i) {
      const auto start = Clock::now();
      loss_ = step();
      microseconds_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    }
  }
  const std::string& name() const { return name_; }
  double quantile(double q) const {
    std::vector<double> sorted = microseconds_;
    std::ranges::sort(sorted);
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
  }
  /// Of the latest step.
  float loss() const { return loss_; }

 private:
  std::string name_;
  std::vector<double> microseconds_;
  float loss_ = 0;
};

class LatheSide : public Side {
 public:
  LatheSide(const TrainingData& data, std::int64_t batch, const SessionOptions& options)
      : Side("lathe"),
        session_(graph_, options),
        batches_(data::Dataset({data.images, data.labels}),
                 {.size = batch, .shuffle_seed = seed, .drop_remainder = true}) {
    const Value images = placeholder(graph_, "images", u8, {dim("batch"), 28, 28});
    const Value labels = placeholder(graph_, "labels", u8, {dim("batch")});
    const Value x = flatten(cast(images, f32) * (1.0 / 255));
    const Value logits = nn::dense(nn::dense(x, hidden, {.activation = relu}), classes);
    const Value loss = mean(sparse_softmax_cross_entropy(labels, logits));
    const Value train = optim::adam().minimize(loss);
    session_.initialize(seed);
    step_.emplace(session_.prepare({loss, train}, {images, labels}));
  }

  float step() override {
    auto batch = batches_.next();
    if (batch.empty()) {
      batches_.start(++epoch_);
      batch = batches_.next();
    }
    return (*step_)(batch)[0].item<float>();
  }
  MlpWeights weights() const {
    const auto read = [&](std::string_view name) {
      const Tensor tensor = session_.variable(name);
      return std::vector<float>(tensor.data<float>().begin(), tensor.data<float>().end());
    };
    return {read("dense/kernel"), read("dense/bias"), read("dense_1/kernel"), read("dense_1/bias")};
  }
  ProgramStatistics statistics() const { return step_->statistics(); }
  int threads() const { return session_.threads(); }

 private:
  Graph graph_;
  Session session_;
  std::optional<Callable> step_;
  data::Batches batches_;
  std::int64_t epoch_ = 0;
};

#ifdef LATHE_BENCH_TORCH
class TorchSide : public Side {
 public:
  TorchSide(const TrainingData& data, std::int64_t batch, const MlpWeights& initial, int threads, TorchInput input)
      : Side(input == TorchInput::bytes ? "libtorch, u8 data" : "libtorch, f32 data"),
        model_(make_torch_mlp(data.images.data<std::uint8_t>(), data.labels.data<std::uint8_t>(), initial, input)),
        order_(static_cast<std::size_t>(data.labels.size())),
        batch_(static_cast<std::size_t>(batch)),
        threads_(threads) {
    start_epoch();
  }

  void prepare() override { set_torch_threads(threads_); }
  float step() override {
    if (position_ + batch_ > order_.size()) {
      ++epoch_;
      start_epoch();
    }
    const float loss = model_->step(std::span(order_).subspan(position_, batch_));
    position_ += batch_;
    return loss;
  }

 private:
  /// The order that data::Batches has.
  void start_epoch() {
    std::iota(order_.begin(), order_.end(), std::int64_t{0});
    data::shuffle(order_, data::derive_seed(seed, epoch_));
    position_ = 0;
  }

  std::unique_ptr<TorchMlp> model_;
  std::vector<std::int64_t> order_;
  std::size_t batch_;
  int threads_;
  std::uint64_t epoch_ = 0;
  std::size_t position_ = 0;
};
#endif

/// The peers to measure beside Lathe; none without libtorch.
std::vector<std::unique_ptr<Side>> make_peers(const TrainingData& data, std::int64_t batch, const LatheSide& lathe) {
  std::vector<std::unique_ptr<Side>> peers;
#ifdef LATHE_BENCH_TORCH
  for (const TorchInput input : {TorchInput::bytes, TorchInput::floats}) {
    peers.push_back(std::make_unique<TorchSide>(data, batch, lathe.weights(), lathe.threads(), input));
  }
#else
  (void)data;
  (void)batch;
  (void)lathe;
#endif
  return peers;
}

struct Arguments {
  int blocks = 12;
  int steps = 150;
  std::string instruction_set = "native";
  std::optional<std::string> json;
};

nlohmann::json measure(const TrainingData& data, std::int64_t batch, int threads, const Arguments& arguments,
                       double peak_gflops) {
  LatheSide lathe(data, batch,
                  {.threads = threads, .instruction_set = parse_instruction_set(arguments.instruction_set)});
  const auto peers = make_peers(data, batch, lathe);
  // The larger the batch, the longer a step and the steadier its time.
  const int steps = std::max(10, static_cast<int>(arguments.steps * 32 / std::max<std::int64_t>(batch, 32)));
  constexpr int warm_up = 3;
  for (int block = 0; block < arguments.blocks; ++block) {
    lathe.run_block(steps, warm_up);
    for (const auto& peer : peers) peer->run_block(steps, warm_up);
  }

  const double median = lathe.quantile(0.5);
  const double gflops = step_flops(batch) / median * 1e-3;
  const ProgramStatistics program = lathe.statistics();
  nlohmann::json out = {{"batch", batch},
                        {"threads", lathe.threads()},
                        {"lathe_us", median},
                        {"lathe_us_p90", lathe.quantile(0.9)},
                        {"gflops", gflops},
                        {"loss", lathe.loss()},
                        {"compile_ms", program.compile_milliseconds},
                        {"kernels", program.kernels},
                        {"arena_bytes", program.arena_bytes}};
  fmt::print("batch {:>4}, {} thread{}: lathe {:>8.1f} us ({:.0f} GFLOP/s", batch, lathe.threads(),
             lathe.threads() == 1 ? "" : "s", median, gflops);
  if (peak_gflops > 0) fmt::print(", {:.0f}% of FMA peak", 100 * gflops / (peak_gflops * lathe.threads()));
  fmt::print("), loss {:.4f}, compiled in {:.0f} ms, {} kernels\n", lathe.loss(), program.compile_milliseconds,
             program.kernels);

  double best = 0;
  for (const auto& peer : peers) {
    const double peer_median = peer->quantile(0.5);
    best = best == 0 ? peer_median : std::min(best, peer_median);
    fmt::print("    {:<19}{:>9.1f} us, loss {:.4f}: {:.2f}x\n", peer->name(), peer_median, peer->loss(),
               peer_median / median);
    out["peers"].push_back({{"name", peer->name()},
                            {"us", peer_median},
                            {"us_p90", peer->quantile(0.9)},
                            {"loss", peer->loss()},
                            {"ratio", peer_median / median}});
  }
  if (best > 0) {
    out["torch_us"] = best;
    out["ratio"] = best / median;
    fmt::print("    Lathe is {:.2f} times as fast as the better of them{}\n", best / median,
               best < median ? ": it loses" : "");
  }
  std::fflush(stdout);
  return out;
}

void run(const Arguments& arguments) {
  const TrainingData data = training_data();
  const double peak = fma_peak_gflops();
  nlohmann::json report = {{"cpu", examples::cpu_name()}, {"fma_peak_gflops_one_core", peak}};
  fmt::print("{}, {:.0f} GFLOP/s a core at most\n", examples::cpu_name(), peak);
#ifdef LATHE_BENCH_TORCH
  report["torch"] = torch_version();
  fmt::print("beside {}\n", torch_version());
  if (std::getenv("OPENBLAS_CORETYPE") != nullptr) {
    fmt::print("OPENBLAS_CORETYPE is set: OpenBLAS may run a slower kernel than this CPU's\n");
  }
#endif
  constexpr int all_threads = 0;
  for (const int threads : {1, all_threads}) {
    for (const std::int64_t batch : {32, 128, 1024}) {
      report["results"].push_back(measure(data, batch, threads, arguments, peak));
    }
  }
  if (arguments.json) examples::write_file(*arguments.json, report.dump(2) + "\n");
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Measures a training step of the Fashion-MNIST classifier.");
  app.option_defaults()->always_capture_default();
  app.add_option("--blocks", arguments.blocks, "Turns that each side takes")->check(CLI::PositiveNumber);
  app.add_option("--steps", arguments.steps, "Steps a turn at batch 32; fewer above")->check(CLI::PositiveNumber);
  app.add_option("--instruction-set", arguments.instruction_set, "native, portable, avx2 or avx512");
  app.add_option("--json", arguments.json, "File for the figures");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return examples::guarded([&] { run(arguments); });
}
