#include <lathe/runtime/model/metric.h>

#include <doctest/doctest.h>

#include <lathe/ops/cast.h>
#include <lathe/ops/losses.h>
#include <lathe/ops/source.h>
#include <lathe/runtime/session.h>

using namespace lathe;
using namespace lathe::nn;

namespace {

/// What a metric measures for each of four examples with three classes.
Tensor measured(const Metric& metric, Tensor labels) {
  Graph graph;
  const Value predictions = constant(graph, Tensor::from<float>({4, 3}, {0.1F, 0.7F, 0.2F,  //
                                                                         5, -1, 4,          //
                                                                         2, 2, 1,           //
                                                                         -3, -2, -1}));
  Session session(graph, {.threads = 1});
  return session.run(cast(metric.measure(constant(graph, std::move(labels)), predictions), f32));
}

Tensor hits(std::initializer_list<float> values) {
  return Tensor::from<float>({4}, values);
}

const Tensor sparse = Tensor::from<std::uint8_t>({4}, {1, 2, 1, 2});
const Tensor categorical = Tensor::from<float>({4, 3}, {0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1});

}  // namespace

TEST_CASE("accuracy compares the largest prediction with integer or one-hot labels") {
  CHECK(measured(sparse_accuracy(), sparse) == hits({1, 0, 0, 1}));
  CHECK(measured(categorical_accuracy(), categorical) == hits({1, 0, 0, 1}));
  CHECK(measured(accuracy(), sparse) == hits({1, 0, 0, 1}));
  CHECK(measured(accuracy(), categorical) == hits({1, 0, 0, 1}));
}

TEST_CASE("top-k accuracy counts labels among the k largest, ties in their favour") {
  CHECK(measured(top_k_accuracy(1), sparse) == hits({1, 0, 1, 1}));
  CHECK(measured(top_k_accuracy(2), sparse) == hits({1, 1, 1, 1}));
  CHECK(measured(top_k_accuracy(2), Tensor::from<std::int32_t>({4}, {0, 1, 2, 0})) == hits({0, 0, 0, 0}));
  CHECK(measured(top_k_accuracy(3), Tensor::from<std::int32_t>({4}, {0, 1, 3, -1})) == hits({1, 1, 0, 0}));
}

TEST_CASE("a loss can be watched as a metric") {
  const Tensor squared = measured(mean_loss(mean_squared_error, "mse"), categorical);
  CHECK(squared.at(0) == doctest::Approx((0.01 + 0.09 + 0.04) / 3));
}
