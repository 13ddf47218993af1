// JITLink reads the objects and fixes references up; where things go, and what becomes of the bytes, is decided here.
#include <lathe/codegen/llvm/link.h>

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <llvm/ADT/StringMap.h>
#include <llvm/ExecutionEngine/JITLink/JITLink.h>
#include <llvm/ExecutionEngine/JITLink/aarch64.h>
#include <llvm/ExecutionEngine/JITLink/x86_64.h>
#include <llvm/Support/MathExtras.h>

#include <lathe/graph/error.h>

namespace lathe::emit {
namespace {

namespace jl = llvm::jitlink;
using llvm::BitmaskEnumDetail::operator&;
using llvm::orc::ExecutorAddr;

// Where the image is linked to lie. It may lie anywhere, but JITLink takes the address 0 for none.
constexpr std::uint64_t base = 1 << 16;

/// Whether a reference stays right when code and constants move together: it is a distance.
bool is_relative(const llvm::Triple& triple, jl::Edge::Kind kind) {
  switch (triple.getArch()) {
    case llvm::Triple::x86_64:
      return kind == jl::x86_64::Delta32 || kind == jl::x86_64::Delta64 || kind == jl::x86_64::NegDelta32 ||
             kind == jl::x86_64::PCRel32 || kind == jl::x86_64::BranchPCRel32;
    case llvm::Triple::aarch64:  // base is a multiple of the pages meant here, and so is where images are loaded
      return kind == jl::aarch64::Delta32 || kind == jl::aarch64::Delta64 || kind == jl::aarch64::Branch26PCRel ||
             kind == jl::aarch64::ADRLiteral21 || kind == jl::aarch64::Page21 || kind == jl::aarch64::PageOffset12;
    default: return false;
  }
}

llvm::Error fault(const std::string& what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), what.c_str());
}

llvm::Error check_relative(const jl::LinkGraph& graph) {
  for (const jl::Block* block : graph.blocks()) {
    for (const jl::Edge& edge : block->edges()) {
      if (!edge.isRelocation() || is_relative(graph.getTargetTriple(), edge.getKind())) continue;
      const auto name = edge.getTarget().hasName() ? edge.getTarget().getName() : llvm::StringRef("a constant");
      return fault(fmt::format("a reference to {} of the kind {} depends on where it lies", name.str(),
                               graph.getEdgeKindName(edge.getKind())));
    }
  }
  return llvm::Error::success();
}

/// Bytes of an image that are filled from the front.
struct Region {
  std::size_t next = 0;
  std::size_t end = 0;
};

class Layout : public jl::JITLinkMemoryManager {
 public:
  /// Plans for all that the graphs hold; less is left of them once what nobody refers to is gone.
  explicit Layout(std::span<const std::unique_ptr<jl::LinkGraph>> graphs) {
    std::size_t code = 0;
    std::size_t data = 0;
    for (const auto& graph : graphs) {
      jl::BasicLayout layout(*graph);
      for (const auto& [group, segment] : layout.segments()) {
        std::size_t& sum = is_code(group) ? code : data;
        sum += llvm::alignTo(segment.ContentSize + segment.ZeroFillSize, segment.Alignment) + segment.Alignment.value();
      }
    }
    code_ = {0, llvm::alignTo(code, page_bytes())};
    data_ = {code_.end, code_.end + data};
    image_.bytes.resize(data_.end);
    image_.code_bytes = code_.end;
  }

  void allocate(const jl::JITLinkDylib*, jl::LinkGraph& graph, OnAllocatedFunction on_allocated) override {
    jl::BasicLayout layout(graph);
    for (auto& [group, segment] : layout.segments()) {
      // Data that an object calls writable are coefficients, which nobody writes to: see KernelEmitter::coefficient.
      Region& region = is_code(group) ? code_ : data_;
      const std::size_t at = llvm::alignTo(region.next, segment.Alignment);
      region.next = at + segment.ContentSize + segment.ZeroFillSize;
      if (region.next > region.end) return on_allocated(fault("it takes more memory than was planned"));
      segment.Addr = ExecutorAddr(base + at);
      segment.WorkingMem = reinterpret_cast<char*>(image_.bytes.data() + at);
    }
    if (llvm::Error error = layout.apply()) return on_allocated(std::move(error));
    on_allocated(std::make_unique<InFlight>());
  }

