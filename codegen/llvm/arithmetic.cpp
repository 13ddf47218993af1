#include <lathe/codegen/llvm/arithmetic.h>

#include <cmath>
#include <limits>

#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/IntrinsicsAArch64.h>
#include <llvm/IR/IntrinsicsX86.h>

#include <lathe/graph/error.h>

namespace lathe::emit {

using namespace loop;  // the expression vocabulary is used throughout

namespace {

bool is_unsigned(DType dtype) {
  return dtype == u8 || dtype == boolean;
}

/// The integer that every lane of a constant holds.
const llvm::ConstantInt* uniform_integer(const llvm::Value* value) {
  if (const auto* scalar = llvm::dyn_cast<llvm::ConstantInt>(value)) return scalar;
  const auto* constant = llvm::dyn_cast<llvm::Constant>(value);
  if (!constant || !constant->getType()->isVectorTy()) return nullptr;
  return llvm::dyn_cast_or_null<llvm::ConstantInt>(constant->getSplatValue());
}

bool is_number(const llvm::Value* value) {
  const auto* constant = llvm::dyn_cast<llvm::Constant>(value);
  if (!constant) return false;
  const llvm::Constant* scalar = constant->getType()->isVectorTy() ? constant->getSplatValue() : constant;
  const auto* number = llvm::dyn_cast_or_null<llvm::ConstantFP>(scalar);
  return number && !number->isNaN();
}

}  // namespace

llvm::Type* Arithmetic::like(DType dtype, llvm::Value* shape) {
  llvm::Type* scalar = module_.type(dtype);
  const auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(shape->getType());
  return vector ? llvm::FixedVectorType::get(scalar, vector->getNumElements()) : scalar;
}

llvm::Constant* Arithmetic::constant(llvm::Type* like, double value) {
  return llvm::ConstantFP::get(like, value);
}

// Adding and taking away 2^mantissa rounds to an integer, half to even; beyond it every number is an integer.
llvm::Value* Arithmetic::round_to_even(llvm::Value* a) {
  llvm::Type* type = a->getType();
  llvm::Constant* big = constant(type, std::ldexp(1.0, type->getScalarType()->isFloatTy() ? 23 : 52));
  llvm::Value* magnitude = b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a);
  llvm::Value* rounded = b_.CreateFSub(b_.CreateFAdd(magnitude, big), big);
  rounded = b_.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, rounded, a);
  return b_.CreateSelect(b_.CreateFCmpOLT(magnitude, big), rounded, a);
}

llvm::Value* Arithmetic::round(UnaryOp op, llvm::Value* a) {
  if (module_.target.has_rounding) {
    const auto intrinsic = op == UnaryOp::floor  ? llvm::Intrinsic::floor
                           : op == UnaryOp::ceil ? llvm::Intrinsic::ceil
                                                 : llvm::Intrinsic::roundeven;
    return b_.CreateUnaryIntrinsic(intrinsic, a);
  }
  llvm::Value* nearest = round_to_even(a);
  if (op == UnaryOp::round) return nearest;
  llvm::Constant* one = constant(a->getType(), op == UnaryOp::floor ? -1.0 : 1.0);
  llvm::Value* beyond = op == UnaryOp::floor ? b_.CreateFCmpOGT(nearest, a) : b_.CreateFCmpOLT(nearest, a);
  llvm::Value* moved = b_.CreateSelect(beyond, b_.CreateFAdd(nearest, one), nearest);
  return b_.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, moved, a);  // -0.5 rounds up to -0
}

llvm::Value* Arithmetic::unary(UnaryOp op, DType dtype, llvm::Value* a) {
  if (is_float(dtype)) {
    switch (op) {
      case UnaryOp::neg: return b_.CreateFNeg(a);
      case UnaryOp::abs: return b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a);
      case UnaryOp::sqrt: return b_.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, a);
      case UnaryOp::floor:
      case UnaryOp::ceil:
      case UnaryOp::round: return round(op, a);
      case UnaryOp::bit_not: break;
    }
  } else {
    switch (op) {
      case UnaryOp::neg: return b_.CreateNeg(a);
      case UnaryOp::abs:
        return is_unsigned(dtype) ? a : b_.CreateBinaryIntrinsic(llvm::Intrinsic::abs, a, b_.getFalse());
      case UnaryOp::bit_not: return b_.CreateNot(a);
      case UnaryOp::floor:
      case UnaryOp::ceil:
      case UnaryOp::round: return a;
      case UnaryOp::sqrt: break;
    }
  }
  ensure(false, "a unary operator does not take this dtype");
  return a;
}

