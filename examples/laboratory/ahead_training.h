#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include <lathe/graph/tensor.h>

#include "batch.h"
#include "laboratory_graph.h"

namespace lathe::laboratory {

/// Way (d): the graph of way (c) as a C function that was compiled when this program was built. It needs no Lathe and
/// no compiler; all memory is the caller's.
class AheadTraining {
 public:
  explicit AheadTraining(const std::vector<Tensor>& initial, lathe_call the_call = {}) : call(the_call) {
    expect_success(laboratory_graph_init(state.bytes().data(), arena.bytes().data(), &call));
    laboratory_graph_import_w1(state.bytes().data(), initial[0].data<float>().data());
    laboratory_graph_import_b1(state.bytes().data(), initial[1].data<float>().data());
    laboratory_graph_import_w2(state.bytes().data(), initial[2].data<float>().data());
    laboratory_graph_import_b2(state.bytes().data(), initial[3].data<float>().data());
  }

  float step(const Batch& batch) {
    const std::int64_t needed[] = {laboratory_graph_train_step_arena_bytes(batch.size)};
    arena.resize(needed);
    float loss = 0;
    expect_success(laboratory_graph_train_step(state.bytes().data(), batch.pixels, batch.classes, &loss, batch.size,
                                               arena.bytes().data(), &call));
    return loss;
  }

  lathe_call call;
  Tensor state = Tensor(DType::u8, {LABORATORY_GRAPH_STATE_BYTES});
  Tensor arena = Tensor(DType::u8, {LABORATORY_GRAPH_INIT_ARENA_BYTES});

 private:
  static void expect_success(std::int32_t code) {
    if (code != LABORATORY_GRAPH_OK) throw std::runtime_error(laboratory_graph_message(code));
  }
};

}  // namespace lathe::laboratory
