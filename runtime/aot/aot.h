#pragma once

#include <concepts>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <lathe/codegen/library.h>
#include <lathe/graph/graph.h>
#include <lathe/runtime/value_ref.h>

namespace lathe {
class Session;
}

/// Ahead of time: a graph, training included, becomes an object file and a C header.
///
///   aot::Library library = aot::compile(graph, {aot::initialize("init"),
///                                               {.name = "train_step", .feeds = {images, labels}, .fetches = {loss,
///                                               train}},
///                                               {.name = "predict", .feeds = {images}, .fetches = {probabilities}}},
///                                       {.name = "fashion"});
///   library.write("out");  // fashion.h, fashion.o, fashion.a
///
/// The header has `int32_t fashion_train_step(void* state, const uint8_t* images, ...)` and says what each function
/// takes. The object needs no Lathe, no LLVM, no library at all and no memory but what it is called with. It trains and
/// infers with the bits of a Session.
namespace lathe::aot {

using Target = AotTarget;

/// A value that a function is given or gives, and its name in C: by default that of its node.
struct Argument {
  template <std::convertible_to<ValueRef> T>
  Argument(const T& the_value) : value(the_value) {}
  Argument(std::string the_name, ValueRef the_value) : name(std::move(the_name)), value(std::move(the_value)) {}

  std::string name;
  ValueRef value;
};

/// What becomes a C function: a run of the graph. Fetched groups, such as an optimizer's update, are carried out and
/// give nothing; what is printed is lost.
struct Function {
  std::string name;
  std::vector<Argument> feeds = {};
  std::vector<Argument> fetches = {};
  /// A sentence for the header.
  std::string doc = {};
  /// Gives all variables their initial values, as Session::initialize does; takes and gives nothing.
  bool initializes = false;
};

Function initialize(std::string name);

struct Options {
  /// What all names in C start with; also the files' name.
  std::string name = "model";
  /// One aarch64, or native, or one or more of x86-64-v3 and -v4, of which the best is taken at run time. All give the
  /// same bits.
  std::vector<Target> targets = {Target::native};
  /// Variables whose values become a part of the object, by name: for libraries that only infer. All others are the
  /// caller's, in a state.
  std::map<std::string, Tensor> weights = {};
};

/// All variables of a session, for Options::weights. Throws RunError if one has no value.
std::map<std::string, Tensor> weights_of(const Session& session);

struct Library {
  std::string name;
  std::vector<std::byte> object;
  std::vector<std::byte> archive;  // a static library of the object alone
  std::string header;              // for C11 and C++

  /// Writes <name>.o, <name>.a and <name>.h, each whole or not at all. Throws DataError if a file cannot be written.
  void write(const std::filesystem::path& folder) const;
};

/// Throws CompileError for names that C does not take or that are used twice, for weights that no variable has or that
/// do not fit or that a function assigns, and for targets that do not go together; RunError for what Session::run would
/// reject before it runs.
Library compile(const Graph& graph, const std::vector<Function>& functions, const Options& options = {});

/// The main() of a program that makes a library, such as lathe_add_compiled_graph() builds: takes --name, --target (a
/// list with commas) and --output (a folder), which have the options as their defaults, and writes there. Gives what
/// main() returns; tells errors on standard error.
int generate(int argc, const char* const* argv, const Graph& graph, const std::vector<Function>& functions,
             Options options = {});

}  // namespace lathe::aot
