#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <lathe/runtime/data/dataset.h>
#include <lathe/runtime/data/shuffle.h>
#include <lathe/runtime/model/model_state.h>
#include <lathe/runtime/model/sequential.h>

namespace lathe::nn {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Means over examples from means over batches.
class Means {
 public:
  explicit Means(const std::vector<std::string>& names) : sums_(names.size()) {
    for (const std::string& name : names) means_.emplace_back(name, 0.0);
  }

  /// The first of `batch` are the means over `rows` examples.
  void add(std::span<const Tensor> batch, std::int64_t rows) { add(batch, 1, rows); }
  /// The first of `steps` hold such means, one a step.
  void add(std::span<const Tensor> steps, std::int64_t count, std::int64_t rows) {
    rows_ += count * rows;
    for (std::int64_t step = 0; step < count; ++step) {
      for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i] += steps[i].at(step) * static_cast<double>(rows);
    }
  }
  std::int64_t rows() const { return rows_; }
  std::span<const NamedNumber> values() {
    for (std::size_t i = 0; i < sums_.size(); ++i) means_[i].second = sums_[i] / static_cast<double>(rows_);
    return means_;
  }

 private:
  std::vector<double> sums_;
  std::vector<NamedNumber> means_;
  std::int64_t rows_ = 0;
};

data::Dataset examples(const TensorView& x, const TensorView& y, std::optional<std::int64_t> limit,
                       std::string_view purpose) {
  data::Dataset dataset({x, y}, limit);
  if (dataset.size() == 0) throw DataError(fmt::format("there are no examples to {}", purpose));
  return dataset;
}

/// One pass over the training data, which stays where it is: steps are told the numbers of their rows, and run many at
/// a time. `progress` says where in the training it is.
EpochLog train_epoch(Callable& step, const data::Dataset& dataset, std::span<const std::int64_t> order,
                     std::int64_t batch_size, const std::vector<std::string>& names, Progress progress,
                     ProgressDisplay& display, std::vector<float>& step_microseconds) {
  constexpr std::int64_t steps_at_a_time = 64;  // few enough for a smooth display
  Means means(names);
  display.begin(progress.epoch, progress.epochs);
  const auto start = Clock::now();
  auto before = start;
  while (!order.empty()) {
    const auto left = static_cast<std::int64_t>(order.size());
    const std::int64_t rows = std::min(batch_size, left);
    const std::int64_t steps = std::clamp<std::int64_t>(left / rows, 1, steps_at_a_time);
    const std::int64_t shape[] = {steps, rows};
    const TensorView picked{DType::i64, shape, reinterpret_cast<const std::byte*>(order.data())};
    means.add(step.run_steps(steps, {dataset.columns()[0], dataset.columns()[1], picked}), steps, rows);
    order = order.subspan(static_cast<std::size_t>(steps * rows));
    const auto microseconds = std::chrono::duration<float, std::micro>(Clock::now() - before).count();
    step_microseconds.insert(step_microseconds.end(), static_cast<std::size_t>(steps),
                             microseconds / static_cast<float>(steps));
    if (display.due()) {
      progress.samples = means.rows();
      progress.seconds = seconds_since(start);
      progress.values = means.values();
      display.update(progress);
    }
    before = Clock::now();  // drawing is no part of a step
  }
  EpochLog log{.epoch = progress.epoch, .seconds = seconds_since(start)};
  const auto values = means.values();
  log.values.all.assign(values.begin(), values.end());
  return log;
}

}  // namespace

