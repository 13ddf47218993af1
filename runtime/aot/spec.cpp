#include <lathe/runtime/aot/spec.h>

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include <lathe/codegen/layout.h>
#include <lathe/graph/text.h>
#include <lathe/graph/version.h>
#include <lathe/ops/effect.h>
#include <lathe/runtime/aot/identifier.h>
#include <lathe/runtime/compile.h>
#include <lathe/runtime/digest.h>
#include <lathe/runtime/extract.h>
#include <lathe/runtime/feed_check.h>
#include <lathe/runtime/run_program.h>
#include <lathe/runtime/slots.h>

namespace lathe::aot {
namespace {

using ParameterKind = LibraryParameter::Kind;

constexpr std::int64_t alignment_bytes = 64;

std::vector<ValueId> values_of(const Graph& graph, const std::vector<Argument>& arguments, std::string_view role) {
  std::vector<ValueId> out;
  for (const Argument& argument : arguments) out.push_back(resolve(graph, argument.value, role));
  return out;
}

/// Describes one library, function by function.
class LibraryBuilder {
 public:
  LibraryBuilder(const Graph& graph, const Options& options) : graph_(graph), options_(options) {
    if (!is_identifier(options.name)) {
      throw CompileError(fmt::format("a library cannot be called '{}': C has no such names", options.name));
    }
    for (const auto& [name, value] : options.weights) {
      const auto node = graph.find(name);
      if (node && graph.node(*node).op->kind == Kind::variable) continue;
      throw CompileError(fmt::format("a weight is given for '{}', and the graph has no such variable", name));
    }
    library_.name = options.name;
    for (const char* name : {"message", "checksum", "state_bytes"}) names_.reserve(name);
    checksum_ = digest(version(), checksum_);
    checksum_ = digest(options.name, checksum_);
  }

  void add(const Function& function);

  LibrarySpec finish() {
    place_variables();
    library_.checksum = checksum_.low;
    return std::move(library_);
  }

 private:
  class FunctionBuilder;

  void reserve(const Function& function) {
    if (!is_identifier(function.name)) {
      throw CompileError(fmt::format("a function cannot be called '{}': C has no such names", function.name));
    }
    for (const std::string& name : {function.name, function.name + "_arena_bytes"}) {
      if (names_.reserve(name)) continue;
      throw CompileError(fmt::format("function '{}': the library '{}' already has a {}_{}", function.name,
                                     library_.name, library_.name, name));
    }
  }

  /// The library's number of a variable of the graph.
  std::size_t variable(NodeId node) {
    const auto [at, fresh] = numbers_.emplace(node, library_.variables.size());
    if (fresh) add_variable(graph_.node(node));
    return at->second;
  }

  void add_variable(const Node& node) {
    LibraryVariable made{.name = node.name,
                         .identifier = identifiers_.add(node.name),
                         .type = node.outputs[0],
                         .panel = panel_columns(node.outputs[0]),
                         .embedded = nullptr};
    for (const char* verb : {"import", "export"}) {
      const std::string name = fmt::format("{}_{}", verb, made.identifier);
      if (!names_.reserve(name)) {
        throw CompileError(fmt::format("variable '{}' needs a function called {}_{}, and there is one already",
                                       node.name, library_.name, name));
      }
    }
    if (const auto weight = options_.weights.find(node.name); weight != options_.weights.end()) {
      made.embedded = embed(node, weight->second, made.panel);
    }
    library_.variables.push_back(std::move(made));
  }

  static std::shared_ptr<const Tensor> embed(const Node& node, const Tensor& value, std::int64_t panel) {
    if (value.type() != node.outputs[0]) {
      throw CompileError(
          fmt::format("{} is {}, not {}", describe(node), to_string(node.outputs[0]), to_string(value.type())));
    }
    return std::make_shared<const Tensor>(panel == 0 ? value : to_panels(value, panel));
  }

