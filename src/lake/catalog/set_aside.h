// Files that a compaction has taken away while somebody was reading them.
#pragma once

#include <optional>
#include <string>

#include "storage/store.h"

namespace df::lake {

/// Ends of the names of folders in kCompactionsFolder that hold old files of a compaction, laid out
/// as in the base: those that were to be kept, and those that go when nobody reads them any more.
inline constexpr const char* kKeptEnding = ".old";
inline constexpr const char* kSetAsideEnding = ".aside";

/// Says to compactions that files of a local base may be read: they set aside what they take away
/// as long as this lives. Elsewhere, and where the file system has no locks, it does nothing.
class BaseHold {
 public:
  /// Owner: nothing of the store is kept.
  BaseHold(const storage::Store& store, const std::string& base);
  ~BaseHold();
  BaseHold(const BaseHold&) = delete;
  BaseHold& operator=(const BaseHold&) = delete;

 private:
  int directory_ = -1;
};

/// Returns where a file that was listed is now, when it is not in its place: its full path in a
/// folder of a compaction. Nothing where none has it. Cost: a listing of these folders.
std::optional<std::string> FindSetAside(storage::Store& store, const std::string& base,
                                        const std::string& path);

}  // namespace df::lake
