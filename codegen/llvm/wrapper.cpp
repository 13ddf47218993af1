// The C functions of a library. They run on any CPU of the family, so that they can say so if it lacks something.
#include <lathe/codegen/llvm/wrapper.h>

#include <algorithm>
#include <cstddef>
#include <map>

#include <fmt/format.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicsAArch64.h>
#include <llvm/IR/IntrinsicsX86.h>

#include <lathe/codegen/abi.h>
#include <lathe/codegen/llvm/cpu_level.h>
#include <lathe/codegen/llvm/module.h>
#include <lathe/graph/error.h>

namespace lathe::emit {
namespace {

using Kind = LibraryParameter::Kind;

/// The struct lathe_call of the header, which the host may pass.
namespace call_layout {
constexpr std::uint64_t parallel_for = 0;
constexpr std::uint64_t context = 8;
constexpr std::uint64_t failed_index = 16;
constexpr std::uint64_t failed_value = 24;
}  // namespace call_layout

constexpr std::int64_t block_alignment = 64;  // of states and arenas

/// What the functions of a library share.
class LibraryEmitter {
 public:
  LibraryEmitter(const LibrarySpec& library_, std::span<const Variant> variants_, const Target& target_,
                 llvm::Module& module_)
      : library(library_),
        variants(variants_),
        is_x86(target_.target_machine->getTargetTriple().isX86()),
        emitter_(module_, nothing_, target_, true) {}

  void emit();

  const LibrarySpec& library;
  std::span<const Variant> variants;
  const bool is_x86;

  llvm::Module& module() { return emitter_.module; }
  llvm::LLVMContext& context() { return emitter_.context; }
  llvm::PointerType* pointer() { return emitter_.pointer_type(); }
  llvm::Function* make_function(const std::string& name, llvm::Type* result, llvm::ArrayRef<llvm::Type*> parameters,
                                bool visible) {
    return emitter_.make_function(name, result, parameters, visible);
  }
  llvm::Function* copy() { return emitter_.copy(); }
  /// abi::ParallelFor around the host's: context is its lathe_call.
  llvm::Function* parallel_for();
  /// i32 (): the level of this CPU.
  llvm::Function* cpu_level();
  /// The codes of a function's checks start here.
  std::int64_t first_check(std::size_t function) const;
  llvm::Constant* bytes(std::span<const std::byte> data, const std::string& name);
  /// Zeros to point to in place of an empty tensor.
  llvm::Constant* nothing();

 private:
  llvm::Function* emit_chunk();
  llvm::Function* emit_parallel_for();
  void emit_message();
  void emit_number(const std::string& name, std::uint64_t value);
  void emit_variable(const LibraryVariable& variable);

  Program nothing_;
  ModuleEmitter emitter_;
  llvm::Function* parallel_for_ = nullptr;
  llvm::Function* cpu_level_ = nullptr;
  llvm::Constant* empty_ = nullptr;
};

/// One function under construction.
class Body {
 public:
  Body(LibraryEmitter& library, llvm::Function* function)
      : library_(library), function_(function), b(llvm::BasicBlock::Create(library.context(), "entry", function)) {}

  llvm::ConstantInt* number(std::int64_t value) { return b.getInt64(static_cast<std::uint64_t>(value)); }
  llvm::Value* at(llvm::Value* base, std::uint64_t offset_bytes) {
    return b.CreateConstInBoundsGEP1_64(b.getInt8Ty(), base, offset_bytes);
  }
  llvm::Value* load_pointer(llvm::Value* base, std::uint64_t offset_bytes) {
    return b.CreateLoad(library_.pointer(), at(base, offset_bytes));
  }
  llvm::AllocaInst* stack(std::uint64_t bytes, const char* name) {
    llvm::AllocaInst* made =
        new llvm::AllocaInst(llvm::ArrayType::get(b.getInt8Ty(), bytes), 0, nullptr, llvm::Align(64), name);
    made->insertInto(&function_->getEntryBlock(), function_->getEntryBlock().begin());
    return made;
  }
  /// Returns `code` where `condition` holds.
  void refuse_if(llvm::Value* condition, LibraryError code) {
    return_if(condition, b.getInt32(static_cast<std::uint32_t>(code)));
  }
  void return_if(llvm::Value* condition, llvm::Value* result) {
    auto* refuse = block("refuse");
    auto* go_on = block("go_on");
    b.CreateCondBr(condition, refuse, go_on);
    b.SetInsertPoint(refuse);
    b.CreateRet(result);
    b.SetInsertPoint(go_on);
  }
  template <class F>
  void when(llvm::Value* condition, F then) {
    auto* inside = block("then");
    auto* after = block("after");
    b.CreateCondBr(condition, inside, after);
    b.SetInsertPoint(inside);
    then();
    b.CreateBr(after);
    b.SetInsertPoint(after);
  }
  llvm::BasicBlock* block(const char* name) { return llvm::BasicBlock::Create(library_.context(), name, function_); }
  void refuse_misaligned(llvm::Value* pointer, std::int64_t alignment) {
    if (alignment == 1) return;
    llvm::Value* low = b.CreateAnd(b.CreatePtrToInt(pointer, b.getInt64Ty()), number(alignment - 1));
    refuse_if(b.CreateICmpNE(low, number(0)), LibraryError::misaligned);
  }

