#include <lathe/runtime/model/progress.h>

#include <cstdio>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace lathe::nn;

namespace {

const std::vector<NamedNumber> numbers = {{"loss", 0.49961}, {"accuracy", 0.8247}};

/// What a display writes to a stream that is no terminal.
std::string shown(Verbosity verbosity) {
  std::FILE* stream = std::tmpfile();
  ProgressDisplay display(verbosity, stream);
  display.begin(0, 2);
  if (display.due()) display.update({.epochs = 2, .samples = 32, .total = 64, .seconds = 1, .values = numbers});
  display.end({.epochs = 2, .samples = 64, .total = 64, .seconds = 2, .values = numbers});
  std::string text(static_cast<std::size_t>(std::ftell(stream)), '\0');
  std::rewind(stream);
  text.resize(std::fread(text.data(), 1, text.size(), stream));
  std::fclose(stream);
  return text;
}

}  // namespace

TEST_CASE("a finished epoch shows samples, time, time a sample and every number") {
  const Progress done = {.epochs = 10, .samples = 60000, .total = 60000, .seconds = 1.86, .values = numbers};
  CHECK(progress_line(done) == "Epoch 1/10 - 60000/60000 - 2s 31us/sample - loss: 0.4996 - accuracy: 0.8247");
  CHECK(progress_bar(done, 120) ==
        "60000/60000 [==============================] - 2s 31us/sample - loss: 0.4996 - accuracy: 0.8247");
}

TEST_CASE("an unfinished epoch shows how far it is and the time left") {
  const Progress half = {.epochs = 10, .samples = 30000, .total = 60000, .seconds = 3, .values = numbers};
  CHECK(progress_bar(half, 120) ==
        "30000/60000 [===============>..............] - ETA: 3s - loss: 0.4996 - accuracy: 0.8247");
  const Progress start = {.epochs = 10, .samples = 0, .total = 60000};
  CHECK(progress_bar(start, 120) == "    0/60000 [>.............................] - ETA: ?");
}

TEST_CASE("the bar shrinks to fit the terminal") {
  const Progress half = {.samples = 32, .total = 64, .seconds = 1, .values = numbers};
  CHECK(progress_bar(half, 70).size() <= 70);
  CHECK(progress_bar(half, 70).find('[') != std::string::npos);
  CHECK(progress_bar(half, 40) == "32/64 - ETA: 1s - loss: 0.4996 - accuracy: 0.8247");
}

TEST_CASE("durations and numbers keep their meaning at any magnitude") {
  const auto line = [](double seconds, double loss) {
    const std::vector<NamedNumber> values = {{"loss", loss}};
    return progress_line({.samples = 100, .total = 100, .seconds = seconds, .values = values});
  };
  CHECK(line(65, 1e-5) == "100/100 - 1:05 650ms/sample - loss: 1.0000e-05");
  CHECK(line(0.0005, 0) == "100/100 - 500us 5.0us/sample - loss: 0.0000");
}

TEST_CASE("lines, bars and silence are what reaches the stream") {
  CHECK(shown(Verbosity::silent).empty());
  CHECK(shown(Verbosity::lines) == "Epoch 1/2 - 64/64 - 2s 31ms/sample - loss: 0.4996 - accuracy: 0.8247\n");
  CHECK(shown(Verbosity::automatic) == shown(Verbosity::lines));
  const std::string bar = shown(Verbosity::bar);
  CHECK(bar.starts_with("Epoch 1/2\n\r32/64"));
  CHECK(bar.find("\r64/64") != std::string::npos);
  CHECK(bar.ends_with("\n"));
}
