#include <lathe/codegen/layout.h>

#include <algorithm>
#include <cstring>
#include <map>

#include <lathe/codegen/lowered.h>
#include <lathe/codegen/nest.h>

namespace lathe {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// What a tile takes along its columns at once, in bytes of one row.
constexpr std::int64_t panel_bytes = 256;
/// Smaller matrices stay in one core's cache.
constexpr std::int64_t least_bytes = 64 * 1024;
/// Shorter rows would not fill a vector.
constexpr std::int64_t vector_bytes = 64;

class PanelRewriter {
 public:
  explicit PanelRewriter(Program& program) : program_(program), pool_(*program.pool) {}

  void run() {
    for (const TensorId variable : program_.variables) store_in_panels(variable);
    if (panels_.empty()) return;
    for (const Step& step : program_.steps) {
      if (const auto* commit = std::get_if<CommitStep>(&step)) follow(*commit);
    }
    std::vector<Step> steps;
    for (Step& step : program_.steps) {
      std::visit([&](auto& kind) { rewrite(kind, steps); }, step);
      steps.push_back(std::move(step));
    }
    program_.steps = std::move(steps);
  }

 private:
  /// Replaces accesses of what is stored in panels.
  class Accessor : public Substitution {
   public:
    explicit Accessor(PanelRewriter& rewriter) : Substitution(rewriter.pool_), rewriter_(rewriter) {}

   protected:
    Expr load(const Load& load, DType dtype) override {
      return pool_.load(load.tensor, dtype, rewriter_.in_panels(load.tensor, load.indices));
    }

   private:
    PanelRewriter& rewriter_;
  };

  void store_in_panels(TensorId id) {
    ProgramTensor& tensor = program_.tensors.at(number(id));
    const std::int64_t panel = panel_columns(tensor.type);
    if (panel == 0) return;
    panels_[id] = panel;
    tensor.panel = panel;
    Shape& shape = tensor.type.shape;
    shape = {Dim(shape[1].constant() / panel), shape[0], panel};
  }

  /// Memory between kernels in which a variable's new value waits is stored as the variable is.
  void follow(const CommitStep& commit) {
    const bool is_own = program_.tensor(commit.from).role == Role::arena;
    if (is_own && panels_.contains(commit.variable) && !panels_.contains(commit.from)) store_in_panels(commit.from);
  }

  std::vector<ExprId> in_panels(TensorId tensor, const std::vector<ExprId>& indices) {
    const auto found = panels_.find(tensor);
    if (found == panels_.end()) return indices;
    const Expr column = pool_.wrap(indices[1]);
    const Expr panel = pool_.extent(found->second);
    return {floor_div(column, panel).id, indices[0], mod(column, panel).id};
  }

  /// Axes that are the column of an access to something in panels, with the columns of a panel.
  std::map<AxisId, std::int64_t> column_axes(const Kernel& kernel) {
    std::map<AxisId, std::int64_t> axes;
    const auto note = [&](TensorId tensor, const std::vector<ExprId>& indices) {
      const auto found = panels_.find(tensor);
      if (found == panels_.end()) return;
      const auto* column = std::get_if<AxisIndex>(&pool_.node(indices[1]));
      if (!column) return;
      const auto extent = pool_.axis(column->axis).extent.as_constant();
      if (found->second > 1 && extent && *extent % found->second == 0) axes.emplace(column->axis, found->second);
    };
    std::vector<ExprId> roots;
    for (const Stage& stage : kernel.stages) {
      for (const Yield& yield : stage.yields) {
        roots.push_back(yield.value);
        if (const auto* to = std::get_if<ToTensor>(&yield.destination)) note(to->tensor, to->indices);
      }
    }
    for (const Load& load : loads_in(pool_, roots)) note(load.tensor, load.indices);
    return axes;
  }

  void rewrite(Kernel& kernel, std::vector<Step>&) {
    const std::map<AxisId, std::int64_t> columns = column_axes(kernel);
    kernel = split_axes(pool_, std::move(kernel), columns, RunOrder::outermost);
    Accessor access(*this);
    for (Stage& stage : kernel.stages) {
      for (Yield& yield : stage.yields) {
        yield.value = access(yield.value);
        auto* to = std::get_if<ToTensor>(&yield.destination);
        if (to) to->indices = in_panels(to->tensor, to->indices);
      }
    }
  }

  void rewrite(ScatterKernel& scatter, std::vector<Step>& before) {
    Accessor access(*this);
    scatter.value = access(scatter.value);
    for (ExprId& index : scatter.target) index = access(index);
    if (panels_.contains(scatter.base) != panels_.contains(scatter.out)) {
      // It starts from a plain copy of its base.
      scatter.base = copy_as(scatter.out, scatter.base, "a scatter runs alone", before);
    }
    scatter.target = in_panels(scatter.out, scatter.target);
  }

