// Scatter-add: a copy, then every point in order.
#include <lathe/codegen/llvm/kernel.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

EmittedKernel emit_scatter(ModuleEmitter& module, const ScatterKernel& scatter, const std::string& name) {
  llvm::Function* function = module.make_kernel(name);
  Pool& pool = *module.program.pool;
  const ProgramTensor& out = module.program.tensor(scatter.out);
  // As a stage: the sum that the point leaves behind, in the place it goes to.
  const Expr before = pool.load(scatter.out, out.type.dtype, scatter.target);
  const Expr sum = pool.binary(BinaryOp::add, before, pool.wrap(scatter.value));
  const Stage stage{{}, {{sum.id, ToTensor{scatter.out, scatter.target}}}};
  Accesses accesses(module.program, {}, {&stage, 1});
  KernelEmitter k(module, function, accesses, {}, {&stage, 1});
  if (scatter.base != scatter.out) {
    llvm::Value* bytes = k.dim(bytes_of(out.type));
    // The memory plan may have given both one place.
    k.b.CreateCall(module.copy(), {k.tensor(scatter.out), k.tensor(scatter.base), bytes});
  }
  // Lanes that cannot meet in one element may go together.
  const bool apart = !scatter.axes.empty() && accesses.step(before.id, scatter.axes.back()) == Dim(1);
  std::span<const AxisId> axes = scatter.axes;
  if (apart) {
    const AxisId last = axes.back();
    const ExprId values[] = {sum.id};
    k.nest(axes.first(axes.size() - 1), [&] {
      k.vectors(last, k.number(0), k.extent(last), vector_width(pool, values), [&] { k.evaluate({&stage, 1}); });
    });
  } else {
    k.nest(axes, [&] { k.evaluate({&stage, 1}); });
  }
  k.finish_with_return();
  return {function, {k.frame().begin(), k.frame().end()}};
}

}  // namespace lathe::emit
