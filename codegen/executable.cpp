#include <lathe/codegen/executable.h>

#include <chrono>
#include <utility>

#include <lathe/codegen/compiler.h>

namespace lathe {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

}  // namespace

Code generate(const Program& program, const CompileOptions& options) {
  CompileOptions resolved = options;
  resolved.instruction_set = resolve(options.instruction_set);
  const auto start = Clock::now();
  const Compiler& llvm = compiler();
  const double loading = milliseconds_since(start);  // nothing but the first time
  Code code = llvm.generate(program, resolved);
  code.phases.insert(code.phases.begin(), {"load LLVM", loading});
  return code;
}

Executable::Executable(Program program, const Code& code) : Executable(interface_of(program), code, nullptr) {
  program_ = std::move(program);
}

Executable::Executable(ProgramInterface interface, const Code& code, std::function<Program()> lower)
    : interface_(std::move(interface)),
      lower_(std::move(lower)),
      constants_(constant_addresses(interface_)),
      phases_(code.phases),
      target_(code.target),
      instruction_set_(code.instruction_set) {
  const auto start = Clock::now();
  image_.emplace(code.image);
  phases_.push_back({"load", milliseconds_since(start)});
}

Executable::Executable(Program program)
    : interface_(interface_of(program)),
      program_(std::move(program)),
      constants_(constant_addresses(interface_)),
      target_("interpreter") {}

const Program& Executable::program() const {
  std::call_once(lowered_, [this] {
    if (!program_) program_ = lower_();
  });
  return *program_;
}

std::shared_ptr<const Executable> compile(Program program, const CompileOptions& options) {
  const Code code = generate(program, options);
  return std::make_shared<Executable>(std::move(program), code);
}

}  // namespace lathe
