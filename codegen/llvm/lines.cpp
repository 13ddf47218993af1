#include <lathe/codegen/llvm/lines.h>

#include <lathe/codegen/slicing.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

/// How many bytes the second place is from the end of the first. Whole pages would be the wrong distance: loads from
/// one place would wait for stores to the other, as a core at first compares only the addresses within a page.
constexpr std::int64_t gap_bytes = 2048;

}  // namespace

LinesAhead::LinesAhead(KernelEmitter& kernel, const Schedule& schedule, const Reduce& reduce)
    : k_(kernel), schedule_(schedule), axis_(reduce.axes.front()) {
  const int bytes = static_cast<int>(size_of(k_.pool().dtype(*schedule.lines)));
  if (!leaves_registers(schedule.tiles.front(), schedule.width, bytes, k_.module.target.machine)) return;
  made_ = k_.stack_array(k_.module.i64_type(), 1, "made");
  place_ = k_.stack_array(k_.module.i64_type(), 1, "place");
  // After the last part nothing is missing before the first term of the next: nothing begins anew.
  k_.in_entry([&] {
    k_.b.CreateStore(k_.number(0), made_);
    return k_.b.CreateStore(k_.number(0), place_);
  });
  k_.interrupt_sums(schedule_.rows(), [this](llvm::Value*) { make_some(); });
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
  llvm::Value* other = k_.b.CreateNSWSub(k_.number(second_place()), place);
  // Less than all rows would take code of its own, and is made when its turn has come.
  llvm::Value* most_rows = k_.number(sliced_rows(schedule_));
  next_ = lines(next, most_rows, other);
  next_end_ = k_.b.CreateSelect(k_.b.CreateICmpSGE(next.rows, most_rows), next.end, next.begin);
  k_.b.CreateStore(next.begin, made_);
  k_.b.CreateStore(other, place_);

  const Tile& tile = schedule_.tiles.front();
  const std::int64_t tiles = schedule_.panel / (std::int64_t{tile.vectors} * schedule_.width);
  const std::int64_t of_a_panel = tiles * sliced_rows(schedule_);
  const std::int64_t of_all = of_a_panel * sharing_points(schedule_, k_.pool());
  llvm::Value* missing = k_.b.CreateNSWSub(next_end_, next.begin);
  at_once_ = k_.b.CreateSelect(k_.alone(), k_.ceil_div(missing, of_all), k_.ceil_div(missing, of_a_panel));
}

KernelEmitter::Lines LinesAhead::lines(const Part& part, llvm::Value* rows, llvm::Value* place) {
  const std::int64_t elements = (made_ ? second_place() : 0) + place_elements();
  llvm::Value* memory = k_.lines_memory(*schedule_.lines, elements, place);
  return {*schedule_.lines, axis_, *schedule_.row, part.begin, part.first_row, rows, sliced_rows(schedule_), memory};
}

std::int64_t LinesAhead::place_elements() const {
  return sliced_rows(schedule_) * schedule_.slice;
}

std::int64_t LinesAhead::second_place() const {
  return place_elements() + gap_bytes / static_cast<std::int64_t>(size_of(k_.pool().dtype(*schedule_.lines)));
}

void LinesAhead::make_some() {
  llvm::Value* from = k_.b.CreateLoad(k_.module.i64_type(), made_);
  llvm::Value* to = k_.smaller(k_.b.CreateNSWAdd(from, at_once_), next_end_);
  k_.elsewhere({}, [&] { k_.make_lines(next_, from, to); });
  k_.b.CreateStore(to, made_);
}

}  // namespace lathe::emit
