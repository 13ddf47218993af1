#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/graph/tensor.h>

namespace lathe::examples {

/// Pictures and labels, and what the labels mean.
struct LabelledImages {
  const Tensor& images;  // u8 [n, rows, columns]
  const Tensor& labels;  // u8 [n]
  std::span<const std::string_view> classes;
};

/// The first images, `columns` by `rows`, each above its class name.
void draw_samples(const std::filesystem::path& path, const LabelledImages& data, int columns = 5, int rows = 5);

/// One curve: a number an epoch.
struct Curve {
  std::string name;
  std::vector<double> values;
};

/// A panel of curves over the same epochs.
struct Panel {
  std::string title;
  std::vector<Curve> curves;
};

/// Panels side by side, each with its own scale.
void draw_curves(const std::filesystem::path& path, std::span<const Panel> panels);

/// The images numbered `first`, `first` + 1, ... in a grid, each beside a bar chart of its class probabilities. The
/// caption is the predicted class with its probability and the true class: blue if they agree, red if not.
/// probabilities: f32 [n, classes].
void draw_predictions(const std::filesystem::path& path, const LabelledImages& data, const Tensor& probabilities,
                      std::int64_t first, int columns = 1, int rows = 1);

}  // namespace lathe::examples
