#include <lathe/runtime/aot/header.h>

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lathe/graph/version.h>
#include <lathe/runtime/aot/identifier.h>

namespace lathe::aot {
namespace {

using Kind = LibraryParameter::Kind;

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

/// What may stand in a C comment.
std::string in_comment(std::string text) {
  for (std::size_t at = text.find("*/"); at != std::string::npos; at = text.find("*/", at)) text.replace(at, 2, "* /");
  for (std::size_t at = text.find("/*"); at != std::string::npos; at = text.find("/*", at)) text.replace(at, 2, "/ *");
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string_view c_type(DType dtype) {
  switch (dtype) {
    case DType::boolean: return "bool";
    case DType::u8: return "uint8_t";
    case DType::i32: return "int32_t";
    case DType::i64: return "int64_t";
    case DType::f32: return "float";
    case DType::f64: break;
  }
  return "double";
}

/// A polynomial as a C expression of the macro's or function's parameters.
std::string expression(const Dim& dim, const std::vector<std::string>& names, const std::vector<SymbolId>& sizes) {
  std::vector<std::string> terms;
  for (const Dim::Term& term : dim.terms()) {
    std::string product = fmt::format("INT64_C({})", term.coefficient);
    for (const SymbolId factor : term.factors) {
      const auto at = static_cast<std::size_t>(std::find(sizes.begin(), sizes.end(), factor) - sizes.begin());
      product += fmt::format(" * (int64_t)({})", names[at]);
    }
    terms.push_back(std::move(product));
  }
  return terms.empty() ? "INT64_C(0)" : fmt::format("({})", fmt::join(terms, " + "));
}

class HeaderPrinter {
 public:
  explicit HeaderPrinter(const LibrarySpec& library) : library_(library), prefix_(upper(library.name)) {}

  std::string print() {
    begin();
    print_call();
    print_errors();
    if (library_.has_state()) print_state();
    for (std::size_t i = 0; i < library_.functions.size(); ++i) print_function(i);
    end();
    return std::move(text_);
  }

 private:
  template <class... T>
  void line(fmt::format_string<T...> format, T&&... arguments) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<T>(arguments)...);
    text_ += '\n';
  }

  void begin() {
    line("/* {}: made by Lathe {}. Do not edit.", library_.name, version());
    line(" *");
    line(
        " * All memory is the caller's. States and arenas are aligned to 64 bytes, tensors to their elements, and "
        "row-major.");
    line(
        " * A pointer to a tensor without elements may be null. What a function writes overlaps nothing else that it "
        "is given.");
    line(
        " * Any number of threads may call at once, with states and arenas of their own; a state that is only read can "
        "be shared.");
    line(" * Sizes are 0 or more, up to 2^40. A function that returns an error has left the state as it was. */");
    line("#ifndef {}_H", prefix_);
    line("#define {}_H", prefix_);
    line("");
    line("#include <stdbool.h>");
    line("#include <stdint.h>");
    line("");
    line("#ifdef __cplusplus");
    line("extern \"C\" {{");
    line("#endif");
    line("");
    line(
        "/* Tells graphs apart. {}_checksum() is the object's; both are equal if header and object belong together. */",
        library_.name);
    line("#define {}_CHECKSUM UINT64_C(0x{:016x})", prefix_, library_.checksum);
    line("uint64_t {}_checksum(void);", library_.name);
    line("#define {}_LATHE_VERSION \"{}\"", prefix_, version());
    line("");
  }

  // All of Lathe's headers share it, so that one parallel_for serves them all.
  void print_call() {
    text_ += R"(#ifndef LATHE_CALL
#define LATHE_CALL
/* Work on elements [begin, end) of something. */
typedef void (*lathe_chunk)(const void* frame, int64_t begin, int64_t end);

/* How a function is called; null stands for all zeros. */
typedef struct lathe_call {
  /* Calls chunk(frame, i, min(i + grain, items)) for i = 0, grain, 2 * grain, ... below items, in any order and on any
     threads, and returns when all are done. Null: the calling thread does everything. Results are the same. */
  void (*parallel_for)(void* context, lathe_chunk chunk, const void* frame, int64_t items, int64_t grain);
  void* context;
  /* Set when a check fails: the element that failed it, and what is wrong with it. */
  int64_t failed_index;
  int64_t failed_value;
} lathe_call;
#endif

)";
  }

  void print_errors() {
    const auto constant = [&](const char* name, LibraryError code) {
      line("#define {}_{} {} /* {} */", prefix_, name, static_cast<int>(code), message_of(code));
    };
    line("/* What functions return. */");
    constant("OK", LibraryError::none);
    constant("NULL_POINTER", LibraryError::null_pointer);
    constant("MISALIGNED", LibraryError::misaligned);
    constant("BAD_SIZE", LibraryError::bad_size);
    constant("NEGATIVE_EXTENT", LibraryError::negative_extent);
    constant("UNSUPPORTED_CPU", LibraryError::unsupported_cpu);
    line("/* The codes of checks in the graph start here: each function names its own. */");
    line("#define {}_FIRST_CHECK {}", prefix_, static_cast<int>(LibraryError::first_check));
    line("/* In words, of any code; <index> and <value> are lathe_call's failed_index and failed_value. */");
    line("const char* {}_message(int32_t code);", library_.name);
    line("");
  }

