#include "aot_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include <lathe/runtime/aot/spec.h>

namespace lathe::test {
namespace {

using Kind = LibraryParameter::Kind;

template <std::size_t... I>
std::int32_t call_with(void* function, const std::vector<Word>& words, std::index_sequence<I...>) {
  // Pointers and 64-bit integers are passed alike.
  return reinterpret_cast<std::int32_t (*)(decltype(I, Word{})...)>(function)(words[I]...);
}

constexpr std::size_t most_arguments = 24;

template <std::size_t N = 0>
std::int32_t call_function(void* function, const std::vector<Word>& words) {
  if constexpr (N > most_arguments) {
    throw std::logic_error("a function with more arguments than tests can pass");
  } else {
    if (words.size() == N) return call_with(function, words, std::make_index_sequence<N>());
    return call_function<N + 1>(function, words);
  }
}

}  // namespace

Word to_word(const void* pointer) {
  return reinterpret_cast<Word>(pointer);
}

std::vector<std::vector<aot::Target>> runnable_targets() {
  using enum aot::Target;
  std::vector<std::vector<aot::Target>> out = {{native}};
  if (is_available(InstructionSet::avx2)) out.insert(out.end(), {{x86_64_v3}, {x86_64_v3, x86_64_v4}});
  if (is_available(InstructionSet::avx512)) out.push_back({x86_64_v4});
  return out;
}

AotLibrary::AotLibrary(const Graph& graph, const std::vector<aot::Function>& functions, const aot::Options& options)
    : spec_(aot::describe(graph, functions, options)), compiled_(compile(spec_, options.targets)) {
  const std::string_view bytes(reinterpret_cast<const char*>(compiled_.object.data()), compiled_.object.size());
  const std::filesystem::path object = folder_.write("library.o", bytes);
  const std::filesystem::path shared = folder_.path() / "library.so";
  // -z defs: nothing may be missing.
  const std::string link =
      fmt::format("cc -shared -nostdlib -Wl,-z,defs -o '{}' '{}'", shared.string(), object.string());
  if (std::system(link.c_str()) != 0) throw std::runtime_error("a library cannot be linked: " + link);
  handle_ = dlopen(shared.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle_) throw std::runtime_error(dlerror());
}

AotLibrary::~AotLibrary() {
  dlclose(handle_);
}

const LibraryFunction& AotLibrary::function(const std::string& name) const {
  for (const LibraryFunction& function : spec_.functions) {
    if (function.name == fmt::format("{}_{}", spec_.name, name)) return function;
  }
  throw std::logic_error("the library has no function " + name);
}

void* AotLibrary::symbol(const std::string& name) const {
  void* found = dlsym(handle_, fmt::format("{}_{}", spec_.name, name).c_str());
  if (!found) throw std::runtime_error("the library has no symbol " + name);
  return found;
}

std::string AotLibrary::message(std::int32_t code) const {
  return symbol<const char*(std::int32_t)>("message")(code);
}

std::int32_t AotLibrary::call(const std::string& name, const std::vector<Word>& arguments) const {
  return call_function(symbol(name), arguments);
}

AotRunner::AotRunner(const AotLibrary& library) : state(u8, {library.spec().state_bytes}), library_(library) {}

std::map<std::string, Tensor> AotRunner::run(const std::string& name, const Feeds& feeds, const Symbols& sizes) {
  const LibraryFunction& function = library_.function(name);
  // What feeds are shaped by, and what is said beside.
  Bindings bindings;
  for (const LibraryParameter& parameter : function.parameters) {
    if (parameter.kind != Kind::input) continue;
    const Tensor& fed = feeds.at(parameter.name);
    for (std::size_t axis = 0; axis < parameter.type.rank(); ++axis) {
      if (const auto symbol = parameter.type.shape[axis].as_symbol()) bindings.bind(*symbol, fed.shape()[axis]);
    }
  }
  for (const auto& [size, number] : sizes) bindings.bind(symbol(size), number);
  for (const LibraryParameter& parameter : function.parameters) {
    if (parameter.kind != Kind::input) continue;
    if (feeds.at(parameter.name).shape() != evaluate(parameter.type.shape, bindings)) {
      throw RunError(fmt::format("{} is not of the shape that the header says", parameter.name));
    }
  }

  std::map<std::string, Tensor> outputs;
  Tensor arena(u8, {function.arena_bytes.evaluate(bindings)});
  std::vector<Word> words;
  for (const LibraryParameter& parameter : function.parameters) {
    switch (parameter.kind) {
      case Kind::state: words.push_back(to_word(state.bytes().data())); break;
      case Kind::input: words.push_back(to_word(feeds.at(parameter.name).bytes().data())); break;
      case Kind::output: {
        Tensor output(parameter.type.dtype, evaluate(parameter.type.shape, bindings));
        Tensor& placed = outputs.insert_or_assign(parameter.name, std::move(output)).first->second;
        words.push_back(to_word(placed.bytes().data()));
        break;
      }
      case Kind::seed: words.push_back(seed); break;
      case Kind::size:
        words.push_back(static_cast<Word>(Dim(function.sizes[parameter.index]).evaluate(bindings)));
        break;
      case Kind::arena: words.push_back(to_word(arena.bytes().data())); break;
      case Kind::call: words.push_back(to_word(&call)); break;
    }
  }
  const std::int32_t code = library_.call(name, words);
  if (code != 0) throw RunError(library_.message(code));
  return outputs;
}

const LibraryVariable& AotRunner::find(const std::string& name) const {
  for (const LibraryVariable& variable : library_.spec().variables) {
    if (variable.name == name) return variable;
  }
  throw std::logic_error("the library has no variable " + name);
}

Tensor AotRunner::variable(const std::string& name) const {
  const LibraryVariable& variable = find(name);
  Tensor value(variable.type.dtype, evaluate(variable.type.shape, {}));
  const std::int32_t code =
      library_.call("export_" + variable.identifier, {to_word(TensorView(state).data), to_word(value.bytes().data())});
  if (code != 0) throw RunError(library_.message(code));
  return value;
}

void AotRunner::set_variable(const std::string& name, const Tensor& value) {
  const std::int32_t code =
      library_.call("import_" + find(name).identifier, {to_word(state.bytes().data()), to_word(value.bytes().data())});
  if (code != 0) throw RunError(library_.message(code));
}

}  // namespace lathe::test
