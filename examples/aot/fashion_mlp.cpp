// Compiles the classifier with its training, for train.c.

#include "network.h"

using namespace lathe;

int main(int argc, char** argv) {
  Graph graph;
  const Network network(graph);
  return aot::generate(argc, argv, graph,
                       {aot::initialize("init"),
                        {.name = "train_step",
                         .feeds = {network.all_images, network.all_labels, network.rows},
                         .fetches = {{"loss", network.loss}, {"accuracy", network.accuracy}, network.train},
                         .doc = "One step of Adam on the examples whose numbers are in `rows`."},
                        {.name = "evaluate",
                         .feeds = {network.images, network.labels},
                         .fetches = {{"loss", network.test_loss}, {"accuracy", network.test_accuracy}},
                         .doc = "How well the network tells pictures apart."},
                        {.name = "predict",
                         .feeds = {network.images},
                         .fetches = {{"probabilities", network.probabilities}},
                         .doc = "The probability of each class."}},
                       {.name = "fashion_mlp"});
}
