#include <lathe/codegen/machine.h>

#include <lathe/graph/error.h>

namespace lathe {

MachineModel machine_model(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512: return {512, 32, 4, 2, 2, 16, true};
    case InstructionSet::avx2: return {256, 16, 4, 2, 2, 12, false};
    case InstructionSet::neon: return {128, 32, 4, 2, 2, 16, false};
    case InstructionSet::portable: return {128, 16, 4, 2, 2, 8, false};
    case InstructionSet::native: break;
  }
  ensure(false, "a machine model was asked for before 'native' was resolved");
  return {};
}

}  // namespace lathe
