#include <lathe/lathe.h>

#include <cstdio>

using namespace lathe;

int main() {
  Graph graph;  // a plan of a computation; nothing runs yet
  Value x = placeholder(graph, "x", f32, {dim("n"), 2});
  Value y = placeholder(graph, "y", f32, {dim("n"), 1});
  Variable w = variable(graph, "w", Tensor(f32, {2, 1}));
  Variable b = variable(graph, "b", Tensor(f32, {1}));
  Value loss = mean(square(matmul(x, w) + b - y));
  Value train = optim::sgd({.learning_rate = 0.1}).minimize(loss);  // gradients are nodes of the graph, too

  Session session(graph);  // compiles what is asked of it, once for every n
  session.initialize();
  Tensor points = Tensor::from<float>({4, 2}, {0, 0, 0, 1, 1, 0, 1, 1});
  Tensor heights = Tensor::from<float>({4, 1}, {1, 3, 4, 6});  // 3 a + 2 b + 1
  for (int step = 0; step < 500; ++step) session.run({loss, train}, {{x, points}, {y, heights}});

  Tensor found = session.variable(w);
  std::printf("%.3f a + %.3f b + %.3f\n", found.at(0), found.at(1), session.variable(b).at(0));
}
