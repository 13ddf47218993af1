// The laboratory: what it compares, what it reports, and its page, opened in a browser.
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "../../examples/laboratory/measure.h"
#include "../../examples/laboratory/network.h"
#include "../../examples/laboratory/report.h"
#include "../support/shell.h"
#include "../support/temporary_folder.h"

using namespace lathe;
using namespace lathe::laboratory;
using namespace lathe::test;

namespace {

const std::vector<std::string> batches = {"1", "8", "32"};

/// A short run of the whole program.
struct Run {
  TemporaryFolder folder;
  nlohmann::json figures;

  Run() {
    shell(quoted(std::filesystem::path(LATHE_BINARY_DIR) / "examples/static_vs_eager") +
          " --batches 1,8,32 --epochs 1 --limit 320 --steps 5 --milliseconds 20 --out " + quoted(folder.path()) +
          " --json " + quoted(folder.path() / "figures.json"));
    figures = nlohmann::json::parse(slurp(folder.path() / "figures.json"));
  }
};

const Run& short_run() {
  static const Run run;
  return run;
}

/// Every loss is 1, but that of one step, which is a bit larger.
class Scripted final : public Training {
 public:
  Scripted(int wrong_step, float weight) : wrong_step_(wrong_step), weights_(4, Tensor::scalar(weight)) {}

  float step(const Batch& /*batch*/) override { return step_++ == wrong_step_ ? std::nextafter(1.0f, 2.0f) : 1.0f; }
  std::vector<Tensor> weights() override { return weights_; }
  Costs costs_of_step(const Batch& /*batch*/) override { return {}; }