  void print_state() {
    line("/* The state holds all variables, as the code wants them: move it whole, or variable by variable with the");
    line(" * functions below. Give each a value before it is read. */");
    line("#define {}_STATE_BYTES {}", prefix_, library_.state_bytes);
    line("int64_t {}_state_bytes(void);", library_.name);
    line("");
    for (const LibraryVariable& variable : library_.variables) {
      if (variable.embedded) continue;
      const std::string_view type = c_type(variable.type.dtype);
      line("/* '{}': {} */", in_comment(variable.name), to_string(variable.type));
      line("int32_t {}_import_{}(void* state, const {}* values);", library_.name, variable.identifier, type);
      line("int32_t {}_export_{}(const void* state, {}* values);", library_.name, variable.identifier, type);
    }
    line("");
  }

  std::string declaration(const LibraryParameter& parameter) {
    switch (parameter.kind) {
      case Kind::state: return fmt::format("{}void* {}", parameter.read_only ? "const " : "", parameter.name);
      case Kind::input: return fmt::format("const {}* {}", c_type(parameter.type.dtype), parameter.name);
      case Kind::output: return fmt::format("{}* {}", c_type(parameter.type.dtype), parameter.name);
      case Kind::seed: return fmt::format("uint64_t {}", parameter.name);
      case Kind::size: return fmt::format("int64_t {}", parameter.name);
      case Kind::arena: return fmt::format("void* {}", parameter.name);
      case Kind::call: break;
    }
    return fmt::format("lathe_call* {}", parameter.name);
  }

  void print_function(std::size_t index) {
    const LibraryFunction& function = library_.functions[index];
    std::vector<std::string> sizes;
    std::vector<std::string> size_parameters;
    std::vector<std::string> parameters;
    std::size_t widest = 0;
    for (const LibraryParameter& parameter : function.parameters) {
      if (parameter.kind == Kind::size) sizes.push_back(parameter.name);
      if (parameter.kind == Kind::size) size_parameters.push_back(declaration(parameter));
      parameters.push_back(declaration(parameter));
      widest = std::max(widest, parameter.name.size());
    }
    const std::string macro = upper(function.name) + "_ARENA_BYTES";
    line("/* {}", function.doc.empty() ? function.name : in_comment(function.doc));
    for (const LibraryParameter& parameter : function.parameters) {
      line(" *   {:<{}}  {}", parameter.name, widest, describe(parameter, macro, sizes));
    }
    for (std::size_t i = 0; i < library_.checks.size(); ++i) {
      if (library_.checks[i].function != index) continue;
      line(" * Error {}: {}", static_cast<std::size_t>(LibraryError::first_check) + i,
           in_comment(library_.checks[i].message));
    }
    line(" */");
    if (sizes.empty()) {
      line("#define {} {}", macro, expression(function.arena_bytes, sizes, function.sizes));
    } else {
      line("#define {}({}) {}", macro, fmt::join(sizes, ", "), expression(function.arena_bytes, sizes, function.sizes));
    }
    line("/* The same, or -1 if the sizes make no sense. */");
    line("int64_t {}_arena_bytes({});", function.name,
         size_parameters.empty() ? "void" : fmt::format("{}", fmt::join(size_parameters, ", ")));
    line("int32_t {}({});", function.name, fmt::join(parameters, ", "));
    line("");
  }

  std::string describe(const LibraryParameter& parameter, const std::string& macro,
                       const std::vector<std::string>& sizes) {
    switch (parameter.kind) {
      case Kind::state: return parameter.read_only ? "the variables" : "the variables, some of which change";
      case Kind::input:
      case Kind::output: return in_comment(fmt::format("{}: {}", to_string(parameter.type), parameter.describe));
      case Kind::seed: return "of random numbers: another one for each call";
      case Kind::size: return in_comment(parameter.describe);
      case Kind::arena:
        return fmt::format("room for {}{} bytes", macro,
                           sizes.empty() ? "" : fmt::format("({})", fmt::join(sizes, ", ")));
      case Kind::call: break;
    }
    return "threads, and where failures are told; may be null";
  }

  void end() {
    line("#ifdef __cplusplus");
    line("}}");
    line("#endif");
    line("");
    line("#endif");
  }

  const LibrarySpec& library_;
  std::string prefix_;
  std::string text_;
};

}  // namespace

std::string header_of(const LibrarySpec& library) {
  return HeaderPrinter(library).print();
}

}  // namespace lathe::aot
