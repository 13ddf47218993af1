#include <lathe/codegen/program.h>

namespace lathe {

std::vector<const void*> constant_addresses(const Program& program) {
  std::vector<const void*> addresses;
  for (const ProgramTensor& tensor : program.tensors) {
    addresses.push_back(tensor.role == Role::constant ? tensor.constant->bytes().data() : nullptr);
  }
  return addresses;
}

}  // namespace lathe