  /// The numerics contract's mode of the floating-point unit: subnormals are zeros, nothing traps, rounding to
  /// nearest, whatever the host uses. Gives the host's mode, for leave_mode().
  llvm::Value* enter_mode() {
    if (!library_.is_x86) {
      llvm::Value* before = b.CreateIntrinsic(b.getInt64Ty(), llvm::Intrinsic::aarch64_get_fpcr, {});
      b.CreateIntrinsic(llvm::Intrinsic::aarch64_set_fpcr, {}, {number(1 << 24)});  // FZ
      return before;
    }
    llvm::AllocaInst* before = stack(8, "mode");
    b.CreateIntrinsic(llvm::Intrinsic::x86_sse_stmxcsr, {}, {before});
    llvm::Value* own = at(before, 4);
    b.CreateStore(b.getInt32(0x9fc0), own);  // FTZ, DAZ, and all exceptions masked
    b.CreateIntrinsic(llvm::Intrinsic::x86_sse_ldmxcsr, {}, {own});
    return before;
  }
  void leave_mode(llvm::Value* before) {
    const llvm::Intrinsic::ID x86 = llvm::Intrinsic::x86_sse_ldmxcsr;
    const llvm::Intrinsic::ID arm = llvm::Intrinsic::aarch64_set_fpcr;
    b.CreateIntrinsic(library_.is_x86 ? x86 : arm, {}, {before});
  }

 protected:
  LibraryEmitter& library_;
  llvm::Function* function_;

 public:
  llvm::IRBuilder<> b;
};

/// Numbers computed from a function's sizes, with a watch on overflow.
class SizeEmitter {
 public:
  SizeEmitter(Body& body, std::map<SymbolId, llvm::Value*> sizes)
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

  Body& body_;
  std::map<SymbolId, llvm::Value*> sizes_;
  llvm::Value* bad_;
};

Dim bytes_of(const TensorType& type) {
  return element_count(type.shape) * Dim(static_cast<std::int64_t>(size_of(type.dtype)));
}

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
    Body body(library_, function_);
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

  // int64_t (sizes): -1 if they make no sense.
  void emit_arena_bytes() {
    auto* i64 = llvm::Type::getInt64Ty(library_.context());
    const std::vector<llvm::Type*> types(f_.sizes.size(), i64);
    llvm::Function* function = library_.make_function(f_.name + "_arena_bytes", i64, types, true);
    Body body(library_, function);
    std::map<SymbolId, llvm::Value*> sizes;
    for (std::size_t i = 0; i < f_.sizes.size(); ++i) {
      sizes.emplace(f_.sizes[i], function->getArg(static_cast<unsigned>(i)));
    }
    SizeEmitter emitter(body, std::move(sizes));
    llvm::Value* result = emitter.bytes(f_.arena_bytes);
    body.b.CreateRet(body.b.CreateSelect(emitter.bad(), body.number(-1), result));
  }

