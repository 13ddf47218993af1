#include <lathe/ops/guarded_load.h>

#include <optional>

namespace lathe {

loop::Expr load_moved_inside(loop::Body& body, std::size_t input, std::vector<loop::Expr> indices,
                             const std::vector<std::size_t>& axes) {
  const Shape& shape = body.in_type(input).shape;
  std::optional<loop::Expr> not_empty;
  for (const std::size_t axis : axes) {
    indices[axis] = loop::max(loop::min(indices[axis], body.extent(shape[axis] - Dim(1))), body.extent(0));
    if (loop::never_negative(shape[axis] - Dim(1))) continue;
    const loop::Expr some = body.extent(shape[axis]) > body.extent(0);
    not_empty = not_empty ? *not_empty & some : some;
  }
  if (not_empty) {
    for (loop::Expr& index : indices) index = loop::select(*not_empty, index, body.extent(0));
  }
  return body.in(input, indices);
}

}  // namespace lathe