llvm::Value* Arithmetic::compare(BinaryOp op, DType dtype, llvm::Value* a, llvm::Value* b) {
  using Predicate = llvm::CmpInst::Predicate;
  const auto predicate = [&](Predicate floats, Predicate signed_, Predicate unsigned_) {
    if (is_float(dtype)) return floats;
    return is_unsigned(dtype) ? unsigned_ : signed_;
  };
  const auto make = [&](Predicate p) { return b_.CreateCmp(p, a, b); };
  switch (op) {
    case BinaryOp::eq: return make(predicate(Predicate::FCMP_OEQ, Predicate::ICMP_EQ, Predicate::ICMP_EQ));
    case BinaryOp::ne: return make(predicate(Predicate::FCMP_UNE, Predicate::ICMP_NE, Predicate::ICMP_NE));
    case BinaryOp::lt: return make(predicate(Predicate::FCMP_OLT, Predicate::ICMP_SLT, Predicate::ICMP_ULT));
    case BinaryOp::le: return make(predicate(Predicate::FCMP_OLE, Predicate::ICMP_SLE, Predicate::ICMP_ULE));
    case BinaryOp::gt: return make(predicate(Predicate::FCMP_OGT, Predicate::ICMP_SGT, Predicate::ICMP_UGT));
    default: return make(predicate(Predicate::FCMP_OGE, Predicate::ICMP_SGE, Predicate::ICMP_UGE));
  }
}

// a > b ? a : b, or with < for min: one instruction, which gives b wherever either is NaN.
llvm::Value* Arithmetic::choose(BinaryOp op, DType dtype, llvm::Value* a, llvm::Value* b) {
  return b_.CreateSelect(compare(op == BinaryOp::max ? BinaryOp::gt : BinaryOp::lt, dtype, a, b), a, b);
}

// a > b or a is NaN ? a : b. Were `a` what the second select gives, LLVM would make one select of both, and three
// instructions of that.
llvm::Value* Arithmetic::larger(BinaryOp op, DType dtype, llvm::Value* a, llvm::Value* b) {
  if (!is_float(dtype) || is_number(a)) return choose(op, dtype, a, b);
  if (is_number(b) && !llvm::cast<llvm::Constant>(b)->isZeroValue()) {
    return choose(op, dtype, b, a);  // zeros may differ in sign
  }
  llvm::Value* unordered = b_.CreateFCmpUNO(a, llvm::Constant::getNullValue(a->getType()));
  return b_.CreateSelect(unordered, llvm::ConstantFP::getNaN(a->getType()), choose(op, dtype, a, b));
}

llvm::Value* Arithmetic::divide(DType dtype, llvm::Value* a, llvm::Value* b) {
  if (is_float(dtype)) return b_.CreateFDiv(a, b);
  llvm::Type* type = a->getType();
  const auto* known = uniform_integer(b);
  if (known && known->isZero()) return llvm::Constant::getNullValue(type);
  if (known && known->isMinusOne() && !is_unsigned(dtype)) return b_.CreateNeg(a);
  if (known) return is_unsigned(dtype) ? b_.CreateUDiv(a, b) : b_.CreateSDiv(a, b);
  llvm::Value* by_zero = b_.CreateICmpEQ(b, llvm::Constant::getNullValue(type));
  llvm::Constant* one = llvm::ConstantInt::get(type, 1);
  llvm::Constant* none = llvm::Constant::getNullValue(type);
  if (is_unsigned(dtype)) return b_.CreateSelect(by_zero, none, b_.CreateUDiv(a, b_.CreateSelect(by_zero, one, b)));
  llvm::Value* negates = b_.CreateICmpEQ(b, llvm::Constant::getAllOnesValue(type));
  llvm::Value* safe = b_.CreateSelect(b_.CreateOr(by_zero, negates), one, b);
  llvm::Value* quotient = b_.CreateSelect(negates, b_.CreateNeg(a), b_.CreateSDiv(a, safe));
  return b_.CreateSelect(by_zero, none, quotient);
}

