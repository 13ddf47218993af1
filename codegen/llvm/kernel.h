#pragma once

#include <functional>
#include <unordered_map>
#include <unordered_set>

#include <lathe/codegen/access.h>
#include <lathe/codegen/llvm/arithmetic.h>
#include <lathe/codegen/llvm/function.h>
#include <lathe/codegen/schedule.h>
#include <lathe/codegen/strip_plan.h>

namespace lathe::emit {

/// How the code being emitted covers the index space: `rows` x `vectors` points at once, each a scalar, or a vector of
/// `width` elements where a value varies along `column`.
struct Space {
  std::optional<loop::AxisId> row;
  int rows = 1;
  std::optional<loop::AxisId> column;
  int width = 1;
  int vectors = 1;
  llvm::Value* mask = nullptr;  // lanes that exist; null: all. Only with one vector.

  int points() const { return rows * vectors; }
  Space one_row() const {
    Space one = *this;
    one.rows = 1;
    return one;
  }
};

/// A part of a contraction's sum: indices [begin, end) of its first reduced axis, of which `begin` is a multiple of
/// some power of two. What comes before is in memory: the chain so far, and the total of the chains before it.
struct Slice {
  llvm::Value* begin;
  llvm::Value* end;
  llvm::Value* is_last;  // nothing needs to be left in memory
  llvm::function_ref<llvm::Value*(int point)> chain;
  llvm::function_ref<llvm::Value*(int point)> total;
};

/// Emits a kernel's expressions, accesses and reductions within one function. What has been computed is remembered and
/// reused within its scope, once for all the points of the space that share it.
class KernelEmitter : public FunctionEmitter {
 public:
  KernelEmitter(ModuleEmitter& module, llvm::Function* function, Accesses& accesses,
                std::span<const loop::LocalInfo> locals, std::span<const loop::Stage> stages);

  loop::Pool& pool() { return accesses_.pool(); }
  Accesses& accesses() { return accesses_; }
  llvm::Value* extent(loop::AxisId axis) { return dim(pool().axis(axis).extent); }

  /// Lets large tensors be stored past the caches.
  void stream(std::span<const loop::TensorId> tensors) { streamed_ = {tensors.begin(), tensors.end()}; }
  /// Ends the function.
  void finish();

  /// Gives an axis its index. Of the space's row and column axes: the index of the first point.
  void bind(loop::AxisId axis, llvm::Value* index);
  llvm::Value* bound(loop::AxisId axis) const { return axes_.at(axis); }
  /// Emits code over another space, in a scope of its own.
  void within(const Space& space, llvm::function_ref<void()> make);
  /// The same for points at other indices, which `make` binds: nothing that is known of these holds of those.
  void elsewhere(const Space& space, llvm::function_ref<void()> make);
  const Space& space() const { return space_; }

  /// Rows of locals in memory: one, or those of a block of rows.
  struct Rows {
    loop::AxisId axis;
    std::int64_t count;
    bool across;  // neighbours are the same element of all rows, rather than all elements of a row
  };
  void place_local(loop::LocalId local, const std::optional<Rows>& rows);
  /// Which of those rows the space's first row is.
  void set_scratch_row(llvm::Value* row) { scratch_row_ = row; }

  /// A value at the current point: a scalar, or a vector where it varies along the column axis.
  llvm::Value* value(loop::ExprId id);
  /// The same, always as a vector if there is a column axis.
  llvm::Value* vector(loop::ExprId id);
  bool varies(loop::ExprId id) { return space_.column && accesses_.varies(id, *space_.column); }

