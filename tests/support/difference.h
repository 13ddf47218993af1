#pragma once

#include <string>

#include <lathe/graph/tensor.h>

namespace lathe::test {

/// What is different in bits, the first of it; empty if nothing is. All NaNs are alike.
std::string difference(const Tensor& expected, const Tensor& found);

}  // namespace lathe::test
