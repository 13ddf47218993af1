#pragma once

#include <span>

#include <lathe/codegen/image.h>
#include <lathe/codegen/llvm/object.h>

namespace lathe::emit {

/// Joins the objects of a program's parts into one image. The first one has the entry point and may call what the
/// others export; none may need anything else.
Image link(std::span<const Object> parts);

}  // namespace lathe::emit