  /// Reports a Check that fails at the current point; once where its condition is the same.
  void test(loop::ExprId check);
  /// Reports the Checks in `roots` that are the same for a whole row along `column`, for each row of the space.
  void test_rows(std::span<const loop::ExprId> roots, loop::AxisId column);
  /// Evaluates stages that hold no reductions at every point: all stages of a few points, in step, before the next few.
  void evaluate(std::span<const loop::Stage> stages);
  /// Evaluates a stage that is one reduction at every point, and `row` in the same loop if it joins that.
  void reduce(const loop::Stage& stage, const loop::Stage* row = nullptr) {
    deliver(stage, reduced(stage, nullptr, row));
  }
  /// The results of such a stage, for `deliver` to hand on to where they go; after the last slice, if there are slices.
  Carried reduced(const loop::Stage& stage, const Slice* slice, const loop::Stage* row = nullptr);
  /// From now on contractions of tiles of so many rows sum in as many parts, each even if there is nothing to sum, with
  /// what is emitted ahead of each part and after it: what the core can do beside. Of several, all name the same
  /// number.
  struct Interruption {
    std::function<void(llvm::Value* part)> ahead;
    std::function<void(llvm::Value* part)> after;
  };
  void interrupt_sums(int rows, Interruption interruption) {
    interrupted_rows_ = rows;
    interruptions_.push_back(std::move(interruption));
  }
  /// Evaluates a stage without reductions for a vector of rows, of which there are so many: the space's column runs
  /// across them. What a row has side by side in memory is turned in registers before it is stored.
  void evaluate_across(const loop::Stage& stage, llvm::Value* rows);
  /// Evaluates a stage without reductions along its one inner axis.
  void evaluate_along(const loop::Stage& stage, int width);
  /// A reduction along an axis that joins the next loop over as many columns, or has a loop of its own, and leaves its
  /// result in memory.
  struct Guest {
    loop::ExprId reduction;
    llvm::AllocaInst* result;
  };
  void join_next_loop(const Guest& guest) { guest_ = guest; }
  void reduce_alone(const Guest& guest);
  void deliver(const loop::Stage& stage, llvm::ArrayRef<llvm::Value*> results);

  /// Asks the cache for the next `length` elements that `access` reads from the bound column on.
  void prefetch(loop::ExprId access, llvm::Value* length);
  /// In a kernel that may go past the caches: asks for what `roots` will read along the column a few lines from here.
  void prefetch_ahead(std::span<const loop::ExprId> roots);

  /// Runs `body` over all indices of `axes`, the last fastest.
  using NestBody = llvm::function_ref<Carried(llvm::ArrayRef<llvm::Value*> carried)>;
  Carried nest(std::span<const loop::AxisId> axes, llvm::ArrayRef<llvm::Value*> initial, NestBody body);
  void nest(std::span<const loop::AxisId> axes, llvm::function_ref<void()> body);
  /// Covers `length` indices of `axis` from `begin` with groups of so many whole vectors, then with what is left: at
  /// last one vector that is masked.
  Carried cover(loop::AxisId axis, llvm::Value* begin, llvm::Value* length, int width, int most_vectors,
                llvm::ArrayRef<llvm::Value*> initial, NestBody body);
  void cover(loop::AxisId axis, llvm::Value* begin, llvm::Value* length, int width, int most_vectors,
             llvm::function_ref<void()> body);
  /// The same with single vectors.
  void vectors(loop::AxisId axis, llvm::Value* begin, llvm::Value* length, int width, llvm::function_ref<void()> body) {
    cover(axis, begin, length, width, 1, body);
  }
  /// The mask of the first `count` lanes of `width`.
  llvm::Value* first_lanes(llvm::Value* count, int width);
  /// How many vectors of `width` elements are worth evaluating in step: several if `stages` compute for long, as what
  /// one of them waits for the others fill.
  int vectors_in_step(std::span<const loop::Stage> stages, loop::AxisId column, int width);

  /// A range of an axis: `length` indices from `begin` on.
  struct Range {
    loop::AxisId axis;
    llvm::Value* begin;
    llvm::Value* length;
  };
  /// Some terms of a contraction with one axis, at most `most`, a multiple of the elements that a vector has.
  struct Terms {
    llvm::Value* begin;
    llvm::Value* length;
    std::int64_t most;
  };
  /// Copies an operand of a contraction for columns, at most `panel`, and all terms or these: what is computed of it
  /// there from now on comes from the copy.
  void pack(const loop::Reduce& reduce, loop::ExprId operand, const Range& columns, std::int64_t panel, int width,
            const std::optional<Terms>& terms = std::nullopt);

  /// Copies what `load` reads of a block of rows, at most `width`, in at most `panel` columns. Its neighbours are in
  /// different rows: squares are turned in registers. What is loaded of it there comes from the copy. What lies `ahead`
  /// rows further is asked for.
  void turn(loop::ExprId load, const Range& rows, const Range& columns, int width, std::int64_t panel,
            std::int64_t ahead);

  /// From now on contractions turn squares of an operand as they go, of at most `panel` columns: its neighbours are
  /// terms of a sum.
  void turn_terms(loop::ExprId operand, std::int64_t panel) { turned_terms_ = {operand, panel}; }

