#pragma once

#include <string>
#include <string_view>

#include <lathe/codegen/interface.h>
#include <lathe/graph/graph.h>
#include <lathe/runtime/slots.h>

namespace lathe {

/// What a session has to know of a program to run its code.
struct ProgramRecord {
  ProgramInterface interface;
  SlotNames slots;
};

/// The bytes that a record of a program of the graph `source` is kept as. What is the graph's own is not among them:
/// the lines of checked nodes, and the elements of constants that it has. A node that passes made is kept in words.
std::string write_record(const ProgramRecord& record, const Graph& source);

/// A record from its bytes, for a graph that differs from the one it was written with by lines at most. Throws
/// DataError if they make none.
ProgramRecord read_record(std::string_view bytes, const Graph& source);

}  // namespace lathe