llvm::Value* Arithmetic::floor_divide(DType dtype, llvm::Value* a, llvm::Value* b) {
  llvm::Value* quotient = divide(dtype, a, b);
  if (is_float(dtype)) return round(UnaryOp::floor, quotient);
  if (is_unsigned(dtype)) return quotient;
  llvm::Constant* zero = llvm::Constant::getNullValue(a->getType());
  llvm::Value* rest = b_.CreateSub(a, b_.CreateMul(quotient, b));
  llvm::Value* inexact = b_.CreateAnd(b_.CreateICmpNE(rest, zero), b_.CreateICmpNE(b, zero));
  llvm::Value* opposite = b_.CreateICmpSLT(b_.CreateXor(a, b), zero);
  llvm::Value* less = b_.CreateAdd(quotient, llvm::Constant::getAllOnesValue(a->getType()));
  return b_.CreateSelect(b_.CreateAnd(inexact, opposite), less, quotient);
}

// A shift by the width or more gives 0.
llvm::Value* Arithmetic::shift(BinaryOp op, llvm::Value* a, llvm::Value* b) {
  llvm::Type* type = a->getType();
  const auto make = [&](llvm::Value* by) {
    return op == BinaryOp::shift_left ? b_.CreateShl(a, by) : b_.CreateLShr(a, by);
  };
  const unsigned width = type->getScalarSizeInBits();
  if (const auto* known = uniform_integer(b)) {
    return known->getValue().ult(width) ? make(b) : llvm::Constant::getNullValue(type);
  }
  llvm::Value* inside = b_.CreateICmpULT(b, llvm::ConstantInt::get(type, width));
  llvm::Constant* zero = llvm::Constant::getNullValue(type);
  return b_.CreateSelect(inside, make(b_.CreateSelect(inside, b, zero)), zero);
}

llvm::Value* Arithmetic::binary(BinaryOp op, DType dtype, llvm::Value* a, llvm::Value* b, bool non_negative) {
  const bool floats = is_float(dtype);
  switch (op) {
    case BinaryOp::add: return floats ? b_.CreateFAdd(a, b) : b_.CreateAdd(a, b);
    case BinaryOp::sub: return floats ? b_.CreateFSub(a, b) : b_.CreateSub(a, b);
    case BinaryOp::mul: return floats ? b_.CreateFMul(a, b) : b_.CreateMul(a, b);
    case BinaryOp::div: return divide(dtype, a, b);
    case BinaryOp::floor_div: return floor_divide(non_negative ? u8 : dtype, a, b);
    case BinaryOp::mod: {
      const auto* known = floats ? nullptr : uniform_integer(b);
      if (known && known->isZero()) return llvm::Constant::getNullValue(a->getType());
      if (known && non_negative) return b_.CreateURem(a, b);
      llvm::Value* quotient = floor_divide(non_negative ? u8 : dtype, a, b);
      if (floats) return b_.CreateFSub(a, b_.CreateFMul(quotient, b));
      llvm::Value* rest = b_.CreateSub(a, b_.CreateMul(quotient, b));
      if (known) return rest;
      llvm::Constant* zero = llvm::Constant::getNullValue(a->getType());
      return b_.CreateSelect(b_.CreateICmpEQ(b, zero), zero, rest);
    }
    case BinaryOp::max:
    case BinaryOp::min: return larger(op, dtype, a, b);
    case BinaryOp::bit_and: return b_.CreateAnd(a, b);
    case BinaryOp::bit_or: return b_.CreateOr(a, b);
    case BinaryOp::bit_xor: return b_.CreateXor(a, b);
    case BinaryOp::shift_left:
    case BinaryOp::shift_right: return shift(op, a, b);
    default: return compare(op, dtype, a, b);
  }
}

llvm::Value* Arithmetic::fma(DType dtype, llvm::Value* a, llvm::Value* b, llvm::Value* c) {
  if (!is_float(dtype)) return b_.CreateAdd(b_.CreateMul(a, b), c);
  if (!module_.target.has_fma) return b_.CreateFAdd(b_.CreateFMul(a, b), c);
  return b_.CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, c});
}

