#include <lathe/codegen/footprint.h>

#include <lathe/codegen/lowered.h>

namespace lathe {

namespace {

struct Visitor {
  Footprint& out;

  void operator()(const loop::Kernel& kernel) const {
    for (const loop::Stage& stage : kernel.stages) {
      for (const loop::Yield& yield : stage.yields) {
        out.roots.push_back(yield.value);
        std::visit([&](const auto& to) { out.roots.insert(out.roots.end(), to.indices.begin(), to.indices.end()); },
                   yield.destination);
        if (const auto* to = std::get_if<loop::ToTensor>(&yield.destination)) out.writes.push_back(to->tensor);
      }
    }
  }
  void operator()(const loop::ScatterKernel& scatter) const {
    out.roots = scatter.target;
    out.roots.push_back(scatter.value);
    out.writes = {scatter.out};
    out.reads = {scatter.base};
  }
  void operator()(const loop::HostStep& host) const { out.reads = {host.tensor}; }
  void operator()(const loop::CommitStep& commit) const {
    out.writes = {commit.variable};
    out.reads = {commit.from};
  }
};

}  // namespace

Footprint footprint(const loop::Pool& pool, const loop::Step& step) {
  Footprint out;
  std::visit(Visitor{out}, step);
  for (const loop::Load& load : loads_in(pool, out.roots)) out.reads.push_back(load.tensor);
  return out;
}

}  // namespace lathe