History Sequential::fit(TensorView x, TensorView y, const FitOptions& options) {
  const data::Dataset dataset = examples(x, y, options.limit, "train on");
  state_->build_for(x);
  TrainingGraph& training = state_->training_for(y, "fit");
  Session& session = state_->session();
  if (!training.step) {
    Values fetches = training.in_training;
    fetches.push_back(training.update);
    training.step.emplace(session.prepare(fetches, Values{training.all_examples, training.all_labels, training.rows}));
  }
  if (options.batch_size <= 0) {
    throw DataError(fmt::format("the batch size must be positive, not {}", options.batch_size));
  }
  std::vector<std::int64_t> order(static_cast<std::size_t>(dataset.size()));
  std::iota(order.begin(), order.end(), std::int64_t{0});

  ProgressDisplay display(options.verbosity);
  History history;
  const std::int64_t epochs = std::max<std::int64_t>(0, options.epochs - options.first_epoch);
  const std::int64_t steps = (dataset.size() + options.batch_size - 1) / options.batch_size;
  history.step_microseconds.reserve(static_cast<std::size_t>(epochs * steps));
  FitControl control{.model = *this, .epoch = options.first_epoch, .epochs = options.epochs};
  const auto call = [&](auto member, const auto&... arguments) {
    for (const Callback& callback : options.callbacks) {
      if (callback.*member) (callback.*member)(control, arguments...);
    }
  };
  call(&Callback::on_train_begin);
  for (; control.epoch < control.epochs && !control.stop; ++control.epoch) {
    call(&Callback::on_epoch_begin);
    Progress progress{.epoch = control.epoch, .epochs = control.epochs, .total = dataset.size()};
    if (options.shuffle) data::epoch_order(order, state_->network->seed, control.epoch);
    EpochLog log = train_epoch(*training.step, dataset, order, options.batch_size, training.names, progress, display,
                               history.step_microseconds);
    if (options.validation) {
      const auto validation =
          evaluate(options.validation->x, options.validation->y, {.batch_size = options.batch_size});
      for (const auto& [name, value] : validation.all) log.values.all.emplace_back("val_" + name, value);
    }
    progress.samples = dataset.size();
    progress.seconds = log.seconds;
    progress.values = log.values.all;
    display.end(progress);
    history.epochs.push_back(log);
    call(&Callback::on_epoch_end, log);
  }
  call(&Callback::on_train_end);
  return history;
}

Measurements Sequential::evaluate(TensorView x, TensorView y, const EvaluateOptions& options) {
  const data::Dataset dataset = examples(x, y, std::nullopt, "evaluate");
  state_->build_for(x);
  TrainingGraph& training = state_->training_for(y, "evaluate");
  Session& session = state_->session();
  if (!training.evaluate) {
    training.evaluate.emplace(session.prepare(training.in_inference, Values{state_->input, training.labels}));
  }
  data::Batches batches(dataset, {.size = options.batch_size});
  ProgressDisplay display(options.verbosity);
  Means means(training.names);
  Progress progress{.total = dataset.size()};
  display.begin(0, 0);
  const auto start = Clock::now();
  for (auto batch = batches.next(); !batch.empty(); batch = batches.next()) {
    means.add((*training.evaluate)(batch), batch[0].shape[0]);
    progress.samples = means.rows();
    progress.seconds = seconds_since(start);
    progress.values = means.values();
    if (display.due()) display.update(progress);
  }
  display.end(progress);
  Measurements measurements;
  const auto values = means.values();
  measurements.all.assign(values.begin(), values.end());
  return measurements;
}

Tensor Sequential::predict(TensorView x, std::int64_t batch_size) {
  state_->build_for(x);
  Session& session = state_->session();
  if (!state_->predict) state_->predict.emplace(session.prepare({state_->output}, {state_->input}));
  Callable& run = *state_->predict;
  const data::Dataset dataset({x});
  if (dataset.size() == 0) return run({x})[0];
  data::Batches batches(dataset, {.size = batch_size});
  std::optional<Tensor> all;
  std::size_t filled = 0;
  for (auto batch = batches.next(); !batch.empty(); batch = batches.next()) {
    const Tensor& part = run(batch)[0];
    if (!all) {
      Extents shape = part.shape();
      shape[0] = dataset.size();
      all.emplace(part.dtype(), std::move(shape));
    }
    std::memcpy(all->bytes().data() + filled, part.bytes().data(), part.bytes().size());
    filled += part.bytes().size();
  }
  return *std::move(all);
}

}  // namespace lathe::nn