// Only what is inside the integer's range may be converted; the rest saturates and NaN becomes 0.
llvm::Value* Arithmetic::to_integer(DType to, llvm::Value* a) {
  const int digits = to == u8 ? 8 : to == i32 ? 31 : 63;
  llvm::Constant* above = constant(a->getType(), std::ldexp(1.0, digits));
  llvm::Constant* below = constant(a->getType(), to == u8 ? 0.0 : -std::ldexp(1.0, digits));
  llvm::Value* high = b_.CreateFCmpOGE(a, above);
  llvm::Value* low = b_.CreateFCmpOLT(a, below);
  llvm::Value* inside = b_.CreateAnd(b_.CreateFCmpOLT(a, above), b_.CreateFCmpOGE(a, below));
  llvm::Value* safe = b_.CreateSelect(inside, a, llvm::Constant::getNullValue(a->getType()));
  const bool narrow = to == u8;
  llvm::Value* whole = b_.CreateFPToSI(safe, like(narrow ? i32 : to, a));
  if (narrow) whole = b_.CreateTrunc(whole, like(u8, a));
  llvm::Type* type = like(to, a);
  const unsigned bits = type->getScalarSizeInBits();
  const llvm::APInt most = narrow ? llvm::APInt::getMaxValue(bits) : llvm::APInt::getSignedMaxValue(bits);
  const llvm::APInt least = narrow ? llvm::APInt::getMinValue(bits) : llvm::APInt::getSignedMinValue(bits);
  whole = b_.CreateSelect(low, llvm::ConstantInt::get(type, least), whole);
  return b_.CreateSelect(high, llvm::ConstantInt::get(type, most), whole);
}

llvm::Value* Arithmetic::cast(DType from, DType to, llvm::Value* a) {
  if (from == to) return a;
  llvm::Type* type = like(to, a);
  if (to == boolean) {
    llvm::Constant* zero = llvm::Constant::getNullValue(a->getType());
    return is_float(from) ? b_.CreateFCmpUNE(a, zero) : b_.CreateICmpNE(a, zero);
  }
  if (is_float(from)) return is_float(to) ? b_.CreateFPCast(a, type) : to_integer(to, a);
  if (is_float(to)) return is_unsigned(from) ? b_.CreateUIToFP(a, type) : b_.CreateSIToFP(a, type);
  return is_unsigned(from) ? b_.CreateZExtOrTrunc(a, type) : b_.CreateSExtOrTrunc(a, type);
}

llvm::Value* Arithmetic::bitcast(DType to, llvm::Value* a) {
  return b_.CreateBitCast(a, like(to, a));
}

// Where the machine has no shuffle that takes its pattern from a register, lane by lane from memory.
llvm::Value* Arithmetic::lookup(llvm::Value* table, llvm::Value* index) {
  const auto* lanes = llvm::dyn_cast<llvm::FixedVectorType>(index->getType());
  if (!lanes) return b_.CreateExtractElement(table, b_.CreateAnd(index, b_.getInt32(15)));
  const InstructionSet set = module_.target.set;
  const bool whole = lanes->getNumElements() == 16;
  const auto part = [&](llvm::Value* vector, int first, int count) {
    llvm::SmallVector<int, 16> picked;
    for (int lane = 0; lane < count; ++lane) picked.push_back(first + lane);
    return b_.CreateShuffleVector(vector, picked);
  };
  if (whole && set == InstructionSet::avx512) {
    return b_.CreateIntrinsic(llvm::Intrinsic::x86_avx512_permvar_sf_512, {}, {table, index});
  }
  llvm::SmallVector<llvm::Value*, 4> parts;
  if (whole && set == InstructionSet::avx2) {
    for (const int first : {0, 8}) {
      llvm::Value* pattern = part(index, first, 8);
      const auto shuffle = [&](int half) {
        return b_.CreateIntrinsic(llvm::Intrinsic::x86_avx2_permps, {}, {part(table, half, 8), pattern});
      };
      llvm::Value* upper = b_.CreateShl(pattern, llvm::ConstantInt::get(pattern->getType(), 28));
      upper = b_.CreateICmpSLT(upper, llvm::Constant::getNullValue(pattern->getType()));
      parts.push_back(b_.CreateSelect(upper, shuffle(8), shuffle(0)));
    }
    return join(parts);
  }
  if (whole && set == InstructionSet::neon) {
    auto* bytes = llvm::FixedVectorType::get(b_.getInt8Ty(), 16);
    llvm::SmallVector<llvm::Value*, 5> operands;
    for (const int first : {0, 4, 8, 12}) operands.push_back(b_.CreateBitCast(part(table, first, 4), bytes));
    operands.push_back(nullptr);
    for (const int first : {0, 4, 8, 12}) {
      llvm::Value* number = part(index, first, 4);
      llvm::Type* type = number->getType();
      const auto each = [&](std::uint32_t value) { return llvm::ConstantInt::get(type, value); };
      // The numbers of a float's four bytes.
      number = b_.CreateMul(b_.CreateAnd(number, each(15)), each(0x04040404));
      operands.back() = b_.CreateBitCast(b_.CreateAdd(number, each(0x03020100)), bytes);
      llvm::Value* found = b_.CreateIntrinsic(llvm::Intrinsic::aarch64_neon_tbl4, {bytes}, operands);
      parts.push_back(b_.CreateBitCast(found, llvm::FixedVectorType::get(b_.getFloatTy(), 4)));
    }
    return join(parts);
  }
  llvm::Value* out = llvm::PoisonValue::get(llvm::FixedVectorType::get(b_.getFloatTy(), lanes->getNumElements()));
  for (unsigned lane = 0; lane < lanes->getNumElements(); ++lane) {
    llvm::Value* number = b_.CreateAnd(b_.CreateExtractElement(index, b_.getInt64(lane)), b_.getInt32(15));
    out = b_.CreateInsertElement(out, b_.CreateExtractElement(table, number), b_.getInt64(lane));
  }
  return out;
}

