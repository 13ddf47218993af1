#include <lathe/codegen/llvm/object.h>

#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include <llvm/IR/LegacyPassManager.h>
#include <llvm/Support/SmallVectorMemoryBuffer.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include <lathe/codegen/llvm/optimise.h>
#include <lathe/graph/error.h>

namespace lathe::emit {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

llvm::SmallVector<char, 0> generate(llvm::Module& module, Target& target, llvm::CodeGenFileType type) {
  llvm::SmallVector<char, 0> out;
  llvm::raw_svector_ostream stream(out);
  llvm::legacy::PassManager passes;
  const bool refused = target.target_machine->addPassesToEmitFile(passes, stream, nullptr, type);
  ensure(!refused, "LLVM cannot emit this kind of file");
  passes.run(module);
  return out;
}

std::string to_text(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

/// Compiles one part.
class Worker {
 public:
  Worker(llvm::Module& module, bool listings) : module_(module), listings_(listings) {}

  void compile(Target& target) {
    try {
      make(target);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  /// On a thread of its own: LLVM keeps in a target what it is doing.
  void compile_for(InstructionSet set) {
    try {
      Target own = make_target(set);
      make(own);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  /// Throws what stopped it, if anything did.
  Object take() {
    if (failure_) std::rethrow_exception(failure_);
    return std::move(object_);
  }
  double optimise_ms() const { return optimise_ms_; }
  double generate_ms() const { return generate_ms_; }

 private:
  void make(Target& target) {
    const auto start = Clock::now();
    optimise(module_, target);
    optimise_ms_ = milliseconds(Clock::now() - start);
    if (listings_) {
      object_.optimised = to_text(module_);
      const auto text = generate(*llvm::CloneModule(module_), target, llvm::CodeGenFileType::AssemblyFile);
      object_.assembly.assign(text.begin(), text.end());
    }
    const auto middle = Clock::now();
    object_.code = std::make_unique<llvm::SmallVectorMemoryBuffer>(
        generate(module_, target, llvm::CodeGenFileType::ObjectFile), module_.getModuleIdentifier(), false);
    generate_ms_ = milliseconds(Clock::now() - middle);
  }

  llvm::Module& module_;
  bool listings_;
  Object object_;
  double optimise_ms_ = 0;
  double generate_ms_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

Objects compile_parts(std::span<const Part> parts, Target& target, bool listings) {
  std::vector<Worker> workers;
  for (const Part& part : parts) workers.emplace_back(*part.module, listings);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < workers.size(); ++i) {
      threads.emplace_back(&Worker::compile_for, &workers[i], target.set);
    }
    workers.front().compile(target);
  }
  Objects out;
  for (Worker& worker : workers) {
    out.parts.push_back(worker.take());
    if (worker.optimise_ms() + worker.generate_ms() < out.optimise_ms + out.generate_ms) continue;
    out.optimise_ms = worker.optimise_ms();
    out.generate_ms = worker.generate_ms();
  }
  return out;
}

}  // namespace lathe::emit
