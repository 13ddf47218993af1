#pragma once

#include <memory>
#include <source_location>

#include <lathe/ops/gradients.h>
#include <lathe/runtime/eager/context.h>

namespace lathe::eager {

struct TapeOptions {
  /// Whether gradient() may be called more than once; then the tape keeps all that it has recorded as long as it lives.
  bool persistent = false;
  /// Follow trainable variables without being told to.
  bool watch_variables = true;
};

/// Records what is computed from the arrays that it watches while it lives, so that it can be differentiated: by the
/// gradient rules of the ops and in the order of `gradients`, so with its bits.
///
///   eager::GradientTape tape(context);
///   Value loss = mean(square(matmul(x, w) - y));
///   Values grads = tape.gradient(loss, {w, b});
///
/// Tapes nest: what gradient() computes is recorded by the tapes around it, which gives gradients of gradients. In a
/// function that is being traced a tape builds gradients as nodes.
class GradientTape {
 public:
  explicit GradientTape(Context& context, TapeOptions options = {});
  ~GradientTape();
  GradientTape(const GradientTape&) = delete;
  GradientTape& operator=(const GradientTape&) = delete;

  /// Follows an array of floats from now on. Throws GraphError for any other.
  void watch(const Value& x, std::source_location where = std::source_location::current());

  /// The gradients of sum(y) with respect to each of xs, in their types. Recording stops for what it computes, and for
  /// good unless the tape is persistent. Throws GraphError if the tape was used up before, if an x is not watched, and
  /// for what `gradients` rejects.
  Values gradient(const Value& y, const Values& xs, GradientOptions options = {},
                  std::source_location where = std::source_location::current());
  /// The same of sum over i of sum(grad_ys[i] * ys[i]).
  Values gradient(const Values& ys, const Values& xs, const Values& grad_ys, GradientOptions options = {},
                  std::source_location where = std::source_location::current());

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace lathe::eager
