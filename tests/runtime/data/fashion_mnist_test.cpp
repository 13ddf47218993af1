#include <lathe/runtime/data/fashion_mnist.h>

#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../../support/temporary_folder.h"

using namespace lathe;
using test::idx_bytes;
using test::TemporaryFolder;

namespace {

std::string images_file(unsigned count, unsigned side = 28) {
  return idx_bytes(0x08, std::vector<unsigned>{count, side, side}, std::string(std::size_t{count} * side * side, 'x'));
}

std::string labels_file(std::string_view labels) {
  return idx_bytes(0x08, std::vector<unsigned>{static_cast<unsigned>(labels.size())}, labels);
}

using namespace std::string_view_literals;

void write_all(const TemporaryFolder& folder) {
  folder.write("train-images-idx3-ubyte.gz", test::gzip(images_file(3)));
  folder.write("train-labels-idx1-ubyte.gz", test::gzip(labels_file("\x00\x09\x01"sv)));
  folder.write("t10k-images-idx3-ubyte", images_file(2));
  folder.write("t10k-labels-idx1-ubyte", labels_file("\x02\x03"sv));
}

/// What fashion_mnist(folder) complains of.
std::string complaint(const std::optional<std::filesystem::path>& folder) {
  try {
    data::fashion_mnist(folder);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("Fashion-MNIST is read from a named folder, packed or not") {
  const TemporaryFolder folder;
  write_all(folder);
  const auto data = data::fashion_mnist(folder.path());
  CHECK(data.train_images.shape() == Extents{3, 28, 28});
  CHECK(data.train_labels == Tensor::from<std::uint8_t>({3}, {0, 9, 1}));
  CHECK(data.test_images.shape() == Extents{2, 28, 28});
  CHECK(data.test_labels == Tensor::from<std::uint8_t>({2}, {2, 3}));
}

TEST_CASE("LATHE_DATA names a folder, and so does the cache in the home folder") {
  const TemporaryFolder folder;
  write_all(folder);
  setenv("LATHE_DATA", folder.path().c_str(), 1);
  CHECK(data::fashion_mnist().train_images.shape()[0] == 3);
  unsetenv("LATHE_DATA");

  const TemporaryFolder home;
  std::filesystem::create_directories(home.path() / ".cache/lathe");
  std::filesystem::copy(folder.path(), home.path() / ".cache/lathe/fashion-mnist");
  setenv("HOME", home.path().c_str(), 1);
  CHECK(data::fashion_mnist().train_images.shape()[0] == 3);
}

TEST_CASE("when the files are missing the error says where it looked and where to get them") {
  const TemporaryFolder folder;
  folder.write("train-images-idx3-ubyte", images_file(1));
  const std::string partial = complaint(folder.path());
  CHECK(partial.find(folder.path().string() +
                     ": lacks train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte\n") !=
        std::string::npos);
  CHECK(partial.find("apt-get install dataset-fashion-mnist") != std::string::npos);
  CHECK(partial.find("https://github.com/zalandoresearch/fashion-mnist") != std::string::npos);
  CHECK(complaint("/nowhere/at/all").find("/nowhere/at/all: no such folder") != std::string::npos);
}

TEST_CASE("files that hold something else are errors that name them") {
  const TemporaryFolder folder;
  write_all(folder);
  const std::string at = "'" + folder.path().string() + "/";

  folder.write("t10k-labels-idx1-ubyte", labels_file("\x02"sv));
  CHECK(complaint(folder.path()) == at + "t10k-labels-idx1-ubyte' holds 1 labels for 2 images");
  folder.write("t10k-labels-idx1-ubyte", labels_file("\x02\x0a"sv));
  CHECK(complaint(folder.path()) == at + "t10k-labels-idx1-ubyte' holds label 10 at 1; labels are 0 to 9");
  folder.write("t10k-images-idx3-ubyte", images_file(2, 27));
  CHECK(complaint(folder.path()) == at + "t10k-images-idx3-ubyte' holds u8 [2, 27, 27], not images u8 [N, 28, 28]");
  folder.write("t10k-images-idx3-ubyte", labels_file("\x02"sv));
  CHECK(complaint(folder.path()) == at + "t10k-images-idx3-ubyte' holds u8 [1], not images u8 [N, 28, 28]");
}
