#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <lathe/codegen/executable.h>
#include <lathe/runtime/digest.h>
#include <lathe/runtime/options.h>
#include <lathe/runtime/program_record.h>

namespace lathe {

/// Fills in from the environment what `options` leave open. Throws RunError if what stands there makes no sense.
CacheOptions with_environment(CacheOptions options);

/// A program in the cache: its code, and all else that running it takes.
struct CachedProgram {
  Code code;
  ProgramRecord record;
};

/// Machine code in a folder, a file a program, for this process and later ones.
///
/// What is read there is executed. So the folder and each file have to belong to the user and to be writable by no one
/// else, and a file has to be whole: it says what it holds, and ends with a digest of all of it. A file that is not as
/// it should be is removed. Files appear whole or not at all, so that any number of processes may share the folder.
/// Nothing that goes wrong with files is an error: the program is then compiled, and the answer says what it was.
class ProgramCache {
 public:
  /// `options` are complete: with_environment().
  explicit ProgramCache(CacheOptions options);

  /// The file of a program.
  std::filesystem::path file(const Digest& key) const;

  struct Found {
    std::optional<CachedProgram> program;
    std::string why_not;  // "no entry", "its checksum differs"
  };
  /// The program of the graph `source` that was stored under this key. It counts as used now.
  Found find(const Digest& key, const Graph& source) const;

  /// Removes what was not used for longest until the folder has room for the program within its bounds, and stores it.
  /// Returns "stored", or what prevented it: "not stored: writing: No space left on device".
  std::string store(const Digest& key, const CachedProgram& program, const Graph& source) const;

 private:
  CacheOptions options_;
};

}  // namespace lathe
