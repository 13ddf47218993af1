#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

/// libtorch behind plain C++: its headers and ours never meet, since they want different language versions.
namespace lathe::bench {

/// Parameters in Lathe's layout: kernels are [in, out].
struct MlpWeights {
  std::vector<float> w1;
  std::vector<float> b1;
  std::vector<float> w2;
  std::vector<float> b2;
};

/// How libtorch's side gathers a batch.
enum class TorchInput {
  bytes,   // gathers u8 rows, then converts and scales the batch
  floats,  // gathers rows of a data set that was converted and scaled beforehand: four times the memory
};

/// The same network, loss and optimizer in libtorch, in its usual form: modules, autograd, torch::optim::Adam.
class TorchMlp {
 public:
  virtual ~TorchMlp() = default;
  /// Trains on the examples with these numbers and returns the loss before the update.
  virtual float step(std::span<const std::int64_t> examples) = 0;
};

/// images: u8 [examples, 784], labels: u8 [examples]; both are copied.
std::unique_ptr<TorchMlp> make_torch_mlp(std::span<const std::uint8_t> images, std::span<const std::uint8_t> labels,
                                         const MlpWeights& initial, TorchInput input);
void set_torch_threads(int threads);
/// "libtorch 1.13.1"
std::string torch_version();

}  // namespace lathe::bench
