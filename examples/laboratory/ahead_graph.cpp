// Way (d), before the laboratory is built: the graph of way (c) becomes an object file and a C header.

#include "graph_training.h"

using namespace lathe;

int main(int argc, char** argv) {
  const laboratory::TrainingGraph plan;
  return aot::generate(argc, argv, plan.graph,
                       {aot::initialize("init"),
                        {.name = "train_step",
                         .feeds = {plan.images, plan.labels},
                         .fetches = {{"loss", plan.loss}, plan.train},
                         .doc = "One step of Adam."}},
                       {.name = "laboratory_graph"});
}
