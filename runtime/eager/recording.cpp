// The part of State that records what tapes follow.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <lathe/ops/cast.h>
#include <lathe/runtime/eager/state.h>

namespace lathe::eager {

std::uint32_t State::start_tape(TapeRecord& tape) {
  const auto free_one = std::find(tapes_.begin(), tapes_.end(), nullptr);
  if (free_one == tapes_.end()) throw GraphError(fmt::format("more than {} tapes at a time", tapes_.size()));
  *free_one = &tape;
  const auto number = static_cast<std::uint32_t>(free_one - tapes_.begin());
  recording_ |= 1U << number;
  return number;
}

void State::stop_tape(std::uint32_t number) {
  recording_ &= ~(1U << number);
  tapes_[number] = nullptr;
  for (Array& array : arrays_) {
    array.tapes &= ~(1U << number);
    // What the record refers to may go now.
    if (array.tapes == 0) array.recorded.reset();
  }
}

bool State::follows(std::uint32_t tape, const Value& array) const {
  const Array& known = at(array.id().node);
  return (known.tapes >> tape & 1U) != 0 || (known.trainable && tapes_[tape]->watch_variables);
}

std::uint32_t State::recording_tapes(const Value& input) const {
  std::uint32_t tapes = 0;
  for (std::uint32_t number = 0; recording_ >> number != 0; ++number) {
    if ((recording_ >> number & 1U) != 0 && follows(number, input)) tapes |= 1U << number;
  }
  return tapes;
}

/// Lets the tapes that follow an input follow the output.
void State::record(const Value& output, std::span<const Value> inputs, const SourceLine& where) {
  if (!is_float(output.dtype())) return;
  std::uint32_t tapes = 0;
  for (const Value& input : inputs) tapes |= recording_tapes(input);
  if (tapes == 0) return;
  Node node = output.node();
  node.where = where;
  Values seen;  // where a variable is read, what it holds now
  for (const Value& input : inputs) {
    seen.push_back(is_variable(input.id().node) ? read_on_tapes(input, recording_tapes(input), where) : input);
    node.inputs.push_back(seen.back().id());
  }
  keep(output, std::move(node), std::move(seen), tapes);
}

/// The present value of a variable as an array of its own, so that an assignment does not change what was recorded.
Value State::read_on_tapes(const Value& variable, std::uint32_t tapes, const SourceLine& where) {
  Array& array = at(variable.id().node);
  if (!array.read) {
    array.read = alias(prototype_of(complete_node(op::identity, {&variable, 1}, {}, where)), array);
  }
  const Value read = *array.read;
  const std::uint32_t unaware = tapes & ~at(read.id().node).tapes;
  if (unaware == 0) return read;
  Node node = at(read.id().node).prototype->node;
  node.where = where;
  node.inputs = {variable.id()};
  keep(read, std::move(node), {variable}, unaware);
  return read;
}

void State::keep(const Value& output, Node node, Values inputs, std::uint32_t tapes) {
  Array& array = at(output.id().node);
  array.recorded = std::make_shared<const Node>(std::move(node));
  array.tapes |= tapes;
  for (std::uint32_t number = 0; number < tapes_.size(); ++number) {
    if ((tapes >> number & 1U) == 0) continue;
    TapeRecord& tape = *tapes_[number];
    tape.order.push_back(output.id().node);
    tape.kept.push_back(output);
    tape.kept.insert(tape.kept.end(), inputs.begin(), inputs.end());
  }
}

}  // namespace lathe::eager