  /// `from`, stored as `like` is, by a kernel that goes `before`.
  TensorId copy_as(TensorId like, TensorId from, std::string boundary, std::vector<Step>& before) {
    ProgramTensor tensor = program_.tensor(like);
    tensor.name = program_.tensor(from).name + "/copy";
    tensor.role = Role::arena;
    const auto to = static_cast<TensorId>(program_.tensors.size());
    program_.tensors.push_back(tensor);
    if (tensor.panel != 0) panels_[to] = tensor.panel;
    Kernel kernel;
    kernel.name = tensor.name;
    kernel.nodes = {tensor.name};
    kernel.boundary = std::move(boundary);
    const ProgramTensor& stored = panels_.contains(to) ? tensor : program_.tensor(from);
    const Dim columns = stored.type.shape[0] * stored.type.shape[2];
    kernel.outer = {pool_.make_axis(stored.type.shape[1], "i"), pool_.make_axis(columns, "j")};
    const std::vector<ExprId> at = {pool_.index(kernel.outer[0]).id, pool_.index(kernel.outer[1]).id};
    Stage stage;
    stage.yields.push_back({pool_.load(from, tensor.type.dtype, at).id, ToTensor{to, at}});
    kernel.stages.push_back(std::move(stage));
    rewrite(kernel, before);
    before.emplace_back(std::move(kernel));
    return to;
  }

  void rewrite(HostStep&, std::vector<Step>&) {}

  void rewrite(CommitStep& commit, std::vector<Step>& before) {
    if (panels_.contains(commit.variable) == panels_.contains(commit.from)) return;
    commit.from = copy_as(commit.variable, commit.from, "a variable changes when nothing can fail any more", before);
  }

  Program& program_;
  Pool& pool_;
  std::map<TensorId, std::int64_t> panels_;
};

/// Calls f(offset in row-major order, offset in panels) for each run of a panel's columns.
template <class F>
void for_each_run(std::int64_t rows, std::int64_t columns, std::int64_t panel, F f) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; column += panel) {
      f(row * columns + column, column * rows + row * panel);
    }
  }
}

}  // namespace

std::int64_t panel_columns(const TensorType& variable) {
  const Shape& shape = variable.shape;
  if (shape.size() != 2 || !shape[0].is_constant() || !shape[1].is_constant()) return 0;
  const auto bytes = static_cast<std::int64_t>(size_of(variable.dtype));
  const std::int64_t panel = panel_bytes / bytes;
  const std::int64_t rows = shape[0].constant();
  const std::int64_t columns = shape[1].constant();
  const std::int64_t all_bytes = rows * columns * bytes;
  const bool narrow = columns > 1 && columns * bytes < vector_bytes && rows * bytes >= vector_bytes;
  if (narrow && all_bytes <= least_bytes) return 1;
  // A sum along the columns stays one chain: see contract_chunk.
  const bool suits = columns % panel == 0 && columns >= 2 * panel && columns <= contract_chunk;
  return suits && all_bytes >= least_bytes ? panel : 0;
}

Extents panel_extents(std::span<const std::int64_t> matrix, std::int64_t panel) {
  return {matrix[1] / panel, matrix[0], panel};
}

Tensor to_panels(const TensorView& matrix, std::int64_t panel) {
  const std::int64_t rows = matrix.shape[0];
  const std::int64_t columns = matrix.shape[1];
  Tensor out(matrix.dtype, panel_extents(matrix.shape, panel));
  const auto bytes = static_cast<std::int64_t>(size_of(matrix.dtype));
  for_each_run(rows, columns, panel, [&](std::int64_t from, std::int64_t to) {
    std::memcpy(out.bytes().data() + to * bytes, matrix.data + from * bytes, static_cast<std::size_t>(panel * bytes));
  });
  return out;
}

Tensor from_panels(const TensorView& panels) {
  const std::int64_t panel = panels.shape[2];
  const std::int64_t rows = panels.shape[1];
  const std::int64_t columns = panels.shape[0] * panel;
  Tensor out(panels.dtype, {rows, columns});
  const auto bytes = static_cast<std::int64_t>(size_of(panels.dtype));
  for_each_run(rows, columns, panel, [&](std::int64_t to, std::int64_t from) {
    std::memcpy(out.bytes().data() + to * bytes, panels.data + from * bytes, static_cast<std::size_t>(panel * bytes));
  });
  return out;
}

void store_variables_in_panels(Program& program) {
  PanelRewriter(program).run();
}

}  // namespace lathe
