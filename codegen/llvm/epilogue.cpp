#include <lathe/codegen/llvm/epilogue.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

Epilogue::Epilogue(KernelEmitter& kernel, const Schedule& schedule) : k_(kernel), schedule_(schedule) {
  if (schedule_.delays) begin_delaying();
}

/// A long epilogue is emitted for one row of the tile, for less code.
void Epilogue::evaluate(std::span<const Stage> before, std::span<const Stage> stages) {
  if (schedule_.delays) {
    delay();
    return;
  }
  const Space tile = k_.space();
  const bool last = before.size() + stages.size() == schedule_.stages.size();
  if (!last || tile.rows == 1 || !is_long(k_.accesses(), stages, {tile.rows, tile.vectors})) {
    k_.evaluate(stages);
    return;
  }
  std::vector<Spilled> spilled;
  for (const Stage& stage : before) {
    for (const Yield& yield : stage.yields) {
      const auto* to = std::get_if<ToLocal>(&yield.destination);
      if (!to) continue;
      spilled.push_back(make_room(to->local, k_.get_register(to->local, 0, 0)->getType(), tile.points()));
      spill(spilled.back());
    }
  }
  Space one = tile;
  one.rows = 1;
  llvm::Value* first_row = k_.bound(*tile.row);
  k_.loop(k_.number(0), k_.number(tile.rows), 1, [&](llvm::Value* row) {
    k_.within(one, [&] {
      k_.bind(*tile.row, k_.b.CreateNSWAdd(first_row, row));
      evaluate_row(spilled, stages, row);
    });
  });
  k_.bind(*tile.row, first_row);
}

void Epilogue::begin_delaying() {
  const Tile& tile = schedule_.tiles.front();
  for (const Yield& yield : schedule_.stages.front().yields) {
    const auto* to = std::get_if<ToLocal>(&yield.destination);
    if (!to) continue;
    llvm::Type* element = k_.module.type(k_.pool().dtype(yield.value));
    auto* type = llvm::FixedVectorType::get(element, static_cast<unsigned>(schedule_.width));
    results_.push_back(make_room(to->local, type, tile.rows * tile.vectors));
  }
  std::vector<AxisId> axes = schedule_.batch;
  axes.push_back(*schedule_.row);
  axes.push_back(*schedule_.column);
  for (const AxisId axis : axes) {
    indices_.emplace_back(axis, k_.stack_array(k_.module.i64_type(), 1, "delayed_index"));
  }
  is_delayed_ = k_.stack_array(k_.b.getInt1Ty(), 1, "is_delayed");
  k_.in_entry([&] { return k_.b.CreateStore(k_.b.getFalse(), is_delayed_); });
  k_.interrupt_sums(tile.rows, [this](llvm::Value* row) {
    tile_ = k_.space();
    k_.when(is_delayed(), {}, [&] {
      evaluate_delayed(row);
      k_.b.CreateStore(k_.b.CreateICmpNE(row, k_.number(tile_.rows - 1)), is_delayed_);
      return Carried{};
    });
  });
}

void Epilogue::delay() {
  for (const Spilled& result : results_) spill(result);
  for (const auto& [axis, memory] : indices_) k_.b.CreateStore(k_.bound(axis), memory);
  k_.b.CreateStore(k_.b.getTrue(), is_delayed_);
}

void Epilogue::finish() {
  if (!schedule_.delays) return;
  k_.when(is_delayed(), {}, [&] {
    k_.loop(k_.number(0), k_.number(tile_.rows), 1, [&](llvm::Value* row) { evaluate_delayed(row); });
    return Carried{};
  });
}

void Epilogue::evaluate_delayed(llvm::Value* row) {
  Space one = tile_;
  one.rows = 1;
  k_.elsewhere(one, [&] {
    for (const auto& [axis, memory] : indices_) {
      llvm::Value* index = k_.b.CreateLoad(k_.module.i64_type(), memory);
      k_.bind(axis, axis == *schedule_.row ? k_.b.CreateNSWAdd(index, row) : index);
    }
    evaluate_row(results_, std::span(schedule_.stages).subspan(1), row);
  });
}

llvm::Value* Epilogue::is_delayed() {
  return k_.b.CreateLoad(k_.b.getInt1Ty(), is_delayed_);
}

Epilogue::Spilled Epilogue::make_room(LocalId local, llvm::Type* type, int points) {
  return {local, type, k_.stack_array(type, static_cast<std::uint64_t>(points), "spilled")};
}

void Epilogue::spill(const Spilled& spilled) {
  const Space& tile = k_.space();
  for (int row = 0; row < tile.rows; ++row) {
    for (int column = 0; column < tile.vectors; ++column) {
      const auto point = static_cast<unsigned>(row * tile.vectors + column);
      llvm::Value* at = k_.b.CreateConstInBoundsGEP1_64(spilled.type, spilled.memory, point);
      k_.b.CreateStore(k_.get_register(spilled.local, row, column), at);
    }
  }
}

/// `row` of the tile is the space's only one.
void Epilogue::evaluate_row(std::span<const Spilled> spilled, std::span<const Stage> stages, llvm::Value* row) {
  const int vectors = k_.space().vectors;
  for (const auto& [local, type, memory] : spilled) {
    for (int column = 0; column < vectors; ++column) {
      llvm::Value* point = k_.b.CreateNSWAdd(k_.b.CreateNSWMul(row, k_.number(vectors)), k_.number(column));
      k_.set_register(local, 0, column, k_.b.CreateLoad(type, k_.b.CreateInBoundsGEP(type, memory, point)));
    }
  }
  k_.evaluate(stages);
}

}  // namespace lathe::emit