  void check(Body& body) {
    std::map<SymbolId, llvm::Value*> sizes;
    for (std::size_t i = 0; i < f_.sizes.size(); ++i) sizes.emplace(f_.sizes[i], argument(Kind::size, i));
    SizeEmitter emitter(body, std::move(sizes));
    for (const Dim& symbol : f_.symbols) symbols_.push_back(emitter.number(symbol));
    std::vector<llvm::Value*> doubtful;
    for (const LibraryFunction::Doubtful& extent : f_.doubtful) doubtful.push_back(emitter.number(extent.extent));
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
  void check_pointer(Body& body, const LibraryParameter& parameter, llvm::Value* pointer, llvm::Value* bytes) {
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

  llvm::Value* input(Body& body, const LibraryFunction::Source& source) {
    if (source.kind == Kind::input) return pointer(Kind::input, source.index);
    llvm::Value* seed = body.stack(8, "seed");
    body.b.CreateStore(argument(Kind::seed), seed);
    return seed;
  }

  llvm::Value* variable(Body& body, const LibraryVariable& variable) {
    if (variable.embedded) return library_.bytes(variable.embedded->bytes(), variable.identifier);
    return body.at(pointer(Kind::state), static_cast<std::uint64_t>(variable.offset_bytes));
  }

  /// An array of what `values` makes, one an element.
  template <class Range, class F>
  llvm::Value* array(Body& body, const char* name, const Range& range, F value) {
    llvm::Value* made = body.stack(std::max<std::uint64_t>(8 * range.size(), 8), name);
    std::uint64_t offset = 0;
    for (const auto& element : range) {
      body.b.CreateStore(value(element), body.at(made, offset));
      offset += 8;
    }
    return made;
  }

  void run(Body& body) {
    llvm::Value* call = argument(Kind::call);
    llvm::Value* arguments = body.stack(sizeof(abi::Arguments), "arguments");
    llvm::Value* failure = body.stack(sizeof(abi::Failure), "failure");
    llvm::Value* null = llvm::ConstantPointerNull::get(library_.pointer());
    const auto set = [&](std::uint64_t offset, llvm::Value* value) {
      body.b.CreateStore(value, body.at(arguments, offset));
    };
    set(offsetof(abi::Arguments, inputs),
        array(body, "inputs", f_.inputs, [&](const auto& source) { return input(body, source); }));
    set(offsetof(abi::Arguments, outputs), array(body, "outputs", f_.outputs, [&](const auto& fetch) {
          return fetch ? pointer(Kind::output, *fetch) : static_cast<llvm::Value*>(body.stack(64, "unwanted"));
        }));
    set(offsetof(abi::Arguments, variables), array(body, "variables", f_.variables, [&](std::size_t number) {
          return variable(body, library_.library.variables[number]);
        }));
    set(offsetof(abi::Arguments, symbols), array(body, "symbols", symbols_, [](llvm::Value* value) { return value; }));
    set(offsetof(abi::Arguments, arena), pointer(Kind::arena));
    set(offsetof(abi::Arguments, parallel_for), null);
    set(offsetof(abi::Arguments, parallel_context), call);
    set(offsetof(abi::Arguments, host), null);
    set(offsetof(abi::Arguments, host_context), null);
    set(offsetof(abi::Arguments, failure), failure);
    set(offsetof(abi::Arguments, ticks), null);
    body.when(body.b.CreateIsNotNull(call), [&] {
      llvm::Value* threads = body.load_pointer(call, call_layout::parallel_for);
      set(offsetof(abi::Arguments, parallel_for),
          body.b.CreateSelect(body.b.CreateIsNull(threads), null, library_.parallel_for()));
    });
    body.b.CreateStore(body.number(abi::no_check), body.at(failure, offsetof(abi::Failure, check)));

    llvm::Value* entry = choose_entry(body);
    llvm::Value* mode = body.enter_mode();
    auto* type = llvm::FunctionType::get(body.b.getInt32Ty(), {library_.pointer()}, false);
    llvm::Value* failed = body.b.CreateCall(type, entry, {arguments});
    body.leave_mode(mode);
    body.return_if(body.b.CreateICmpEQ(failed, body.b.getInt32(0)), body.b.getInt32(0));
    report(body, call, failure);
  }

  void report(Body& body, llvm::Value* call, llvm::Value* failure) {
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

  llvm::Value* choose_entry(Body& body) {
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

llvm::Function* LibraryEmitter::parallel_for() {
  if (!parallel_for_) parallel_for_ = emit_parallel_for();
  return parallel_for_;
}

llvm::Function* LibraryEmitter::cpu_level() {
  if (!cpu_level_) cpu_level_ = emit_cpu_level(emitter_);
  return cpu_level_;
}

std::int64_t LibraryEmitter::first_check(std::size_t function) const {
  const auto before = std::count_if(library.checks.begin(), library.checks.end(),
                                    [&](const LibrarySpec::Check& check) { return check.function < function; });
  return static_cast<std::int64_t>(LibraryError::first_check) + before;
}

llvm::Constant* LibraryEmitter::bytes(std::span<const std::byte> data, const std::string& name) {
  if (llvm::GlobalVariable* known = module().getGlobalVariable(name, true)) return known;
  llvm::Constant* content =
      llvm::ConstantDataArray::getRaw(llvm::StringRef(reinterpret_cast<const char*>(data.data()), data.size()),
                                      data.size(), llvm::Type::getInt8Ty(context()));
  auto* global =
      new llvm::GlobalVariable(module(), content->getType(), true, llvm::GlobalValue::InternalLinkage, content, name);
  global->setAlignment(llvm::Align(block_alignment));
  return global;
}

llvm::Constant* LibraryEmitter::nothing() {
  const std::vector<std::byte> zeros(block_alignment);
  if (!empty_) empty_ = bytes(zeros, "lathe_nothing");
  return empty_;
}

// The host's threads have modes of their own, so every chunk sets the mode.
llvm::Function* LibraryEmitter::emit_chunk() {
  auto* i64 = llvm::Type::getInt64Ty(context());
  auto* nothing = llvm::Type::getVoidTy(context());
  llvm::Function* function = make_function("lathe_chunk", nothing, {pointer(), i64, i64}, false);
  Body body(*this, function);
  llvm::Value* chunk = body.load_pointer(function->getArg(0), 0);
  llvm::Value* frame = body.load_pointer(function->getArg(0), 8);
  llvm::Value* mode = body.enter_mode();
  body.b.CreateCall(llvm::FunctionType::get(nothing, {pointer(), i64, i64}, false), chunk,
                    {frame, function->getArg(1), function->getArg(2)});
  body.leave_mode(mode);
  body.b.CreateRetVoid();
  return function;
}

llvm::Function* LibraryEmitter::emit_parallel_for() {
  auto* i64 = llvm::Type::getInt64Ty(context());
  auto* nothing = llvm::Type::getVoidTy(context());
  llvm::Function* chunk = emit_chunk();
  auto* type = llvm::FunctionType::get(nothing, {pointer(), pointer(), pointer(), i64, i64}, false);
  llvm::Function* function =
      make_function("lathe_parallel_for", nothing, {pointer(), pointer(), pointer(), i64, i64}, false);
  Body body(*this, function);
  llvm::Value* call = function->getArg(0);
  llvm::Value* both = body.stack(16, "chunk_and_frame");
  body.b.CreateStore(function->getArg(1), body.at(both, 0));
  body.b.CreateStore(function->getArg(2), body.at(both, 8));
  body.b.CreateCall(
      type, body.load_pointer(call, call_layout::parallel_for),
      {body.load_pointer(call, call_layout::context), chunk, both, function->getArg(3), function->getArg(4)});
  body.b.CreateRetVoid();
  return function;
}

// const char* (int code). One text and the places in it, which need no relocation.
void LibraryEmitter::emit_message() {
  auto* i32 = llvm::Type::getInt32Ty(context());
  std::string text;
  std::vector<std::uint32_t> places;
  const auto add = [&](std::string_view message) {
    places.push_back(static_cast<std::uint32_t>(text.size()));
    text += message;
    text += '\0';
  };
  const auto first = static_cast<std::int32_t>(LibraryError::first_check);
  for (std::int32_t code = 0; code < first; ++code) add(message_of(static_cast<LibraryError>(code)));
  for (const LibrarySpec::Check& check : library.checks) add(check.message);
  add("unknown error");
  llvm::Constant* texts = bytes(std::as_bytes(std::span(text)), "lathe_messages");
  llvm::Constant* offsets = llvm::ConstantDataArray::get(context(), places);
  auto* table = new llvm::GlobalVariable(module(), offsets->getType(), true, llvm::GlobalValue::InternalLinkage,
                                         offsets, "lathe_message_places");
  llvm::Function* function = make_function(library.name + "_message", pointer(), {i32}, true);
  Body body(*this, function);
  const auto last = static_cast<std::uint32_t>(places.size() - 1);
  llvm::Value* code = body.b.CreateBinaryIntrinsic(llvm::Intrinsic::umin, function->getArg(0), body.b.getInt32(last));
  llvm::Value* place =
      body.b.CreateLoad(i32, body.b.CreateInBoundsGEP(i32, table, body.b.CreateZExt(code, body.b.getInt64Ty())));
  body.b.CreateRet(body.b.CreateInBoundsGEP(body.b.getInt8Ty(), texts, body.b.CreateZExt(place, body.b.getInt64Ty())));
}

void LibraryEmitter::emit_number(const std::string& name, std::uint64_t value) {
  auto* i64 = llvm::Type::getInt64Ty(context());
  llvm::Function* function = make_function(name, i64, {}, true);
  Body body(*this, function);
  body.b.CreateRet(body.b.getInt64(value));
}

// int (void* state, const T* values) and int (const void* state, T* values), which are in row-major order.
void LibraryEmitter::emit_variable(const LibraryVariable& variable) {
  auto* i32 = llvm::Type::getInt32Ty(context());
  const auto item = static_cast<std::int64_t>(size_of(variable.type.dtype));
  for (const bool import : {true, false}) {
    llvm::Function* function =
        make_function(fmt::format("{}_{}_{}", library.name, import ? "import" : "export", variable.identifier), i32,
                      {pointer(), pointer()}, true);
    Body body(*this, function);
    llvm::Value* state = function->getArg(0);
    llvm::Value* values = function->getArg(1);
    const std::int64_t bytes = bytes_of(variable.type).constant();
    body.refuse_if(body.b.CreateIsNull(state), LibraryError::null_pointer);
    if (bytes > 0) body.refuse_if(body.b.CreateIsNull(values), LibraryError::null_pointer);
    body.refuse_misaligned(state, block_alignment);
    body.refuse_misaligned(values, item);
    llvm::Value* own = body.at(state, static_cast<std::uint64_t>(variable.offset_bytes));
    const auto move = [&](llvm::Value* there, llvm::Value* here, std::int64_t count) {
      body.b.CreateCall(copy(), {import ? here : there, import ? there : here, body.number(count)});
    };
    if (variable.panel == 0) {
      move(values, own, bytes);
    } else {
      // The panels' rows, one after the other, are `pieces` of the matrix's, of which a row holds `across`.
      const std::int64_t rows = variable.type.shape[0].constant();
      const std::int64_t across = variable.type.shape[1].constant() / variable.panel;
      const std::int64_t piece = variable.panel * item;
      auto* before = body.b.GetInsertBlock();
      auto* loop = body.block("pieces");
      auto* done = body.block("done");
      body.b.CreateCondBr(body.b.getInt1(rows * across > 0), loop, done);
      body.b.SetInsertPoint(loop);
      llvm::PHINode* at = body.b.CreatePHI(body.b.getInt64Ty(), 2);
      llvm::Value* panel = body.b.CreateUDiv(at, body.number(std::max<std::int64_t>(rows, 1)));
      llvm::Value* row = body.b.CreateURem(at, body.number(std::max<std::int64_t>(rows, 1)));
      llvm::Value* place = body.b.CreateAdd(body.b.CreateMul(row, body.number(across)), panel);
      const auto offset = [&](llvm::Value* base, llvm::Value* pieces) {
        return body.b.CreateInBoundsGEP(body.b.getInt8Ty(), base, body.b.CreateMul(pieces, body.number(piece)));
      };
      move(offset(values, place), offset(own, at), piece);
      llvm::Value* next = body.b.CreateAdd(at, body.number(1));
      at->addIncoming(body.number(0), before);
      at->addIncoming(next, loop);
      body.b.CreateCondBr(body.b.CreateICmpULT(next, body.number(rows * across)), loop, done);
      body.b.SetInsertPoint(done);
    }
    body.b.CreateRet(body.b.getInt32(0));
  }
}

void LibraryEmitter::emit() {
  emit_message();
  emit_number(library.name + "_checksum", library.checksum);
  if (library.has_state()) {
    emit_number(library.name + "_state_bytes", static_cast<std::uint64_t>(library.state_bytes));
    for (const LibraryVariable& variable : library.variables) {
      if (!variable.embedded) emit_variable(variable);
    }
  }
  for (std::size_t i = 0; i < library.functions.size(); ++i) FunctionWrapper(*this, i).emit();
}

}  // namespace

std::string entry_name(const LibraryFunction& function, const Variant& variant) {
  return fmt::format("{}.{}", function.name, variant.name);
}

void emit_wrappers(const LibrarySpec& library, std::span<const Variant> variants, const Target& target,
                   llvm::Module& module) {
  LibraryEmitter(library, variants, target, module).emit();
}

}  // namespace lathe::emit
