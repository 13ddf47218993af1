#pragma once

#include <filesystem>

#include <lathe/graph/tensor.h>

namespace lathe::data {

/// Reads a tensor from an IDX file, plain or gzip, the format of MNIST and its kin: two zero bytes, a type, a rank,
/// that many extents and then the elements, all big-endian (https://yann.lecun.com/exdb/mnist/, "The IDX file format").
/// Types u8, i32, f32 and f64 keep their dtype; i8 and i16, which Lathe does not compute with, widen to i32.
/// Throws DataError, naming the path, if the file is missing or empty, if its header is not one of IDX, or if the data
/// that follow are not exactly as long as the header says.
Tensor read_idx(const std::filesystem::path& path);

}  // namespace lathe::data