  /// Makes room for the space's rows of an operand that runs along rows: what is computed of it from now on comes from
  /// there. Contractions put it there as they go, where `set_block_is_new` says that the block is.
  void open_block(const loop::Reduce& reduce, loop::ExprId operand, loop::AxisId column);
  void set_block_is_new(llvm::Value* condition) { block_is_new_ = condition; }
  /// Of an operand that runs along rows, and of which sums take terms along `axis`: some rows of the terms from `begin`
  /// on, in memory.
  struct Lines {
    loop::ExprId operand;
    loop::AxisId axis;
    loop::AxisId row;
    llvm::Value* begin;
    llvm::Value* first_row;
    llvm::Value* rows;
    std::int64_t most_rows;
    llvm::Value* memory;
  };
  /// Place number `first` of the memory that the operand's lines have, all of which is `elements` long.
  llvm::Value* lines_memory(loop::ExprId operand, std::int64_t elements, llvm::Value* first);
  /// Makes lines, for terms [from, to).
  void make_lines(const Lines& lines, llvm::Value* from, llvm::Value* to);
  /// What is computed of the operand in tiles along `column` comes from there from now on.
  void use_lines(const Lines& lines, loop::AxisId column);
  /// Whether this thread does all of the kernel.
  llvm::Value* alone();

  /// The values that locals kept in registers have at the current space's points.
  void set_register(loop::LocalId local, int row, int column, llvm::Value* value) {
    registers_[{local, row, column}] = value;
  }
  llvm::Value* get_register(loop::LocalId local, int row, int column) const {
    return registers_.at({local, row, column});
  }

  /// A value at a point of the space, counted in row-major order, always as a vector.
  llvm::Value* vector_at(int point, loop::ExprId id);
  /// Lets `made` be the value there.
  void assume_at(int point, loop::ExprId id, llvm::Value* made);
  /// Where an access lands at the space's first point, and lets it land there.
  llvm::Value* pointer_to(loop::ExprId access) { return first_element(access, accesses_.flat(access)); }
  void assume_pointer(loop::ExprId access, llvm::Value* pointer) {
    remember({access, -1, -1, Form::pointer}, pointer, false);
  }

  llvm::Value* tensor(loop::TensorId id);
  /// What the frame that this kernel is called with has to hold.
  std::span<const FrameSlot> frame() const { return frame_; }

 protected:
  llvm::Value* symbol(std::size_t index) override;
  void open_scope() override { scopes_.emplace_back(); }
  void close_scope() override { scopes_.pop_back(); }

 private:
  enum class Form { value, splat, pointer, tested };
  struct Key {
    loop::ExprId id;
    int row;
    int column;
    Form form;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  struct Known {
    llvm::Value* value;
    bool stale_after_store;
  };
  struct LocalRow {
    llvm::AllocaInst* memory;
    std::int64_t step;                 // from an element of a row to the next
    std::int64_t row_step;             // from a row to the next
    std::optional<loop::AxisId> axis;  // of several rows
  };
  /// Where an access lands at the current point.
  struct Place {
    llvm::Value* pointer;  // of the first lane
    DType dtype;
    bool contiguous;       // lanes are neighbours
    llvm::Value* offsets;  // of the lanes, in elements; null if contiguous or all lanes share one place
    int step = 0;          // from a lane to the next, if that is known and short; 0: it is not
  };
  /// A copy of an operand: a panel [reduced axes, columns], a block [rows, reduced axes], or lines [reduced axis,
  /// rows].
  struct Packed {
    enum class Kind { panel, block, lines };
    Kind kind;
    loop::ExprId operand;
    std::vector<loop::AxisId> axes;
    loop::AxisId column;  // of the tiles that read it
    llvm::Value* memory;
    std::int64_t stride;                // elements from one line, or of a block one row, to the next
    llvm::Value* first = nullptr;       // column of a panel, row of lines
    llvm::Value* first_line = nullptr;  // a reduced index, unless all of them are there
  };
  struct Row {
    llvm::Value* first;
    llvm::Type* element;
  };
  struct TurnedTerms {
    loop::ExprId operand;
    std::int64_t panel;
  };
  struct Evaluate;

  Key key(loop::ExprId id, Form form);
  llvm::Value* known(const Key& key) const;
  void remember(const Key& key, llvm::Value* value, bool stale_after_store);
  /// Forgets what was read from memory that has been written since.
  void forget_stored();
  bool is_fixed(loop::ExprId id);
  llvm::Value* compute(loop::ExprId id);
  bool is_piecewise(loop::ExprId id);
  llvm::Value* select_piece(const loop::Select& e);
  llvm::Value* at_lane(int lane, loop::ExprId id);
  llvm::Value* select_lazily(const loop::Select& e, llvm::Value* otherwise, llvm::function_ref<llvm::Value*()> then);
  llvm::Value* splat(llvm::Value* scalar);
  llvm::Value* sum(const loop::Affine& affine);
  llvm::Value* axis_index(loop::AxisId axis);