  void place_variables() {
    for (LibraryVariable& variable : library_.variables) {
      checksum_ = digest(fmt::format("{} {} {}", variable.name, to_string(variable.type), variable.embedded != nullptr),
                         checksum_);
      if (variable.embedded) continue;
      variable.offset_bytes = library_.state_bytes;
      const std::int64_t bytes = bytes_of(variable.type).constant();
      library_.state_bytes += (bytes + alignment_bytes - 1) / alignment_bytes * alignment_bytes;
    }
    // Even a state of empty variables is some memory to point to.
    if (library_.has_state()) library_.state_bytes = std::max(library_.state_bytes, alignment_bytes);
  }

  const Graph& graph_;
  const Options& options_;
  LibrarySpec library_;
  Identifiers names_;        // of C functions, without the library's name
  Identifiers identifiers_;  // of variables
  std::map<NodeId, std::size_t> numbers_;
  Digest checksum_;
};

/// Describes one function and adds it to the library.
class LibraryBuilder::FunctionBuilder {
 public:
  FunctionBuilder(LibraryBuilder& library, const Function& function, std::span<const ValueId> feeds,
                  const Extraction& extraction, LoweredGraph lowered)
      : library_(library),
        function_(function),
        feeds_(feeds),
        graph_(std::move(lowered.graph)),
        program_(std::make_shared<const Program>(std::move(lowered.program))),
        slots_(slots_of(extraction, feeds, slot_names(graph_), program_->symbols)) {
    out_.name = fmt::format("{}_{}", library.library_.name, function.name);
    out_.doc = function.doc;
    out_.program = program_;
  }

  void build() {
    note_variables();
    note_feeds();
    note_fetches();
    note_inputs();
    note_sizes();
    const auto name = [&](const char* wanted) { return names_.add(wanted); };
    out_.parameters.push_back({.kind = ParameterKind::arena, .name = name("arena")});
    out_.parameters.push_back({.kind = ParameterKind::call, .name = name("call")});
    note_checks();
    library_.library_.functions.push_back(std::move(out_));
  }

 private:
  void note_variables() {
    bool has_state = false;
    bool read_only = true;
    for (const Slots::VariableUse& use : slots_.variables) {
      const std::size_t number = library_.variable(use.node);
      out_.variables.push_back(number);
      const LibraryVariable& variable = library_.library_.variables[number];
      if (variable.embedded && use.assigned) {
        throw CompileError(fmt::format("function '{}' assigns {}, whose value is embedded", function_.name,
                                       describe(library_.graph_.node(use.node))));
      }
      has_state = has_state || !variable.embedded;
      read_only = read_only && !use.assigned;
    }
    if (!has_state) return;
    out_.parameters.push_back({.kind = ParameterKind::state, .name = names_.add("state"), .read_only = read_only});
  }

  void note_feeds() {
    for (std::size_t i = 0; i < feeds_.size(); ++i) {
      const Node& node = library_.graph_.node(feeds_[i].node);
      const TensorType& type = node.outputs.at(feeds_[i].output);
      add_tensor(ParameterKind::input, i, function_.feeds[i].name, node.name, {type.dtype, graph_.resolve(type.shape)},
                 describe(node));
    }
  }

  void note_fetches() {
    if (function_.initializes) {
      out_.outputs.assign(program_->outputs.size(), std::nullopt);
      return;
    }
    const std::span<const Graph::Output> outputs = graph_.outputs();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const ValueId fetched = resolve(library_.graph_, function_.fetches[i].value, "fetch");
      const Node& node = library_.graph_.node(fetched.node);
      if (node.op == &op::group) {
        out_.outputs.emplace_back();
        continue;
      }
      const TensorType& type = graph_.type(outputs[i].value);
      out_.outputs.emplace_back(i);
      add_tensor(ParameterKind::output, i, function_.fetches[i].name, outputs[i].name,
                 {type.dtype, graph_.resolve(type.shape)}, describe(node));
    }
  }

