#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string_view>

#include <lathe/graph/tensor.h>

namespace lathe::data {

/// Fashion-MNIST (Xiao, Rasul, Vollgraf, arXiv:1708.07747): pictures of clothing, 28 by 28 grey levels, ten classes.
struct FashionMnist {
  Tensor train_images;  // u8 [60000, 28, 28]
  Tensor train_labels;  // u8 [60000], 0 to 9
  Tensor test_images;   // u8 [10000, 28, 28]
  Tensor test_labels;   // u8 [10000]
};

/// What the labels 0 to 9 mean.
inline constexpr std::array<std::string_view, 10> fashion_mnist_classes = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};

/// Reads the four files (IDX, gzip or plain) from `folder`, or else from the first of these that has them all:
/// $LATHE_DATA, ~/.cache/lathe/fashion-mnist, and where Debian's package dataset-fashion-mnist puts them.
/// Throws DataError if no folder has the files (it says where it looked and where to get them), if a file is
/// corrupt, or if its images or labels have another shape, or a label above 9.
FashionMnist fashion_mnist(const std::optional<std::filesystem::path>& folder = std::nullopt);

}  // namespace lathe::data
