#include <lathe/codegen/llvm/unique.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <vector>

#include <llvm/IR/Constants.h>
#include <llvm/IR/GlobalVariable.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/StructuralHash.h>
#include <llvm/Support/raw_ostream.h>

namespace lathe::emit {
namespace {

/// The variables that a function refers to, in the order in which they first occur.
std::vector<llvm::GlobalVariable*> variables_of(llvm::Function& function) {
  std::vector<llvm::GlobalVariable*> variables;
  for (llvm::Instruction& instruction : llvm::instructions(function)) {
    for (llvm::Value* operand : instruction.operand_values()) {
      auto* variable = llvm::dyn_cast<llvm::GlobalVariable>(operand);
      if (!variable || std::find(variables.begin(), variables.end(), variable) != variables.end()) continue;
      variables.push_back(variable);
    }
  }
  return variables;
}

/// How long the name is that `text` begins with, quoted or not.
std::size_t name_length(std::string_view text) {
  if (text.starts_with('"')) return std::min(text.find('"', 1), text.size() - 1) + 1;
  const auto is_name = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '.' || c == '-' || c == '$'; };
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_name) - text.begin());
}

/// A function's IR in which values, blocks, metadata, attributes and coefficients have the numbers of the order in
/// which they first occur.
std::string renumbered(std::string_view text) {
  std::map<std::pair<char, std::string_view>, std::size_t> numbers;
  std::string out;
  out.reserve(text.size());
  const auto put_number = [&](char kind, std::string_view name) {
    const std::size_t number = numbers.emplace(std::pair(kind, name), numbers.size()).first->second;
    out += kind + std::to_string(number);
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const bool begins_line = at > 0 && text[at - 1] == '\n';
    const std::size_t label = begins_line ? name_length(rest) : 0;
    if (label > 0 && rest.substr(label).starts_with(':')) {
      put_number('%', rest.substr(0, label));
      at += label;
      continue;
    }
    const char kind = rest.front();
    const bool begins_name = kind == '%' || kind == '!' || kind == '#' || kind == '@';
    const std::string_view name = begins_name ? rest.substr(1, name_length(rest.substr(1))) : std::string_view();
    const bool is_number = !name.empty() && std::isdigit(static_cast<unsigned char>(name.front()));
    const bool is_local = kind == '%' && !name.empty();
    const bool is_listed = (kind == '!' || kind == '#') && is_number;
    if (is_local || is_listed || (kind == '@' && name.starts_with("coefficient"))) {
      put_number(kind, name);
      at += 1 + name.size();
    } else {
      out += kind;
      ++at;
    }
  }
  return out;
}

/// All that says what a function does, without its name. Of metadata only which accesses have the same: what these are
/// said not to alias follows from which of them share a scope, and all else is the same in all kernels.
std::string text_of(llvm::Function& function) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  function.print(stream);
  const std::string_view name = function.getName();
  std::string out = renumbered(std::string_view(text).substr(text.find(name) + name.size()));
  llvm::raw_string_ostream contents(out);
  for (const llvm::GlobalVariable* variable : variables_of(function)) {
    if (variable->hasInitializer()) variable->getInitializer()->print(contents);
  }
  return out;
}

}  // namespace

llvm::Function* UniqueFunctions::only(llvm::Function* made) {
  const std::uint64_t hash = llvm::StructuralHash(*made);
  std::string text;
  const auto [begin, end] = known_.equal_range(hash);
  for (auto at = begin; at != end; ++at) {
    Known& known = at->second;
    if (known.text.empty()) known.text = text_of(*known.function);
    if (text.empty()) text = text_of(*made);
    if (known.text != text) continue;
    const std::vector<llvm::GlobalVariable*> variables = variables_of(*made);
    made->eraseFromParent();
    for (llvm::GlobalVariable* variable : variables) {
      if (variable->use_empty()) variable->eraseFromParent();
    }
    return known.function;
  }
  known_.emplace(hash, Known{made, std::move(text)});
  return made;
}

}  // namespace lathe::emit
