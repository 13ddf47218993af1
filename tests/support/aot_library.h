#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <lathe/codegen/library.h>
#include <lathe/runtime/aot/aot.h>

#include "run_graph.h"
#include "temporary_folder.h"

/// Libraries made ahead of time, linked by the system's linker and called, for tests.
namespace lathe::test {

/// The struct of the same name in every header that Lathe makes.
struct LatheCall {
  void (*parallel_for)(void* context, abi::ChunkFunction chunk, const void* frame, std::int64_t items,
                       std::int64_t grain) = nullptr;
  void* context = nullptr;
  std::int64_t failed_index = 0;
  std::int64_t failed_value = 0;
};

/// Any argument of a C function that Lathe makes: a pointer or a number of 64 bits.
using Word = std::uint64_t;
Word to_word(const void* pointer);

/// Each choice of targets whose object this CPU runs: one at a time, and together.
std::vector<std::vector<aot::Target>> runnable_targets();

/// A library, loaded into this process.
class AotLibrary {
 public:
  AotLibrary(const Graph& graph, const std::vector<aot::Function>& functions, const aot::Options& options = {});
  ~AotLibrary();
  AotLibrary(const AotLibrary&) = delete;
  AotLibrary& operator=(const AotLibrary&) = delete;

  const LibrarySpec& spec() const { return spec_; }
  std::span<const std::byte> object() const { return compiled_.object; }
  /// The description of function `name`, without the library's.
  const LibraryFunction& function(const std::string& name) const;
  /// The code of "train_step": of `fashion_train_step`.
  void* symbol(const std::string& name) const;
  template <class F>
  F* symbol(const std::string& name) const {
    return reinterpret_cast<F*>(symbol(name));
  }
  std::string message(std::int32_t code) const;

  /// Calls a function with words in the order of its parameters.
  std::int32_t call(const std::string& name, const std::vector<Word>& arguments) const;

 private:
  TemporaryFolder folder_;
  LibrarySpec spec_;
  LibraryObject compiled_;
  void* handle_ = nullptr;
};

/// A library and memory to call it with.
class AotRunner {
 public:
  explicit AotRunner(const AotLibrary& library);

  /// Runs function `name`: tensors and sizes by their parameters' names, what it gives by its name. Throws RunError
  /// for a tensor that has not the shape in the header, and with the message of what it returns if that is not 0.
  std::map<std::string, Tensor> run(const std::string& name, const Feeds& feeds = {}, const Symbols& sizes = {});

  Tensor variable(const std::string& name) const;
  void set_variable(const std::string& name, const Tensor& value);

  LatheCall call = {};
  std::uint64_t seed = 0;
  Tensor state;

 private:
  const LibraryVariable& find(const std::string& name) const;

  const AotLibrary& library_;
};

}  // namespace lathe::test
