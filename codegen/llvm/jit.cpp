// Lathe's border to LLVM, from inside: a program becomes a module a thread, an object each, and one image.
#include <chrono>
#include <fstream>

#include <fmt/format.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>

#include <lathe/codegen/compiler.h>
#include <lathe/codegen/llvm/library.h>
#include <lathe/codegen/llvm/link.h>
#include <lathe/codegen/llvm/module.h>
#include <lathe/codegen/llvm/object.h>
#include <lathe/graph/error.h>

namespace lathe {
namespace {

/// Times phases one after the other.
class Stopwatch {
 public:
  explicit Stopwatch(std::vector<CompilePhase>& phases) : phases_(phases) {}
  void lap(std::string name) {
    const auto now = std::chrono::steady_clock::now();
    phases_.push_back({std::move(name), std::chrono::duration<double, std::milli>(now - last_).count()});
    last_ = now;
  }
  /// Adds phases that were timed otherwise.
  void add(std::string name, double milliseconds) { phases_.push_back({std::move(name), milliseconds}); }
  /// Leaves out what has passed since the last lap.
  void skip() { last_ = std::chrono::steady_clock::now(); }

 private:
  std::vector<CompilePhase>& phases_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

class Dump {
 public:
  explicit Dump(const std::filesystem::path& folder) : folder_(folder) {
    if (!folder_.empty()) std::filesystem::create_directories(folder_);
  }
  bool wanted() const { return !folder_.empty(); }
  void write(const char* name, std::string_view text) const {
    std::ofstream out(folder_ / name, std::ios::binary);
    out << text;
    if (!out) throw CompileError(fmt::format("cannot write {}", (folder_ / name).string()));
  }

 private:
  const std::filesystem::path& folder_;
};

void verify(const llvm::Module& module) {
  std::string message;
  llvm::raw_string_ostream stream(message);
  const bool broken = llvm::verifyModule(module, &stream);
  ensure(!broken, "the emitted module is malformed: " + message);
}

Code compile_in_memory(const Program& program, const CompileOptions& options) {
  Code out;
  Stopwatch stopwatch(out.phases);
  emit::Target target = emit::make_target(options.instruction_set);
  out.instruction_set = target.set;
  out.target = fmt::format("{}, {}", target.cpu, to_string(target.set));
  const Dump dump(options.dump);
  if (dump.wanted()) dump.write("kernels.txt", to_string(program));

  const std::vector<emit::Part> parts = emit::emit_program(program, target, options.threads);
  stopwatch.lap("emit");
  if (dump.wanted()) {
    std::string text;
    for (const emit::Part& part : parts) text += emit::to_text(*part.module);
    dump.write("module.ll", text);
  }
  for (const emit::Part& part : parts) verify(*part.module);

  const emit::Objects objects = emit::compile_parts(parts, target, dump.wanted());
  stopwatch.add("optimise", objects.optimise_ms);
  stopwatch.add("generate code", objects.generate_ms);
  if (dump.wanted()) {
    std::string optimised;
    std::string assembly;
    for (const emit::Object& object : objects.parts) {
      optimised += object.optimised;
      assembly += object.assembly;
    }
    dump.write("module_optimised.ll", optimised);
    dump.write("module.s", assembly);
  }

  stopwatch.skip();
  out.image = emit::link(objects.parts);
  stopwatch.lap("link");
  return out;
}

class LlvmCompiler final : public Compiler {
 public:
  Code generate(const Program& program, const CompileOptions& options) const override {
    return compile_in_memory(program, options);
  }
  LibraryObject generate(const LibrarySpec& library, const std::vector<AotTarget>& targets) const override {
    return emit::compile_library(library, targets);
  }
};

}  // namespace
}  // namespace lathe

extern "C" const lathe::Compiler* lathe_llvm_compiler() {
  static const lathe::LlvmCompiler compiler;
  return &compiler;
}