  int points_in_step(int width) const;
  std::vector<loop::ExprId> vector_parts(const loop::Stage& stage);
  /// Makes a point of the space, counted in row-major order, the current one.
  void go_to(int point);
  llvm::Value* value_at(int point, loop::ExprId id) {
    go_to(point);
    return value(id);
  }

  llvm::Value* slot(const FrameSlot& holds);
  void report(llvm::Value* check, llvm::Value* index, llvm::Value* detail);
  Place place(loop::ExprId access);
  llvm::Value* first_element(loop::ExprId access, const loop::Affine& flat);
  llvm::Value* lane_offsets(const Dim& step);
  bool covers_row(loop::ExprId access);
  bool slides(loop::ExprId id);
  bool slides(const loop::Affine& sum, std::int64_t most);
  llvm::Value* load_sliding(loop::ExprId access);
  llvm::Value* load(loop::ExprId access);
  llvm::Value* load_from(const Place& at, loop::ExprId access);
  llvm::Value* load_in_steps(const Place& at, loop::ExprId access);
  /// Of lines that are whole vectors, one after the other.
  static llvm::Align line_alignment(DType dtype, int width);
  /// Lines of a square: more would not fit into the registers.
  int square_width(DType dtype, int width) const;
  llvm::AllocaInst* packed_memory(loop::ExprId operand, std::int64_t elements);
  void release(loop::ExprId operand);
  llvm::Value* packed_line(const Packed& packed, std::int64_t stride);
  llvm::Value* packed_element(const Packed& packed, llvm::Value* along);
  llvm::Value* block_element(const Packed& block);
  const Packed* find_packed(loop::ExprId operand) const;
  llvm::Value* load_packed(const Packed& packed);
  void pack_square(const Packed& packed, const Space& along, llvm::Value* first_line, llvm::Value* column,
                   std::int64_t count, std::int64_t ahead = 0);
  void pack_transposed(const Packed& packed, llvm::Value* columns, int width, const std::optional<Terms>& terms);
  Packed packed_lines(const Lines& lines, loop::AxisId column);
  std::optional<Packed> find_block(const loop::Reduce& reduce) const;
  void find_rows(loop::ExprId operand, std::span<const loop::AxisId> along);
  std::vector<Row> next_rows(loop::ExprId operand, loop::AxisId last);
  void fill_block(const Packed& block);
  Carried with_block(const Packed& block, llvm::Value* begin, llvm::Value* end, llvm::ArrayRef<llvm::Value*> initial,
                     NestBody step);
  using VectorsBody =
      llvm::function_ref<Carried(llvm::Value* from, llvm::Value* count, llvm::ArrayRef<llvm::Value*> carried)>;
  Carried in_vectors(llvm::Value* begin, llvm::Value* length, int width, llvm::ArrayRef<llvm::Value*> initial,
                     VectorsBody body);
  Carried with_turned_terms(loop::AxisId last, llvm::Value* begin, llvm::Value* end,
                            llvm::ArrayRef<llvm::Value*> initial, NestBody step);
  Carried transpose(Carried rows);
  llvm::Value* interleave(llvm::Value* x, llvm::Value* y, std::size_t block, std::size_t from, std::size_t in_turn);
  Carried gather_blocks(const Carried& parts, std::size_t block);
  void store(loop::ExprId access, llvm::Value* value);
  void assign(const loop::Yield& yield, llvm::Value* value);
  void assign_points(const loop::Yield& yield, int first, const Carried& values);
  bool streams(const loop::Yield& yield, loop::AxisId column, int width) const;
  void store_lines(const loop::Yield& yield, const Carried& pointers, const Carried& values);
  llvm::Value* goes_past_caches(loop::TensorId tensor);
  void fence();
  llvm::Instruction* annotate(llvm::Instruction* instruction, loop::ExprId access);
  void find_buffers(std::span<const loop::Stage> stages);
  void find_coefficients(std::span<const loop::Stage> stages);
  llvm::Value* from_memory(loop::ExprId id, llvm::Constant* vector);
  llvm::Value* lookup(loop::ExprId id);

