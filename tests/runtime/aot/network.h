#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <lathe/lathe.h>

/// What the tests of compiling ahead of time train, and how a session does it.
namespace lathe::test {

/// Two layers with dropout, their training, and a check that can fail; large enough for panels and for threads.
struct Network {
  explicit Network(Graph& graph) {
    x = placeholder(graph, "x", u8, {dim("batch"), 96});
    labels = placeholder(graph, "labels", i32, {dim("batch")});
    w1 = variable(graph, "dense/w", nn::init::glorot_uniform(graph, {96, 256}));
    b1 = variable(graph, "dense/b", Tensor(f32, {256}));
    w2 = variable(graph, "head/w", nn::init::glorot_uniform(graph, {256, 10}));
    const Value hidden = relu(matmul(cast(x, f32) * (1.0 / 255), w1) + b1);
    const Value logits = matmul(dropout(hidden, 0.25), w2);
    loss = mean(sparse_softmax_cross_entropy(labels, logits));
    train = optim::adam().minimize(loss);
    probabilities = softmax(matmul(hidden, w2));
  }

  std::vector<aot::Function> functions() const {
    return {aot::initialize("init"),
            {.name = "train_step", .feeds = {x, labels}, .fetches = {{"loss", loss}, train}},
            {.name = "predict", .feeds = {x}, .fetches = {{"probabilities", probabilities}}}};
  }

  Value x, labels, loss, train, probabilities;
  Variable w1, b1, w2;
};

inline Tensor pictures(std::int64_t batch, std::uint64_t seed) {
  Tensor out(u8, {batch, 96});
  std::uint64_t index = 0;
  for (std::uint8_t& byte : out.data<std::uint8_t>())
    byte = static_cast<std::uint8_t>(data::derive_seed(seed, index++));
  return out;
}

inline Tensor classes(std::int64_t batch, std::uint64_t seed) {
  Tensor out(i32, {batch});
  std::uint64_t index = 0;
  for (std::int32_t& label : out.data<std::int32_t>()) {
    label = static_cast<std::int32_t>(data::derive_seed(~seed, index++) % 10);
  }
  return out;
}

inline constexpr std::int64_t batches[] = {256, 32, 1, 33, 0, 256};

/// What a session's training leaves behind: the losses, and all variables.
struct Trained {
  std::vector<Tensor> losses;
  std::map<std::string, Tensor> variables;
};

/// Trains by a session; `seeds` receives those that random numbers were drawn from.
inline Trained train_by_session(Graph& graph, const Network& network) {
  Session session(graph, {.threads = 1});
  session.initialize(7);
  Trained out;
  std::uint64_t seed = 0;
  for (const std::int64_t batch : batches) {
    out.losses.push_back(
        session.run({network.loss, network.train, Value(run_seed(graph))},
                    {{network.x, pictures(batch, seed)},
                     {network.labels, classes(batch, seed)},
                     {run_seed(graph), Tensor::scalar<std::int64_t>(static_cast<std::int64_t>(seed))}})[0]);
    ++seed;
  }
  for (const std::string& name : session.variable_names()) out.variables.emplace(name, session.variable(name));
  return out;
}

}  // namespace lathe::test