  void deallocate(std::vector<FinalizedAlloc> allocations, OnDeallocatedFunction on_deallocated) override {
    for (FinalizedAlloc& allocation : allocations) allocation.release();
    on_deallocated(llvm::Error::success());
  }

  Image finish(ExecutorAddr entry) {
    image_.bytes.resize(data_.next);
    image_.entry = entry.getValue() - base;
    return std::move(image_);
  }

 private:
  /// The bytes are in the image already.
  class InFlight : public InFlightAlloc {
   public:
    void abandon(OnAbandonedFunction on_abandoned) override { on_abandoned(llvm::Error::success()); }
    void finalize(OnFinalizedFunction on_finalized) override { on_finalized(FinalizedAlloc(ExecutorAddr(base))); }
  };

  static bool is_code(const llvm::orc::AllocGroup& group) {
    return (group.getMemProt() & llvm::orc::MemProt::Exec) != llvm::orc::MemProt::None;
  }

  Image image_;
  Region code_;
  Region data_;
};

using Symbols = llvm::StringMap<ExecutorAddr>;

/// Links one object: keeps what it exports and what that needs, and knows what earlier ones exported.
class Context : public jl::JITLinkContext {
 public:
  Context(Layout& layout, Symbols& symbols, std::string& failure)
      : JITLinkContext(nullptr), layout_(layout), symbols_(symbols), failure_(failure) {}

  jl::JITLinkMemoryManager& getMemoryManager() override { return layout_; }
  void notifyFailed(llvm::Error error) override { failure_ = llvm::toString(std::move(error)); }

  void lookup(const LookupMap& wanted, std::unique_ptr<jl::JITLinkAsyncLookupContinuation> go_on) override {
    jl::AsyncLookupResult found;
    for (const auto& [name, flags] : wanted) {
      const auto known = symbols_.find(name);
      if (known == symbols_.end()) {
        return go_on->run(fault(fmt::format("'{}' is needed, which is not part of the code", name.str())));
      }
      found[name] = {known->second, llvm::JITSymbolFlags::Exported};
    }
    go_on->run(std::move(found));
  }

  llvm::Error notifyResolved(jl::LinkGraph& graph) override {
    for (const jl::Symbol* symbol : graph.defined_symbols()) {
      if (is_exported(*symbol)) symbols_[symbol->getName()] = symbol->getAddress();
    }
    return llvm::Error::success();
  }

  void notifyFinalized(jl::JITLinkMemoryManager::FinalizedAlloc allocation) override { allocation.release(); }

  // They would give what is not in the object an entry in a table of absolute addresses.
  bool shouldAddDefaultTargetPasses(const llvm::Triple&) const override { return false; }

  llvm::Error modifyPassConfig(jl::LinkGraph&, jl::PassConfiguration& passes) override {
    passes.PrePrunePasses.emplace_back([](jl::LinkGraph& graph) {
      for (jl::Symbol* symbol : graph.defined_symbols()) symbol->setLive(is_exported(*symbol));
      return llvm::Error::success();
    });
    passes.PostPrunePasses.emplace_back(check_relative);
    return llvm::Error::success();
  }

 private:
  static bool is_exported(const jl::Symbol& symbol) {
    return symbol.hasName() && symbol.getScope() != jl::Scope::Local;
  }

  Layout& layout_;
  Symbols& symbols_;
  std::string& failure_;
};

}  // namespace

Image link(std::span<const Object> parts) {
  std::vector<std::unique_ptr<jl::LinkGraph>> graphs;
  for (const Object& part : parts) {
    graphs.push_back(unwrap(jl::createLinkGraphFromObject(part.code->getMemBufferRef()), "reading compiled code"));
  }
  Layout layout(graphs);
  Symbols symbols;
  // The first part calls the others.
  std::rotate(graphs.begin(), graphs.begin() + 1, graphs.end());
  for (auto& graph : graphs) {
    std::string failure;
    jl::link(std::move(graph), std::make_unique<Context>(layout, symbols, failure));
    ensure(failure.empty(), "linking compiled code: " + failure);
  }
  return layout.finish(symbols.at(entry_symbol));
}

}  // namespace lathe::emit
