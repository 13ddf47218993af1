#include <lathe/runtime/data/fashion_mnist.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <lathe/runtime/data/idx.h>

namespace lathe::data {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t side = 28;
constexpr std::array<std::string_view, 4> names = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                                   "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

/// An explicit folder stands alone: falling back from a mistyped one to other data would hide the mistake.
std::vector<fs::path> candidates(const std::optional<fs::path>& folder) {
  if (folder) return {*folder};
  std::vector<fs::path> folders;
  if (const char* named = std::getenv("LATHE_DATA"); named && *named) folders.emplace_back(named);
  if (const char* home = std::getenv("HOME"); home && *home)
    folders.push_back(fs::path(home) / ".cache/lathe/fashion-mnist");
  folders.emplace_back("/usr/share/datasets/fashion-mnist");
  return folders;
}

/// The file called `name` in `folder`, packed or plain.
std::optional<fs::path> find_file(const fs::path& folder, std::string_view name) {
  for (const std::string_view ending : {".gz", ""}) {
    fs::path path = folder / fmt::format("{}{}", name, ending);
    std::error_code ignored;
    if (fs::exists(path, ignored)) return path;
  }
  return std::nullopt;
}

using Paths = std::array<fs::path, names.size()>;

Paths find_files(const std::optional<fs::path>& folder) {
  std::string looked;
  for (const fs::path& candidate : candidates(folder)) {
    Paths paths;
    std::string missing;
    for (std::size_t i = 0; i < names.size(); ++i) {
      auto found = find_file(candidate, names[i]);
      if (found)
        paths[i] = *std::move(found);
      else
        missing += fmt::format("{}{}", missing.empty() ? "" : ", ", names[i]);
    }
    if (missing.empty()) return paths;
    std::error_code ignored;
    looked += fs::is_directory(candidate, ignored) ? fmt::format("\n  {}: lacks {}", candidate.string(), missing)
                                                   : fmt::format("\n  {}: no such folder", candidate.string());
  }
  throw DataError(fmt::format(
      "Fashion-MNIST was not found. Looked for its four files (.gz or unpacked) in:{}\n"
      "Get them with `apt-get install dataset-fashion-mnist` (Debian, Ubuntu), or download them from "
      "https://github.com/zalandoresearch/fashion-mnist into one folder and name it by --data DIR or $LATHE_DATA.",
      looked));
}

/// Images of `rank` 3 or labels of `rank` 1.
Tensor read_part(const fs::path& path, std::size_t rank) {
  Tensor part = read_idx(path);
  const bool fits = part.dtype() == DType::u8 && part.rank() == rank &&
                    (rank == 1 || (part.shape()[1] == side && part.shape()[2] == side));
  if (!fits) {
    throw DataError(fmt::format("'{}' holds {}, not {}", path.string(), to_string(part.type()),
                                rank == 3 ? "images u8 [N, 28, 28]" : "labels u8 [N]"));
  }
  return part;
}

void check_labels(const fs::path& path, const Tensor& images, const Tensor& labels) {
  if (images.shape()[0] != labels.shape()[0]) {
    throw DataError(
        fmt::format("'{}' holds {} labels for {} images", path.string(), labels.shape()[0], images.shape()[0]));
  }
  const auto all = labels.data<std::uint8_t>();
  const auto bad = std::ranges::find_if(all, [](std::uint8_t label) { return label >= fashion_mnist_classes.size(); });
  if (bad == all.end()) return;
  throw DataError(fmt::format("'{}' holds label {} at {}; labels are 0 to 9", path.string(), *bad, bad - all.begin()));
}

}  // namespace

FashionMnist fashion_mnist(const std::optional<fs::path>& folder) {
  const Paths paths = find_files(folder);
  FashionMnist data{.train_images = read_part(paths[0], 3),
                    .train_labels = read_part(paths[1], 1),
                    .test_images = read_part(paths[2], 3),
                    .test_labels = read_part(paths[3], 1)};
  check_labels(paths[1], data.train_images, data.train_labels);
  check_labels(paths[3], data.test_images, data.test_labels);
  return data;
}

}  // namespace lathe::data
