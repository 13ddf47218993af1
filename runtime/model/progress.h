#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

#include <lathe/runtime/model/history.h>

namespace lathe::nn {

/// How much fit and evaluate say.
enum class Verbosity {
  automatic,  // a bar on a terminal, else lines
  silent,
  lines,  // one line an epoch
  bar,    // a progress bar that is drawn over and over in one line
};

/// What a line of progress shows.
struct Progress {
  std::int64_t epoch = 0;   // from 0
  std::int64_t epochs = 0;  // 0: not training, so no epochs
  std::int64_t samples = 0;
  std::int64_t total = 0;
  double seconds = 0;
  std::span<const NamedNumber> values = {};
};

/// "Epoch 1/10 - 60000/60000 - 2s 31us/sample - loss: 0.4996 - accuracy: 0.8247"
std::string progress_line(const Progress& progress);
/// "60000/60000 [==============================] - 2s 31us/sample - loss: 0.4996 - accuracy: 0.8247"; while samples are
/// missing the bar has a '>' for its head and the time left follows. The bar shrinks, to nothing if need be, to fit
/// into `columns`.
std::string progress_bar(const Progress& progress, int columns);

/// Shows progress on a stream in the way asked for.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(Verbosity verbosity, std::FILE* stream = stdout);

  void begin(std::int64_t epoch, std::int64_t epochs);
  /// Whether the bar is due for another drawing; cheap, so that it can be asked after every step.
  bool due() const;
  void update(const Progress& progress);
  /// The last word on an epoch.
  void end(const Progress& progress);

 private:
  using Clock = std::chrono::steady_clock;

  void draw(const std::string& line);

  std::FILE* stream_;
  bool lines_ = false;
  bool bar_ = false;
  std::size_t drawn_ = 0;  // length of the line that is to be drawn over
  Clock::time_point next_ = {};
};

}  // namespace lathe::nn