  void add_tensor(ParameterKind kind, std::size_t index, const std::string& wanted, const std::string& otherwise,
                  TensorType type, std::string description) {
    if (!wanted.empty() && !is_identifier(wanted)) {
      throw CompileError(
          fmt::format("function '{}': a parameter cannot be called '{}': C has no such names", function_.name, wanted));
    }
    out_.parameters.push_back({.kind = kind,
                               .name = names_.add(wanted.empty() ? otherwise : wanted),
                               .index = index,
                               .type = std::move(type),
                               .describe = std::move(description)});
  }

  void note_inputs() {
    out_.inputs = slots_.inputs;
    if (slots_.use_seed()) out_.parameters.push_back({.kind = ParameterKind::seed, .name = names_.add("seed")});
  }

  /// What feeds are shaped by comes first, then what else the program needs to know.
  void note_sizes() {
    std::map<SymbolId, std::string> meanings;
    const auto collect = [&](const Dim& dim, const std::string& where) {
      dim.collect(out_.sizes);
      for (const SymbolId size : out_.sizes) meanings.try_emplace(size, where);
    };
    for (const LibraryParameter& parameter : out_.parameters) {
      for (std::size_t axis = 0; axis < parameter.type.rank(); ++axis) {
        collect(parameter.type.shape[axis], fmt::format("axis {} of {}", axis, parameter.name));
      }
    }
    out_.symbols = slots_.symbols;
    for (const Dim& symbol : out_.symbols) collect(symbol, "a size of the graph");
    for (const DoubtfulExtent& extent : doubtful_extents(graph_)) {
      out_.doubtful.push_back(graph_.resolve(extent.extent));
      collect(out_.doubtful.back(), "a size of the graph");
    }
    for (std::size_t i = 0; i < out_.sizes.size(); ++i) {
      std::string_view name = name_of(out_.sizes[i]);
      const std::string anonymous = fmt::format("size{}", name);  // such as _0
      if (name.starts_with('_')) name = anonymous;
      out_.parameters.push_back(
          {.kind = ParameterKind::size, .name = names_.add(name), .index = i, .describe = meanings.at(out_.sizes[i])});
    }
    out_.arena_bytes = program_->arena_bytes;
    for (std::size_t i = 0; i < out_.symbols.size(); ++i) {
      out_.arena_bytes = out_.arena_bytes.substitute(program_->symbols[i], out_.symbols[i]);
    }
  }

  void note_checks() {
    for (const loop::CheckInfo& check : program_->pool->checks()) {
      library_.library_.checks.push_back(
          {.function = library_.library_.functions.size(), .message = check_message(check, "<index>", "<value>")});
    }
  }

  LibraryBuilder& library_;
  const Function& function_;
  std::span<const ValueId> feeds_;
  Graph graph_;
  std::shared_ptr<const Program> program_;
  Slots slots_;
  Identifiers names_;
  LibraryFunction out_;
};

void LibraryBuilder::add(const Function& function) {
  reserve(function);
  const std::vector<ValueId> feeds = values_of(graph_, function.feeds, "feed");
  const std::vector<ValueId> fetches = values_of(graph_, function.fetches, "fetch");
  [[maybe_unused]] const FeedCheck none_is_fed_twice(graph_, feeds);
  const Extraction extraction = function.initializes ? extract_initializers(graph_) : extract(graph_, fetches, feeds);
  LoweredGraph lowered = lower_graph(extraction.graph, {});
  checksum_ = digest(function.name, checksum_);
  checksum_ = digest(to_text(extraction.graph), checksum_);
  FunctionBuilder(*this, function, feeds, extraction, std::move(lowered)).build();
}

}  // namespace

LibrarySpec describe(const Graph& graph, const std::vector<Function>& functions, const Options& options) {
  LibraryBuilder builder(graph, options);
  for (const Function& function : functions) builder.add(function);
  return builder.finish();
}

}  // namespace lathe::aot