  llvm::Value* untested_element(loop::ExprId access);
  void prefetch(llvm::Value* at);
  void prefetch_next_rows(loop::ExprId access, loop::AxisId last, int elements);
  Carried contract(const loop::Reduce& reduce, DType dtype, int rows, int vectors, const Slice* slice);
  Carried add_slice(const Slice& slice, DType dtype, const Carried& zeros, bool one_chain,
                    llvm::function_ref<Carried(llvm::ArrayRef<llvm::Value*>)> chain);
  struct Points {
    int rows;
    int vectors;
  };
  Points points_of(loop::ExprId reduced);
  Carried across_columns(const loop::Reduce& reduce, DType dtype, int rows, int vectors);
  bool stores_rows(const loop::Yield& yield, loop::AxisId axis);
  Carried few_across(const loop::Reduce& reduce, DType dtype, int rows, int vectors, int length);
  llvm::Value* along_axis(const loop::Reduce& reduce, DType dtype, const loop::Stage* row);
  llvm::Value* no_lanes(const loop::Reduce& reduce, DType dtype);
  llvm::Value* take_in(const loop::Reduce& reduce, DType dtype, llvm::Value* lanes);
  Carried with_guest(loop::AxisId axis, int width, int most_vectors, llvm::ArrayRef<llvm::Value*> initial,
                     NestBody body);
  llvm::Value* fold_vectors(const loop::Reduce& reduce, DType dtype, Carried lanes);
  llvm::Value* fold_lanes(const loop::Reduce& reduce, DType dtype, llvm::Value* lanes);

  Accesses& accesses_;
  Arithmetic arithmetic_;
  std::vector<loop::LocalInfo> locals_;
  std::unordered_map<loop::AxisId, llvm::Value*> axes_;
  std::unordered_map<loop::AxisId, int> depths_;  // when an axis was bound: outer loops have smaller numbers
  int bound_ = 0;
  std::unordered_map<loop::LocalId, LocalRow> rows_;
  std::map<std::tuple<loop::LocalId, int, int>, llvm::Value*> registers_;
  std::vector<Packed> packed_;
  std::unordered_map<loop::ExprId, llvm::AllocaInst*> packed_memory_;
  llvm::Value* block_is_new_ = nullptr;
  std::optional<TurnedTerms> turned_terms_;
  std::vector<Row> next_rows_;  // where the loads of what makes a block find the next one's, if that is anywhere
  std::optional<Guest> guest_;  // of the next loop
  int interrupted_rows_ = 0;    // of tiles; parts of their sums
  std::vector<Interruption> interruptions_;
  llvm::Value* scratch_row_ = nullptr;
  std::vector<FrameSlot> frame_;
  std::unordered_map<loop::TensorId, llvm::Value*> tensors_;
  std::unordered_map<loop::TensorId, std::pair<llvm::MDNode*, llvm::MDNode*>> buffers_;  // alias scope, noalias
  std::vector<loop::TensorId> streamed_;
  std::map<loop::TensorId, llvm::Value*> past_caches_;
  std::unordered_set<loop::ExprId> coefficients_;  // constants that are read from memory
  std::map<std::pair<loop::ExprId, int>, llvm::GlobalVariable*> coefficient_memory_;
  std::vector<std::unordered_map<Key, Known, KeyHash>> scopes_;
  Space space_;
  int row_ = 0;  // the current point
  int column_ = 0;
  bool in_entry_ = false;
  bool in_pieces_ = true;  // whether vectors that lie in one piece of a concatenation take that alone
  bool tests_ = true;      // whether Checks report what fails them
};

/// Emits the body of a kernel's function as its schedule says.
void emit_panels(KernelEmitter& kernel, const Schedule& schedule);
void emit_rows(KernelEmitter& kernel, const Schedule& schedule, const MachineModel& machine);
/// Runs `body` over the items [begin, end) of the kernel's function, a run of neighbouring blocks of rows at a time,
/// with the batch axes bound; `enter` goes before all runs of one panel.
void for_each_run(KernelEmitter& kernel, const Schedule& schedule, llvm::function_ref<void(llvm::Value* panel)> enter,
                  llvm::function_ref<void(llvm::Value* panel, llvm::Value* first_row, llvm::Value* end_row)> body);
/// How many items the kernel has, as a number in `function`; `alone` is whether one thread does them all.
llvm::Value* item_count(FunctionEmitter& function, const Schedule& schedule, const loop::Pool& pool,
                        llvm::Value* alone);
/// How many items a kernel has around those along points: see PointItems.
struct ItemsAround {
  llvm::Value* before;
  llvm::Value* after;
};
ItemsAround items_around(FunctionEmitter& function, const Schedule& schedule, const PointItems& items,
                         const loop::Pool& pool, llvm::Value* alone);
/// A kernel of one item: copies the base and adds every point.
struct EmittedKernel {
  llvm::Function* function;
  std::vector<FrameSlot> frame;
};
EmittedKernel emit_scatter(ModuleEmitter& module, const loop::ScatterKernel& scatter, const std::string& name);

}  // namespace lathe::emit
