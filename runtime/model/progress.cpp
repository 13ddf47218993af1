#include <lathe/runtime/model/progress.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace lathe::nn {
namespace {

constexpr int full_bar = 30;

/// "31us", "4ms", "2s", "1:05"
std::string duration(double seconds) {
  if (seconds >= 60) return fmt::format("{}:{:02}", static_cast<int>(seconds) / 60, static_cast<int>(seconds) % 60);
  if (seconds >= 1) return fmt::format("{:.0f}s", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.0f}ms", seconds * 1e3);
  if (seconds >= 1e-5) return fmt::format("{:.0f}us", seconds * 1e6);
  return fmt::format("{:.1f}us", seconds * 1e6);
}

/// Small numbers keep their digits: 0.8247, 3.1e-05.
std::string number(double value) {
  const bool plain = value == 0 || (std::abs(value) >= 1e-3 && std::abs(value) < 1e5);
  return plain ? fmt::format("{:.4f}", value) : fmt::format("{:.4e}", value);
}

std::string numbers(const Progress& progress) {
  std::string text;
  for (const auto& [name, value] : progress.values) text += fmt::format(" - {}: {}", name, number(value));
  return text;
}

std::string times(const Progress& progress) {
  const double a_sample = progress.samples > 0 ? progress.seconds / static_cast<double>(progress.samples) : 0;
  return fmt::format("{} {}/sample", duration(progress.seconds), duration(a_sample));
}

std::string time_left(const Progress& progress) {
  if (progress.samples == 0) return "ETA: ?";
  const double rest = static_cast<double>(progress.total - progress.samples) / static_cast<double>(progress.samples);
  return "ETA: " + duration(progress.seconds * rest);
}

int terminal_columns(std::FILE* stream) {
  winsize size{};
  constexpr int usual = 80;
  return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : usual;
}

}  // namespace

std::string progress_line(const Progress& progress) {
  const std::string epoch =
      progress.epochs > 0 ? fmt::format("Epoch {}/{} - ", progress.epoch + 1, progress.epochs) : "";
  return fmt::format("{}{}/{} - {}{}", epoch, progress.samples, progress.total, times(progress), numbers(progress));
}

std::string progress_bar(const Progress& progress, int columns) {
  const bool done = progress.samples >= progress.total;
  const std::string total = fmt::format("{}", progress.total);
  const std::string count = fmt::format("{:>{}}/{}", progress.samples, total.size(), total);
  const std::string rest = fmt::format(" - {}{}", done ? times(progress) : time_left(progress), numbers(progress));
  const int room = columns - static_cast<int>(count.size() + rest.size()) - 4;
  const int width = std::clamp(room, 0, full_bar);
  constexpr int narrowest = 5;
  if (width < narrowest) return count + rest;
  const double share =
      progress.total > 0 ? static_cast<double>(progress.samples) / static_cast<double>(progress.total) : 1;
  const int filled = std::clamp(static_cast<int>(share * width), 0, width);
  std::string bar(static_cast<std::size_t>(filled), '=');
  if (!done && filled < width) bar += '>';
  return fmt::format("{} [{:.<{}}]{}", count, bar, width, rest);
}

ProgressDisplay::ProgressDisplay(Verbosity verbosity, std::FILE* stream) : stream_(stream) {
  const bool terminal = verbosity == Verbosity::automatic && isatty(fileno(stream)) != 0;
  bar_ = verbosity == Verbosity::bar || terminal;
  lines_ = verbosity == Verbosity::lines || (verbosity == Verbosity::automatic && !terminal);
}

void ProgressDisplay::begin(std::int64_t epoch, std::int64_t epochs) {
  if (!bar_) return;
  if (epochs > 0) fmt::print(stream_, "Epoch {}/{}\n", epoch + 1, epochs);
  drawn_ = 0;
  next_ = {};
}

bool ProgressDisplay::due() const {
  return bar_ && Clock::now() >= next_;
}

void ProgressDisplay::update(const Progress& progress) {
  draw(progress_bar(progress, terminal_columns(stream_)));
  constexpr auto interval = std::chrono::milliseconds(50);
  next_ = Clock::now() + interval;
}

void ProgressDisplay::end(const Progress& progress) {
  if (lines_) fmt::print(stream_, "{}\n", progress_line(progress));
  if (bar_) {
    draw(progress_bar(progress, terminal_columns(stream_)));
    fmt::print(stream_, "\n");
  }
  std::fflush(stream_);
}

void ProgressDisplay::draw(const std::string& line) {
  fmt::print(stream_, "\r{:<{}}", line, drawn_);
  std::fflush(stream_);
  drawn_ = line.size();
}

}  // namespace lathe::nn
