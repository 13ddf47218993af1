#include <lathe/codegen/llvm/epilogue.h>

#include <algorithm>

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
  llvm::Value* first_row = k_.bound(*tile.row);
  k_.loop(k_.number(0), k_.number(tile.rows), 1, [&](llvm::Value* row) {
    k_.within(tile.one_row(), [&] {
      k_.bind(*tile.row, k_.b.CreateNSWAdd(first_row, row));
      find_row(spilled, row);
      k_.evaluate(stages);
    });
  });
  k_.bind(*tile.row, first_row);
}

void Epilogue::begin_delaying() {
  const Tile& tile = schedule_.tiles.front();
  for (const Yield& yield : schedule_.stages.front().yields) {
    const auto* to = std::get_if<ToLocal>(&yield.destination);
    if (to) results_.push_back(make_room(to->local, vector_type(yield.value), tile.rows * tile.vectors));
  }
  std::vector<AxisId> axes = schedule_.batch;
  axes.push_back(*schedule_.row);
  axes.push_back(*schedule_.column);
  is_delayed_ = k_.stack_array(k_.b.getInt1Ty(), 1, "is_delayed");
  k_.in_entry([&] { return k_.b.CreateStore(k_.b.getFalse(), is_delayed_); });
  if (schedule_.stages.size() == 2) halves_ = split(schedule_.stages.back(), axes);
  if (!halves_) {
    for (const AxisId axis : axes) {
      indices_.emplace_back(axis, k_.stack_array(k_.module.i64_type(), 1, "delayed_index"));
    }
  } else {
    for (std::size_t i = 0; i < halves_->accesses.size(); ++i) {
      places_.push_back(k_.stack_array(k_.module.pointer_type(), 1, "place"));
    }
  }
  k_.interrupt_sums(tile.rows, {[this](llvm::Value* row) {
                                  tile_ = k_.space();
                                  begin_row(row);
                                },
                                [this](llvm::Value* row) { end_row(row); }});
}

/// Nothing where the stage divides nothing, or where it matters when what it reads is read.
std::optional<Epilogue::Halves> Epilogue::split(const Stage& stage, std::span<const AxisId> axes) {
  const Pool& pool = k_.pool();
  Accesses& accesses = k_.accesses();
  const auto divides = [&](ExprId id) {
    const auto* binary = std::get_if<Binary>(&pool.node(id));
    return binary && binary->op == BinaryOp::div && accesses.varies(id, *schedule_.column);
  };
  const auto has_division = [&](ExprId id) {
    const std::vector<ExprId> parts = post_order(pool, {&id, 1});
    return std::any_of(parts.begin(), parts.end(), divides);
  };
  const auto add = [](std::vector<ExprId>& list, ExprId id) {
    if (std::find(list.begin(), list.end(), id) == list.end()) list.push_back(id);
  };
  Halves out{{stage.inner, {}}, {stage.inner, {}}, {}, {}};
  for (const Yield& yield : stage.yields) {
    if (!std::holds_alternative<ToTensor>(yield.destination)) return std::nullopt;
    (has_division(yield.value) ? out.second : out.first).yields.push_back(yield);
  }
  if (out.second.yields.empty()) return std::nullopt;
  for (const ExprId id : post_order(pool, values_of({&out.second, 1}))) {
    if (!divides(id)) continue;
    for (const ExprId operand : pool.operands(id)) {
      if (!has_division(operand) && accesses.varies(operand, *schedule_.column)) add(out.between, operand);
    }
  }

  std::vector<ExprId> early = values_of({&out.first, 1});
  std::vector<ExprId> late = values_of({&out.second, 1});
  early.insert(early.end(), out.between.begin(), out.between.end());
  for (const Yield& yield : out.first.yields) early.push_back(accesses.target(yield));
  for (const Yield& yield : out.second.yields) late.push_back(accesses.target(yield));
  const auto first = accesses_of(early, {}, axes);
  const auto second = accesses_of(late, out.between, axes);
  if (!first || !second) return std::nullopt;
  // What the second half reads is as it was before the first half's stores.
  for (const Yield& yield : out.first.yields) {
    if (accesses.is_read(std::get<ToTensor>(yield.destination).tensor, *second)) return std::nullopt;
  }
  out.accesses = *first;
  for (const ExprId access : *second) add(out.accesses, access);
  return out;
}

