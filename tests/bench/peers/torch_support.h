#pragma once

#include <span>
#include <vector>

#include <torch/torch.h>

/// What libtorch's contestants share.
namespace lathe::bench::torch_peer {

/// Borrowed data as a tensor.
inline torch::Tensor borrow(std::span<const float> data, at::IntArrayRef shape) {
  return torch::from_blob(const_cast<float*>(data.data()), shape, torch::kFloat);
}

inline std::vector<double> numbers(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().contiguous();
  const float* const begin = flat.data_ptr<float>();
  return {begin, begin + flat.numel()};
}

}  // namespace lathe::bench::torch_peer
