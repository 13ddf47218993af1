#include <lathe/codegen/llvm/library_emitter.h>

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include <lathe/codegen/llvm/cpu_level.h>
#include <lathe/codegen/llvm/wrapper_body.h>

namespace lathe::emit {

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
  WrapperBody body(function);
  const auto last = static_cast<std::uint32_t>(places.size() - 1);
  llvm::Value* code = body.b.CreateBinaryIntrinsic(llvm::Intrinsic::umin, function->getArg(0), body.b.getInt32(last));
  llvm::Value* place =
      body.b.CreateLoad(i32, body.b.CreateInBoundsGEP(i32, table, body.b.CreateZExt(code, body.b.getInt64Ty())));
  body.b.CreateRet(body.b.CreateInBoundsGEP(body.b.getInt8Ty(), texts, body.b.CreateZExt(place, body.b.getInt64Ty())));
}

void LibraryEmitter::emit_number(const std::string& name, std::uint64_t value) {
  auto* i64 = llvm::Type::getInt64Ty(context());
  llvm::Function* function = make_function(name, i64, {}, true);
  WrapperBody body(function);
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
    WrapperBody body(function);
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
}

}  // namespace lathe::emit