/// The accesses that move along `axes` among what `roots` are made of, what is `known` left out. Nothing if anything
/// else moves, if lanes are no neighbours, or rows not the same distance apart.
std::optional<std::vector<ExprId>> Epilogue::accesses_of(std::vector<ExprId> roots, std::span<const ExprId> known,
                                                         std::span<const AxisId> axes) {
  Accesses& accesses = k_.accesses();
  std::vector<ExprId> out;
  while (!roots.empty()) {
    const ExprId id = roots.back();
    roots.pop_back();
    if (std::find(known.begin(), known.end(), id) != known.end()) continue;
    const ExprNode& node = k_.pool().node(id);
    const bool waits = !known.empty() && std::holds_alternative<Local>(node);  // a register that the first half finds
    if (waits || std::holds_alternative<Check>(node) || std::holds_alternative<AxisIndex>(node)) return std::nullopt;
    if (!std::holds_alternative<Load>(node)) {
      const std::vector<ExprId> operands = k_.pool().operands(id);
      roots.insert(roots.end(), operands.begin(), operands.end());
      continue;
    }
    if (!accesses.varies(id, axes) || std::find(out.begin(), out.end(), id) != out.end()) continue;
    const std::optional<Dim> column = accesses.step(id, *schedule_.column);
    const std::optional<Dim> row = accesses.step(id, *schedule_.row);
    if (!row || !row->is_constant() || (column != Dim(0) && column != Dim(1))) return std::nullopt;
    out.push_back(id);
  }
  return out;
}

void Epilogue::delay() {
  for (const Spilled& result : results_) spill(result);
  for (std::size_t i = 0; i < places_.size(); ++i) {
    k_.b.CreateStore(k_.pointer_to(halves_->accesses[i]), places_[i]);
  }
  for (const auto& [axis, memory] : indices_) k_.b.CreateStore(k_.bound(axis), memory);
  k_.b.CreateStore(k_.b.getTrue(), is_delayed_);
}

void Epilogue::finish() {
  if (!schedule_.delays) return;
  k_.loop(k_.number(0), k_.number(tile_.rows), 1, [&](llvm::Value* row) {
    begin_row(row);
    end_row(row);
  });
}

void Epilogue::begin_row(llvm::Value* row) {
  Carried nothing;
  if (halves_) {
    for (const ExprId id : halves_->between) {
      nothing.append(static_cast<std::size_t>(tile_.vectors), llvm::PoisonValue::get(vector_type(id)));
    }
  }
  between_ = k_.when(k_.b.CreateLoad(k_.b.getInt1Ty(), is_delayed_), nothing, [&] {
    Carried made;
    k_.elsewhere(tile_.one_row(), [&] { halves_ ? first_half(row, made) : whole_row(row); });
    return made;
  });
}

void Epilogue::end_row(llvm::Value* row) {
  llvm::Value* is_delayed = k_.b.CreateLoad(k_.b.getInt1Ty(), is_delayed_);
  if (halves_) {
    k_.when(is_delayed, {}, [&] {
      k_.elsewhere(tile_.one_row(), [&] { second_half(row); });
      return Carried{};
    });
  }
  llvm::Value* goes_on = k_.b.CreateICmpNE(row, k_.number(tile_.rows - 1));
  k_.b.CreateStore(k_.b.CreateAnd(is_delayed, goes_on), is_delayed_);
}

void Epilogue::whole_row(llvm::Value* row) {
  for (const auto& [axis, memory] : indices_) {
    llvm::Value* index = k_.b.CreateLoad(k_.module.i64_type(), memory);
    k_.bind(axis, axis == *schedule_.row ? k_.b.CreateNSWAdd(index, row) : index);
  }
  find_row(results_, row);
  k_.evaluate(std::span(schedule_.stages).subspan(1));
}

void Epilogue::first_half(llvm::Value* row, Carried& between) {
  find_row(results_, row);
  find_places(row);
  for (const ExprId id : halves_->between) {
    for (int column = 0; column < tile_.vectors; ++column) between.push_back(k_.vector_at(column, id));
  }
  k_.evaluate({&halves_->first, 1});
}

void Epilogue::second_half(llvm::Value* row) {
  find_places(row);
  auto made = between_.begin();
  for (const ExprId id : halves_->between) {
    for (int column = 0; column < tile_.vectors; ++column) k_.assume_at(column, id, *made++);
  }
  k_.evaluate({&halves_->second, 1});
}

void Epilogue::find_places(llvm::Value* row) {
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const ExprId access = halves_->accesses[i];
    llvm::Value* step = k_.number(k_.accesses().step(access, *schedule_.row)->constant());
    llvm::Type* element = k_.module.memory_type(k_.pool().dtype(access));
    llvm::Value* first = k_.b.CreateLoad(k_.module.pointer_type(), places_[i]);
    k_.assume_pointer(access, k_.b.CreateGEP(element, first, k_.b.CreateNSWMul(row, step)));
  }
}

llvm::Type* Epilogue::vector_type(ExprId id) {
  llvm::Type* element = k_.module.type(k_.pool().dtype(id));
  return llvm::FixedVectorType::get(element, static_cast<unsigned>(schedule_.width));
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
void Epilogue::find_row(std::span<const Spilled> spilled, llvm::Value* row) {
  const int vectors = k_.space().vectors;
  for (const auto& [local, type, memory] : spilled) {
    for (int column = 0; column < vectors; ++column) {
      llvm::Value* point = k_.b.CreateNSWAdd(k_.b.CreateNSWMul(row, k_.number(vectors)), k_.number(column));
      k_.set_register(local, 0, column, k_.b.CreateLoad(type, k_.b.CreateInBoundsGEP(type, memory, point)));
    }
  }
}

}  // namespace lathe::emit
