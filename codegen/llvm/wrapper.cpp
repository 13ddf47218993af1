// The C functions of a library. They run on any CPU of the family, so that they can say so if it lacks something.
#include <lathe/codegen/llvm/wrapper.h>

#include <algorithm>
#include <cstddef>
#include <map>

#include <fmt/format.h>

#include <lathe/codegen/abi.h>
#include <lathe/codegen/llvm/float_mode.h>
#include <lathe/codegen/llvm/library_emitter.h>
#include <lathe/codegen/llvm/wrapper_body.h>
#include <lathe/graph/error.h>

namespace lathe::emit {
namespace {

using Kind = LibraryParameter::Kind;

/// Numbers computed from a function's sizes, with a watch on overflow.
class SizeEmitter {
 public:
  SizeEmitter(WrapperBody& body, std::map<SymbolId, llvm::Value*> sizes)
      : body_(body), sizes_(std::move(sizes)), bad_(body.b.getFalse()) {
    for (const auto& [symbol, size] : sizes_) {
      // One comparison for both ends: a negative number is a large one without a sign.
      note(body_.b.CreateICmpUGT(size, body_.number(largest_size)));
    }
  }

  llvm::Value* number(const Dim& dim) {
    llvm::Value* sum = body_.number(0);
    for (const Dim::Term& term : dim.terms()) {
      llvm::Value* product = body_.number(term.coefficient);
      for (const SymbolId factor : term.factors) {
        product = checked(llvm::Intrinsic::smul_with_overflow, product, sizes_.at(factor));
      }
      sum = checked(llvm::Intrinsic::sadd_with_overflow, sum, product);
    }
    return sum;
  }
  /// A number of bytes, which must be one that memory can have.
  llvm::Value* bytes(const Dim& dim) {
    llvm::Value* result = number(dim);
    note(body_.b.CreateICmpUGT(result, body_.number(largest_bytes)));
    return result;
  }
  /// Whether anything so far was too large.
  llvm::Value* bad() const { return bad_; }

 private:
  void note(llvm::Value* wrong) { bad_ = body_.b.CreateOr(bad_, wrong); }

  llvm::Value* checked(llvm::Intrinsic::ID operation, llvm::Value* x, llvm::Value* y) {
    llvm::Value* both = body_.b.CreateBinaryIntrinsic(operation, x, y);
    note(body_.b.CreateExtractValue(both, 1));
    return body_.b.CreateExtractValue(both, 0);
  }

  WrapperBody& body_;
  std::map<SymbolId, llvm::Value*> sizes_;
  llvm::Value* bad_;
};

/// The C function of one program.
class FunctionWrapper {
 public:
  FunctionWrapper(LibraryEmitter& library, std::size_t index)
      : library_(library), index_(index), f_(library.library.functions[index]) {}

  void emit() {
    emit_arena_bytes();
    std::vector<llvm::Type*> types;
    for (const LibraryParameter& parameter : f_.parameters) types.push_back(type_of(parameter));
    auto* i32 = llvm::Type::getInt32Ty(library_.context());
    function_ = library_.make_function(f_.name, i32, types, true);
    for (std::size_t i = 0; i < f_.parameters.size(); ++i) {
      function_->getArg(static_cast<unsigned>(i))->setName(f_.parameters[i].name);
    }
    WrapperBody body(function_);
    check(body);
    run(body);
  }

 private:
  llvm::Type* type_of(const LibraryParameter& parameter) {
    const bool is_number = parameter.kind == Kind::size || parameter.kind == Kind::seed;
    return is_number ? static_cast<llvm::Type*>(llvm::Type::getInt64Ty(library_.context())) : library_.pointer();
  }

  /// The argument that is number `index` of its kind.
  llvm::Value* argument(Kind kind, std::size_t index = 0) {
    for (std::size_t i = 0; i < f_.parameters.size(); ++i) {
      if (f_.parameters[i].kind == kind && f_.parameters[i].index == index) {
        return function_->getArg(static_cast<unsigned>(i));
      }
    }
    ensure(false, fmt::format("{} lacks a parameter", f_.name));
    return nullptr;
  }

  std::map<SymbolId, llvm::Value*> sizes(llvm::function_ref<llvm::Value*(std::size_t)> argument_of) const {
    std::map<SymbolId, llvm::Value*> out;
    for (std::size_t i = 0; i < f_.sizes.size(); ++i) out.emplace(f_.sizes[i], argument_of(i));
    return out;
  }

