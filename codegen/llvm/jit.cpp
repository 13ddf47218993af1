// compile(): a program becomes a module, an object, and an entry point in memory.
#include <chrono>
#include <fstream>

#include <fmt/format.h>
#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>

#include <lathe/codegen/executable.h>
#include <lathe/codegen/llvm/module.h>
#include <lathe/codegen/llvm/object.h>
#include <lathe/graph/error.h>

namespace lathe {
namespace {

namespace orc = llvm::orc;

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

std::unique_ptr<orc::LLJIT> make_jit() {
  orc::LLJITBuilder builder;
  builder.setPlatformSetUp(orc::setUpInactivePlatform);
  builder.setObjectLinkingLayerCreator(
      [](orc::ExecutionSession& session, const llvm::Triple&) -> llvm::Expected<std::unique_ptr<orc::ObjectLayer>> {
        return std::make_unique<orc::ObjectLinkingLayer>(session);
      });
  return emit::unwrap(builder.create(), "creating the JIT");
}

class JitExecutable : public Executable {
 public:
  JitExecutable(Program program, const CompileOptions& options) {
    program_ = std::move(program);
    Stopwatch stopwatch(phases_);
    emit::Target target = emit::make_target(options.instruction_set);
    target_ = fmt::format("{}, {}", target.cpu, to_string(target.set));
    instruction_set_ = target.set;
    const Dump dump(options.dump);
    if (dump.wanted()) dump.write("kernels.txt", to_string(program_));

    const std::vector<emit::Part> parts = emit::emit_program(program_, target, options.threads);
    stopwatch.lap("emit");
    if (dump.wanted()) {
      std::string text;
      for (const emit::Part& part : parts) text += emit::to_text(*part.module);
      dump.write("module.ll", text);
    }
    for (const emit::Part& part : parts) verify(*part.module);

    emit::Objects objects = emit::compile_parts(parts, target, dump.wanted());
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
    jit_ = make_jit();
    define_constants();
    for (emit::Object& object : objects.parts) {
      emit::unwrap(jit_->addObjectFile(std::move(object.code)), "adding compiled code to the JIT");
    }
    entry_ = emit::unwrap(jit_->lookup(emit::entry_symbol), "linking compiled code").toPtr<abi::EntryPoint>();
    stopwatch.lap("link");
  }

 private:
  static void verify(const llvm::Module& module) {
    std::string message;
    llvm::raw_string_ostream stream(message);
    const bool broken = llvm::verifyModule(module, &stream);
    ensure(!broken, "the emitted module is malformed: " + message);
  }

  /// Large constants stay in their tensors, which the program keeps alive.
  void define_constants() {
    orc::SymbolMap symbols;
    for (std::size_t i = 0; i < program_.tensors.size(); ++i) {
      const ProgramTensor& tensor = program_.tensors[i];
      if (tensor.role != Role::constant || emit::is_embedded(*tensor.constant)) continue;
      const auto name = jit_->mangleAndIntern(emit::constant_symbol(static_cast<loop::TensorId>(i)));
      symbols[name] = {orc::ExecutorAddr::fromPtr(tensor.constant->bytes().data()), llvm::JITSymbolFlags::Exported};
    }
    if (symbols.empty()) return;
    emit::unwrap(jit_->getMainJITDylib().define(orc::absoluteSymbols(std::move(symbols))), "naming constants");
  }

  std::unique_ptr<orc::LLJIT> jit_;
};

}  // namespace

std::shared_ptr<const Executable> compile(Program program, const CompileOptions& options) {
  return std::make_shared<JitExecutable>(std::move(program), options);
}

}  // namespace lathe
