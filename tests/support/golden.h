#pragma once

#include <functional>
#include <string_view>

#include <lathe/graph/graph.h>

namespace lathe::test {

/// Runs a pass over every case of tests/golden/`file` and compares what it makes with what the file says, character by
/// character; the result must also be sound. A case is "=== " and a sentence, a graph in the text form, a line "---",
/// and the text of the graph that the pass makes of it.
///
/// With LATHE_UPDATE_GOLDEN set, writes what the pass makes into the file instead: read the diff before you commit it.
void check_golden(std::string_view file, const std::function<Graph(const Graph&)>& pass);

}  // namespace lathe::test