  // int64_t (sizes): -1 if they make no sense.
  void emit_arena_bytes() {
    auto* i64 = llvm::Type::getInt64Ty(library_.context());
    const std::vector<llvm::Type*> types(f_.sizes.size(), i64);
    llvm::Function* function = library_.make_function(f_.name + "_arena_bytes", i64, types, true);
    WrapperBody body(function);
    SizeEmitter emitter(body, sizes([&](std::size_t i) { return function->getArg(static_cast<unsigned>(i)); }));
    llvm::Value* result = emitter.bytes(f_.arena_bytes);
    body.b.CreateRet(body.b.CreateSelect(emitter.bad(), body.number(-1), result));
  }

  void check(WrapperBody& body) {
    SizeEmitter emitter(body, sizes([&](std::size_t i) { return argument(Kind::size, i); }));
    for (const Dim& symbol : f_.symbols) symbols_.push_back(emitter.number(symbol));
    std::vector<llvm::Value*> doubtful;
    for (const Dim& extent : f_.doubtful) doubtful.push_back(emitter.number(extent));
    body.refuse_if(emitter.bad(), LibraryError::bad_size);
    for (llvm::Value* extent : doubtful) {
      body.refuse_if(body.b.CreateICmpSLT(extent, body.number(0)), LibraryError::negative_extent);
    }
    std::vector<llvm::Value*> bytes;
    for (const LibraryParameter& parameter : f_.parameters) {
      switch (parameter.kind) {
        case Kind::state: bytes.push_back(body.number(library_.library.state_bytes)); break;
        case Kind::arena: bytes.push_back(emitter.bytes(f_.arena_bytes)); break;
        case Kind::input:
        case Kind::output: bytes.push_back(emitter.bytes(bytes_of(parameter.type))); break;
        default: bytes.push_back(nullptr);
      }
    }
    body.refuse_if(emitter.bad(), LibraryError::bad_size);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i]) check_pointer(body, f_.parameters[i], function_->getArg(static_cast<unsigned>(i)), bytes[i]);
    }
  }

  // What is empty may be null; but compiled code may read the first element even so.
  void check_pointer(WrapperBody& body, const LibraryParameter& parameter, llvm::Value* pointer, llvm::Value* bytes) {
    llvm::Value* empty = body.b.CreateICmpEQ(bytes, body.number(0));
    body.refuse_if(body.b.CreateAnd(body.b.CreateIsNull(pointer), body.b.CreateNot(empty)), LibraryError::null_pointer);
    const bool is_block = parameter.kind == Kind::state || parameter.kind == Kind::arena;
    body.refuse_misaligned(pointer,
                           is_block ? block_alignment : static_cast<std::int64_t>(size_of(parameter.type.dtype)));
    llvm::Value* instead = parameter.kind == Kind::input ? static_cast<llvm::Value*>(library_.nothing())
                                                         : static_cast<llvm::Value*>(body.stack(64, "nothing"));
    pointers_.emplace(&parameter, body.b.CreateSelect(empty, instead, pointer));
  }

  llvm::Value* pointer(Kind kind, std::size_t index = 0) {
    for (const auto& [parameter, value] : pointers_) {
      if (parameter->kind == kind && parameter->index == index) return value;
    }
    ensure(false, fmt::format("{} lacks a pointer", f_.name));
    return nullptr;
  }

  llvm::Value* input(WrapperBody& body, std::optional<std::size_t> feed) {
    if (feed) return pointer(Kind::input, *feed);
    llvm::Value* seed = body.stack(8, "seed");
    body.b.CreateStore(argument(Kind::seed), seed);
    return seed;
  }

  llvm::Value* variable(WrapperBody& body, const LibraryVariable& variable) {
    if (variable.embedded) return library_.bytes(variable.embedded->bytes(), variable.identifier);
    return body.at(pointer(Kind::state), static_cast<std::uint64_t>(variable.offset_bytes));
  }

  /// An array of what `values` makes, one an element.
  template <class Range, class F>
  llvm::Value* array(WrapperBody& body, const char* name, const Range& range, F value) {
    llvm::Value* made = body.stack(std::max<std::uint64_t>(8 * range.size(), 8), name);
    std::uint64_t offset = 0;
    for (const auto& element : range) {
      body.b.CreateStore(value(element), body.at(made, offset));
      offset += 8;
    }
    return made;
  }

  void run(WrapperBody& body) {
    llvm::Value* call = argument(Kind::call);
    llvm::Value* arguments = body.stack(sizeof(abi::Arguments), "arguments");
    llvm::Value* failure = body.stack(sizeof(abi::Failure), "failure");
    llvm::Value* null = llvm::ConstantPointerNull::get(library_.pointer());
    const auto set = [&](std::uint64_t offset, llvm::Value* value) {
      body.b.CreateStore(value, body.at(arguments, offset));
    };
    set(offsetof(abi::Arguments, inputs),
        array(body, "inputs", f_.inputs, [&](const auto& feed) { return input(body, feed); }));
    set(offsetof(abi::Arguments, outputs), array(body, "outputs", f_.outputs, [&](const auto& fetch) {
          return fetch ? pointer(Kind::output, *fetch) : static_cast<llvm::Value*>(body.stack(64, "unwanted"));
        }));
    set(offsetof(abi::Arguments, variables), array(body, "variables", f_.variables, [&](std::size_t number) {
          return variable(body, library_.library.variables[number]);
        }));
    set(offsetof(abi::Arguments, symbols), array(body, "symbols", symbols_, [](llvm::Value* value) { return value; }));
    set(offsetof(abi::Arguments, arena), pointer(Kind::arena));
    set(offsetof(abi::Arguments, parallel_for), null);
    set(offsetof(abi::Arguments, parallel_context), null);
    set(offsetof(abi::Arguments, host), null);
    set(offsetof(abi::Arguments, host_context), null);
    set(offsetof(abi::Arguments, failure), failure);
    set(offsetof(abi::Arguments, ticks), null);
    body.when(body.b.CreateIsNotNull(call), [&] {
      set(offsetof(abi::Arguments, parallel_for), body.load_pointer(call, call_layout::parallel_for));
      set(offsetof(abi::Arguments, parallel_context), body.load_pointer(call, call_layout::context));
    });
    body.b.CreateStore(body.number(abi::no_check), body.at(failure, offsetof(abi::Failure, check)));

    llvm::Value* entry = choose_entry(body);
    llvm::Value* mode = enter_float_mode(body.b, library_.is_x86);
    auto* type = llvm::FunctionType::get(body.b.getInt32Ty(), {library_.pointer()}, false);
    llvm::Value* failed = body.b.CreateCall(type, entry, {arguments});
    leave_float_mode(body.b, mode, library_.is_x86);
    body.return_if(body.b.CreateICmpEQ(failed, body.b.getInt32(0)), body.b.getInt32(0));
    report(body, call, failure);
  }

  void report(WrapperBody& body, llvm::Value* call, llvm::Value* failure) {
    const auto field = [&](std::uint64_t offset) {
      return body.b.CreateLoad(body.b.getInt64Ty(), body.at(failure, offset));
    };
    llvm::Value* check = field(offsetof(abi::Failure, check));
    llvm::Value* index = field(offsetof(abi::Failure, index));
    llvm::Value* detail = field(offsetof(abi::Failure, detail));
    body.when(body.b.CreateIsNotNull(call), [&] {
      body.b.CreateStore(index, body.at(call, call_layout::failed_index));
      body.b.CreateStore(detail, body.at(call, call_layout::failed_value));
    });
    llvm::Value* code = body.b.CreateAdd(check, body.number(library_.first_check(index_)));
    body.b.CreateRet(body.b.CreateTrunc(code, body.b.getInt32Ty()));
  }

  llvm::Value* entry(const Variant& variant) {
    auto* i32 = llvm::Type::getInt32Ty(library_.context());
    const std::string name = entry_name(f_, variant);
    llvm::Function* known = library_.module().getFunction(name);
    return known ? known : library_.make_function(name, i32, {library_.pointer()}, true);
  }

  llvm::Value* choose_entry(WrapperBody& body) {
    if (library_.variants.front().level == 0) return entry(library_.variants.front());
    llvm::Value* level = body.b.CreateCall(library_.cpu_level());
    const auto runs = [&](const Variant& variant) {
      return body.b.CreateICmpSGE(level, body.b.getInt32(static_cast<std::uint32_t>(variant.level)));
    };
    body.refuse_if(body.b.CreateNot(runs(library_.variants.back())), LibraryError::unsupported_cpu);
    llvm::Value* chosen = entry(library_.variants.back());
    for (std::size_t i = library_.variants.size() - 1; i-- > 0;) {
      chosen = body.b.CreateSelect(runs(library_.variants[i]), entry(library_.variants[i]), chosen);
    }
    return chosen;
  }

  LibraryEmitter& library_;
  std::size_t index_;
  const LibraryFunction& f_;
  llvm::Function* function_ = nullptr;
  std::map<const LibraryParameter*, llvm::Value*> pointers_;
  std::vector<llvm::Value*> symbols_;
};

}  // namespace

std::string entry_name(const LibraryFunction& function, const Variant& variant) {
  return fmt::format("{}.{}", function.name, variant.name);
}

void emit_wrappers(const LibrarySpec& library, std::span<const Variant> variants, const Target& target,
                   llvm::Module& module) {
  LibraryEmitter emitter(library, variants, target, module);
  emitter.emit();
  for (std::size_t i = 0; i < library.functions.size(); ++i) FunctionWrapper(emitter, i).emit();
}

}  // namespace lathe::emit
