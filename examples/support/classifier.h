#pragma once

#include <nlohmann/json.hpp>

#include <lathe/runtime/data/fashion_mnist.h>
#include <lathe/runtime/model/sequential.h>

#include "program.h"

namespace lathe::examples {

/// The figures of a training run, for the file of --json.
nlohmann::json report(const nn::Sequential& model, const nn::History& history, const nn::Measurements& test);

/// Draws samples, the course of training and predictions into the folder of --out. `probabilities` are of the test
/// images, [n, 10]; `history` has validation figures.
void draw(const TrainingArguments& arguments, const data::FashionMnist& data, const nn::History& history,
          const Tensor& probabilities);

}  // namespace lathe::examples
