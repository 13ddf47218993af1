#include <lathe/codegen/llvm/lines.h>

#include <lathe/codegen/slicing.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

// A core at first compares only the addresses within a page: a load waits for an earlier store that lies alike there.

/// How many bytes the second place is from the end of the first: not whole pages, as one is stored to while the other
/// is loaded from.
constexpr std::int64_t gap_bytes = 2048;
/// Within so many bytes lines are moved to where what epilogues store does not lie alike.
constexpr std::int64_t slack_bytes = 2048;

}  // namespace

LinesAhead::LinesAhead(KernelEmitter& kernel, const Schedule& schedule, const Reduce& reduce)
    : k_(kernel),
      schedule_(schedule),
      axis_(reduce.axes.front()),
      bytes_(static_cast<std::int64_t>(size_of(kernel.pool().dtype(*schedule.lines)))) {
  if (!leaves_registers(schedule.tiles.front(), schedule.width, static_cast<int>(bytes_), k_.module.target.machine))
    return;
  made_ = k_.stack_array(k_.module.i64_type(), 1, "made");
  place_ = k_.stack_array(k_.module.i64_type(), 1, "place");
  other_place_ = k_.stack_array(k_.module.i64_type(), 1, "other_place");
  llvm::Value* first = first_place();
  // After the last part nothing is missing before the first term of the next: nothing begins anew.
  k_.in_entry([&] {
    k_.b.CreateStore(k_.number(0), made_);
    k_.b.CreateStore(first, place_);
    return k_.b.CreateStore(k_.b.CreateNSWAdd(first, k_.number(second_place())), other_place_);
  });
  k_.interrupt_sums(schedule_.rows(), {[this](llvm::Value*) { make_some(); }, [](llvm::Value*) {}});
}

void LinesAhead::use(const Part& part, const Part& next) {
  llvm::Value* place = k_.number(0);
  llvm::Value* made = part.begin;
  if (made_) {
    place = k_.b.CreateLoad(k_.module.i64_type(), place_);
    made = k_.b.CreateLoad(k_.module.i64_type(), made_);
  }
  const KernelEmitter::Lines now = lines(part, part.rows, place);
  k_.make_lines(now, made, part.end);
  k_.use_lines(now, *schedule_.column);
  if (made_) prepare(next, place);
}

void LinesAhead::prepare(const Part& next, llvm::Value* place) {
  llvm::Value* other = k_.b.CreateLoad(k_.module.i64_type(), other_place_);
  // Less than all rows would take code of its own, and is made when its turn has come.
  llvm::Value* most_rows = k_.number(sliced_rows(schedule_));
  next_ = lines(next, most_rows, other);
  next_end_ = k_.b.CreateSelect(k_.b.CreateICmpSGE(next.rows, most_rows), next.end, next.begin);
  k_.b.CreateStore(next.begin, made_);
  k_.b.CreateStore(other, place_);
  k_.b.CreateStore(place, other_place_);

  const Tile& tile = schedule_.tiles.front();
  const std::int64_t tiles = schedule_.panel / (std::int64_t{tile.vectors} * schedule_.width);
  const std::int64_t of_a_panel = tiles * sliced_rows(schedule_);
  const std::int64_t of_all = of_a_panel * sharing_points(schedule_, k_.pool());
  llvm::Value* missing = k_.b.CreateNSWSub(next_end_, next.begin);
  at_once_ = k_.b.CreateSelect(k_.alone(), k_.ceil_div(missing, of_all), k_.ceil_div(missing, of_a_panel));
}

KernelEmitter::Lines LinesAhead::lines(const Part& part, llvm::Value* rows, llvm::Value* place) {
  llvm::Value* memory = k_.lines_memory(*schedule_.lines, lines_elements(), place);
  return {*schedule_.lines, axis_, *schedule_.row, part.begin, part.first_row, rows, sliced_rows(schedule_), memory};
}

/// Tiles go through lines, and through what their epilogues update, at about the same pace: so lines begin half of the
/// slack behind that, as seen within a page, and stay away from it.
llvm::Value* LinesAhead::first_place() {
  if (!schedule_.delays) return k_.number(0);
  for (const Stage& stage : std::span(schedule_.stages).subspan(1)) {
    for (const Yield& yield : stage.yields) {
      const auto* to = std::get_if<ToTensor>(&yield.destination);
      if (!to) continue;
      llvm::Value* updated = k_.tensor(to->tensor);
      return k_.in_entry([&] {
        llvm::Value* memory = k_.lines_memory(*schedule_.lines, lines_elements(), k_.number(0));
        const auto address = [&](llvm::Value* pointer) { return k_.b.CreatePtrToInt(pointer, k_.module.i64_type()); };
        llvm::Value* distance = k_.b.CreateSub(address(updated), address(memory));
        distance = k_.b.CreateAdd(distance, k_.number(slack_bytes / 2));
        distance = k_.b.CreateAnd(distance, k_.number(slack_bytes - cache_line_bytes));
        return k_.b.CreateUDiv(distance, k_.number(bytes_));
      });
    }
  }
  return k_.number(0);
}

std::int64_t LinesAhead::lines_elements() const {
  return (made_ ? slack_bytes / bytes_ + second_place() : 0) + place_elements();
}

std::int64_t LinesAhead::place_elements() const {
  return sliced_rows(schedule_) * schedule_.slice;
}

std::int64_t LinesAhead::second_place() const {
  return place_elements() + gap_bytes / bytes_;
}

void LinesAhead::make_some() {
  llvm::Value* from = k_.b.CreateLoad(k_.module.i64_type(), made_);
  llvm::Value* to = k_.smaller(k_.b.CreateNSWAdd(from, at_once_), next_end_);
  k_.elsewhere({}, [&] { k_.make_lines(next_, from, to); });
  k_.b.CreateStore(to, made_);
}

}  // namespace lathe::emit