/// Neighbouring parts of a vector put together.
llvm::Value* Arithmetic::join(llvm::ArrayRef<llvm::Value*> parts) {
  if (parts.size() == 1) return parts.front();
  const std::size_t half = parts.size() / 2;
  llvm::Value* low = join(parts.take_front(half));
  llvm::Value* high = join(parts.drop_front(half));
  const auto* type = llvm::cast<llvm::FixedVectorType>(low->getType());
  llvm::SmallVector<int, 16> all;
  for (unsigned lane = 0; lane < 2 * type->getNumElements(); ++lane) all.push_back(static_cast<int>(lane));
  return b_.CreateShuffleVector(low, high, all);
}

llvm::Constant* Arithmetic::neutral(ReduceOp op, DType dtype) {
  llvm::Type* type = module_.type(dtype);
  const bool largest = op == ReduceOp::min;
  switch (op) {
    case ReduceOp::contract:
    case ReduceOp::sum:
    case ReduceOp::any: return llvm::Constant::getNullValue(type);
    case ReduceOp::prod:
    case ReduceOp::all:
      return is_float(dtype) ? constant(type, 1.0) : llvm::cast<llvm::Constant>(llvm::ConstantInt::get(type, 1));
    case ReduceOp::max:
    case ReduceOp::min: break;
  }
  if (is_float(dtype)) return llvm::ConstantFP::getInfinity(type, !largest);
  const unsigned bits = type->getScalarSizeInBits();
  if (is_unsigned(dtype)) {
    return llvm::ConstantInt::get(type, largest ? llvm::APInt::getMaxValue(bits) : llvm::APInt::getMinValue(bits));
  }
  return llvm::ConstantInt::get(type,
                                largest ? llvm::APInt::getSignedMaxValue(bits) : llvm::APInt::getSignedMinValue(bits));
}

llvm::Value* Arithmetic::combine(ReduceOp op, DType dtype, llvm::Value* a, llvm::Value* b) {
  switch (op) {
    case ReduceOp::contract: break;
    case ReduceOp::sum: return binary(BinaryOp::add, dtype, a, b);
    case ReduceOp::prod: return binary(BinaryOp::mul, dtype, a, b);
    case ReduceOp::max: return binary(BinaryOp::max, dtype, b, a);
    case ReduceOp::min: return binary(BinaryOp::min, dtype, b, a);
    case ReduceOp::any: return cast(boolean, dtype, b_.CreateOr(cast(dtype, boolean, a), cast(dtype, boolean, b)));
    case ReduceOp::all: return cast(boolean, dtype, b_.CreateAnd(cast(dtype, boolean, a), cast(dtype, boolean, b)));
  }
  ensure(false, "a contraction has no lanes to combine");
  return a;
}

llvm::Value* Arithmetic::combine_two(ReduceOp op, DType dtype, llvm::Value* lanes, llvm::Value* first,
                                     llvm::Value* second) {
  const BinaryOp binary = op == ReduceOp::max ? BinaryOp::max : BinaryOp::min;
  llvm::Value* both = choose(binary, dtype, second, choose(binary, dtype, first, lanes));
  return b_.CreateSelect(b_.CreateFCmpUNO(first, second), llvm::ConstantFP::getNaN(both->getType()), both);
}

}  // namespace lathe::emit
