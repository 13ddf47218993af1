#include <lathe/codegen/explain.h>

#include <lathe/codegen/strips.h>

#include "llvm/harness.h"

using namespace lathe;
using namespace lathe::loop;
using namespace lathe::test;

namespace {

/// h = max((x / 4) w, 0): one contraction with a prologue and an epilogue.
std::shared_ptr<const Executable> dense() {
  Builder b;
  const Dim batch = dim("batch");
  const TensorId x = b.input(f32, {batch, 784});
  const TensorId w = b.variable(f32, {784, 128});
  const TensorId h = b.output(f32, {batch, 128});
  const Index i = b.outer(batch, "i");
  const Index j = b.outer(128, "j");
  const Index k = b.axis(784, "k");
  const LocalId sum = b.local(f32);
  b.stage().yield(b.contract({k}, b.load(x, {i, k}) * 0.25, b.load(w, {k, j})), sum);
  b.stage().yield(max(b.read(sum), b.pool().constant(f32, 0)), h, {i, j});
  b.finish_kernel();
  return compile(b.program, {.instruction_set = available_sets().back()});
}

Explanation explain_dense(std::int64_t batch, std::span<const double> measured_us = {}) {
  const auto executable = dense();
  Bindings sizes;
  sizes.bind(executable->program().symbols.front(), batch);
  return explain(*executable, sizes, measured_us);
}

}  // namespace

TEST_CASE("work and traffic are counted for the sizes at hand") {
  const Explanation why = explain_dense(32);
  REQUIRE(why.steps.size() == 1);
  const StepReport& step = why.steps.front();
  CHECK(step.flops == 2.0 * 32 * 784 * 128 + 32 * 784 + 32 * 128);
  CHECK(step.bytes == 4.0 * (32 * 784 + 784 * 128 + 32 * 128));
  CHECK(step.chunks > 1);
  CHECK(step.predicted_us > 0);
  CHECK(!step.measured_us.has_value());
  CHECK(step.schedule.starts_with("tile i, j"));
  CHECK(why.sizes == "batch = 32");
  CHECK(explain_dense(64).steps.front().flops == 2 * step.flops);
  CHECK(explain_dense(0).steps.front().chunks == 0);
}

TEST_CASE("kernels that run in strips at the sizes at hand say so") {
  Builder b;
  const Dim n = dim("n");
  const TensorId x = b.input(f32, {n, 64, 64});
  const TensorId roots = b.arena(f32, {n, 64, 64});
  const TensorId turned = b.output(f32, {n, 64, 64});
  for (const bool second : {false, true}) {
    const Index image = b.outer(n, "image");
    const Index i = b.outer(64, "i");
    const Index j = b.outer(64, "j");
    if (second) {
      b.stage().yield(b.load(roots, {image, j, i}), turned, {image, i, j});
    } else {
      b.stage().yield(sqrt(b.load(x, {image, i, j})), roots, {image, i, j});
    }
    b.finish_kernel();
  }
  find_strips(b.program);
  REQUIRE(b.program.strips.size() == 1);
  const auto executable = compile(b.program);
  for (const std::int64_t images : {4, 400}) {
    CAPTURE(images);
    Bindings sizes;
    sizes.bind(symbol("n"), images);
    for (const StepReport& step : explain(*executable, sizes).steps) {
      CHECK((step.schedule.find("; in strips with kernels 0 to 1, 16 points of their first axes at a time") !=
             std::string::npos) == (images == 400));
    }
  }
}

TEST_CASE("the text has a line for every kernel and every compile phase") {
  const double measured[] = {12.5};
  const Explanation why = explain_dense(32, measured);
  const std::string text = to_text(why);
  CHECK(text.find("12.50") != std::string::npos);
  for (const StepReport& step : why.steps) CHECK(text.find("runs as " + step.schedule) != std::string::npos);
  REQUIRE(!why.phases.empty());
  for (const CompilePhase& phase : why.phases) CHECK(text.find(phase.name) != std::string::npos);
}

TEST_CASE("the page is whole, and safe whatever kernels are called") {
  Explanation why = explain_dense(32);
  why.steps.front().name = "<script>\"&";
  const std::string page = to_html(why);
  CHECK(page.starts_with("<!doctype html>"));
  CHECK(page.ends_with("</html>\n"));
  CHECK(page.find("<script>") == std::string::npos);
  CHECK(page.find("&lt;script&gt;&quot;&amp;") != std::string::npos);
  CHECK(page.find("class=\"bar\"") != std::string::npos);
  CHECK(page.find("http") == std::string::npos);
}