 private:
  int step_ = 0;
  int wrong_step_;
  std::vector<Tensor> weights_;
};

Way scripted(char letter, int wrong_step, float weight = 0) {
  return {.letter = letter, .name = "scripted", .begin = [=](const std::vector<Tensor>&, const SessionOptions&) {
            return std::make_unique<Scripted>(wrong_step, weight);
          }};
}

constexpr int never = -1;

std::string difference_of(const Way& other) {
  const Problem problem(std::nullopt, 1, 8);
  return compare({scripted('a', never), other}, problem, {}, 4, 10).difference;
}

int count(std::string_view text, std::string_view what) {
  int found = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

/// From the opening tag with this id to the closing one.
std::string_view chart(std::string_view dom, std::string_view id) {
  const std::size_t begin = dom.find(fmt::format("<svg id=\"{}\"", id));
  REQUIRE(begin != std::string_view::npos);
  return dom.substr(begin, dom.find("</svg>", begin) - begin);
}

}  // namespace

TEST_CASE("a loss that differs in its last bit is found at its step, and so are weights that differ at the end") {
  CHECK(difference_of(scripted('b', never)).empty());
  CHECK(difference_of(scripted('b', 7)) ==
        "at batch 4, way (b) differs from way (a) first in step 7: its loss is 1.00000012 instead of 1");
  CHECK(difference_of(scripted('b', never, 1)) ==
        "all losses are equal, but the weights w1 of way (b) differ from those of way (a) at the end");

  Way inexact = scripted('e', 7);
  inexact.exact = false;
  CHECK(difference_of(inexact).empty());
}

TEST_CASE("a static way has caught up at the first step at which its total is no larger") {
  CHECK(catching_up(5, 1, 10, 2) == 1);
  CHECK(catching_up(10, 1, 10, 2) == 1);
  CHECK(catching_up(100, 1, 10, 2) == 91);  // 100 + 90 * 1 = 10 + 90 * 2
  CHECK(catching_up(100.5, 1, 10, 2) == 92);
  CHECK(!catching_up(100, 2, 10, 2));
}

TEST_CASE("a run in which bits differ says so, in the table and at the top of the figures") {
  Results results;
  results.agreements = {{.batch = 32, .steps = 1}, {.batch = 8, .steps = 3, .difference = "step 3 differs"}};
  CHECK(!results.bits_equal());
  CHECK(to_table(results).find("BITS DIFFER: step 3 differs") != std::string::npos);
  CHECK(to_json(results)["bits_equal"] == false);
}

TEST_CASE("the page shows sources and figures as text, whatever is in them") {
  Results results;
  results.agreements = {{.batch = 1, .steps = 1, .difference = "</script> & <b>"}};
  const std::string page = to_html(to_json(results));
  for (const char* left : {"{{source", "{{figures"}) CHECK(page.find(left) == std::string::npos);
  CHECK(page.find("</script> & <b>") == std::string::npos);
  CHECK(page.find("const std::vector&lt;Tensor&gt;&amp; initial") != std::string::npos);
}

TEST_CASE("all of Lathe's ways give the same bits, and the figures of each are plausible") {
  const nlohmann::json& figures = short_run().figures;
  CHECK(figures["bits_equal"] == true);
  CHECK(figures["agreements"][0]["steps"] == 10);
  CHECK(figures["agreements"][0]["last_loss"] < figures["agreements"][0]["first_loss"]);
  for (const char* way : {"a", "b", "c"}) CHECK(figures["ways"].contains(way));
  for (const auto& [way, by_batch] : figures["ways"].items()) {
    CAPTURE(way);
    for (const std::string& batch : batches) {
      CAPTURE(batch);
      const nlohmann::json& of = by_batch.at(batch);
      CHECK(of.at("step_us") > 0);
      CHECK(of.at("first_result_ms") > 0);
      CHECK(of.at("dispatches") >= 1);
      CHECK(of.at("kernels") >= 1);
      CHECK(of.at("peak_bytes") > 4 * (784 * 128 + 128 * 10));  // the weights at least
    }
  }
  for (const std::string& batch : batches) {
    CAPTURE(batch);
    const nlohmann::json& eager = figures["ways"]["a"][batch];
    const nlohmann::json& graph = figures["ways"]["c"][batch];
    CHECK(eager["dispatches"] > graph["dispatches"]);
    CHECK(eager["kernels"] > graph["kernels"]);
    CHECK(eager["peak_bytes"] > graph["peak_bytes"]);
    CHECK(graph["dispatches"] == 1);
    CHECK(graph["allocations"] == 0);
    CHECK(figures["ways"]["b"][batch]["kernels"] == graph["kernels"]);
  }
}

TEST_CASE("where nothing is compiled ahead of time or libtorch is missing, the other ways run") {
  const nlohmann::json& names = short_run().figures["names"];
  CHECK(names.contains("d") == !ahead_ways().empty());
  CHECK(names.contains("e") == !torch_ways().empty());
}

TEST_CASE("the page draws every mark of every chart in a browser, which logs no error") {
  if (!is_installed("chromium")) {
    MESSAGE("left out: chromium is not installed");
    return;
  }
  const nlohmann::json& figures = short_run().figures;
  const std::filesystem::path log = short_run().folder.path() / "browser.log";
  const std::string dom = shell(
      "chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
      "--disable-background-networking --disable-component-update --disable-sync --enable-logging=stderr --v=0 "
      "--user-data-dir=" +
      quoted(short_run().folder.path() / "profile") + " --virtual-time-budget=10000 --dump-dom file://" +
      quoted(short_run().folder.path() / "static_vs_eager.html") + " 2> " + quoted(log));
  CHECK(slurp(log).find("CONSOLE") == std::string::npos);
  CHECK(dom.find("data-error") == std::string::npos);
  CHECK(dom.find("data-drawn=\"all\"") != std::string::npos);

  const auto known = [&](const char* figure) {
    int ways = 0;
    for (const auto& [way, by_batch] : figures["ways"].items()) ways += by_batch["32"][figure].is_null() ? 0 : 1;
    return ways;
  };
  const int ways = static_cast<int>(figures["ways"].size());
  const int sizes = static_cast<int>(batches.size());
  const int compiling = 3;
  const auto marks = [&](const char* id) { return count(chart(dom, id), "class=\"mark "); };
  CHECK(marks("time") == ways * sizes);
  CHECK(marks("calls") == 2 * ways);
  CHECK(marks("moved") == known("bytes_moved"));
  CHECK(marks("memory") == ways + known("arena_bytes"));
  CHECK(marks("first") == 2 * ways);
  CHECK(marks("total") == ways + compiling);
  CHECK(marks("share") == 2 * known("kernels_us") * sizes);
  CHECK(dom.find("NaN") == std::string::npos);
  CHECK(dom.find("Equal, bit for bit.") != std::string::npos);
}

TEST_CASE("batches that cannot be made are refused") {
  const Finished finished = run_shell(quoted(std::filesystem::path(LATHE_BINARY_DIR) / "examples/static_vs_eager") +
                                      " --limit 100 --batches 128");
  CHECK(!finished.succeeded);
  CHECK(finished.output.find("batches of 128 cannot be made of 100 examples") != std::string::npos);
}
