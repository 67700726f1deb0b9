// What says that files of a lake take the place of others.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/units.h"
#include "storage/directory.h"
#include "storage/store.h"

namespace df::lake {

/// The folder of a base that holds them, one file each. Readers that know nothing of it pass over
/// its name.
inline constexpr std::string_view kCompactionsFolder = "_compactions";

/// How far it is: part of the name of its file, which is renamed from one to the next.
enum class CompactionStage : uint8_t {
  kMoving,    ///< new files are being moved to their places: the old ones count
  kRemoving,  ///< old files are being removed: the new ones count
  kDone,      ///< all files of the base count; it says what became of the old ones
};

/// Files that take the place of others, all at once: by its stage a reader knows which of them
/// count, whenever it looks.
struct Compaction {
  std::string id;
  CompactionStage stage = CompactionStage::kMoving;
  std::string reason;                  ///< "compact" or "prune"
  int64_t begun_nanos = 0;             ///< since the Unix epoch
  bool keeps_old = false;              ///< old files are set aside, not removed
  std::vector<std::string> old_files;  ///< below the base; seals among them
  std::vector<std::string> new_files;  ///< below the base, in the order in which they are moved

  /// Returns the files that do not count now.
  const std::vector<std::string>& hidden() const {
    return stage == CompactionStage::kMoving ? new_files : old_files;
  }
};

/// Returns the name of the file: "<id>.moving.json".
std::string CompactionName(const std::string& id, CompactionStage stage);

/// Takes such a name apart. Nothing for other names.
struct CompactionNameParts {
  std::string id;
  CompactionStage stage = CompactionStage::kMoving;
};
std::optional<CompactionNameParts> ParseCompactionName(std::string_view name);

/// Most bytes of one: of some million files.
inline constexpr int64_t kMostCompactionBytes = 256_MiB;

std::string WriteCompaction(const Compaction& compaction);

/// Reads what WriteCompaction has written. Errors: Invalid, also for a newer version and for paths
/// that lead out of the base.
Result<Compaction> ReadCompaction(std::string_view text, CompactionNameParts name);

/// Reads a file of the folder, by its name. Errors: as ReadCompaction, and IOError.
Result<Compaction> ReadCompactionFile(storage::Store& store, const std::string& base,
                                      const std::string& name);

/// What a base says of compactions.
class Compactions {
 public:
  /// Reads those that hide files. Errors: file_discovery where one cannot be read: which files
  /// count is not known then. One that has gone on since it was listed is a passing error.
  static Result<Compactions> Read(storage::Store& store, storage::DirectoryReader* directories,
                                  const std::string& base);

  /// Tells whether a file of the base does not count.
  bool Hides(const std::string& path) const { return hidden_.contains(path); }
  bool hides_any() const { return !hidden_.empty(); }

  /// What is there: two looks at a base have seen the same files if this has not changed between.
  const std::set<std::string>& names() const { return names_; }

 private:
  std::set<std::string> names_;
  std::set<std::string> hidden_;
};

/// Returns the names of the files that say so, sorted; none where there is no such folder. Errors:
/// IOError.
Result<std::set<std::string>> ListCompactions(storage::DirectoryReader* directories,
                                              const std::string& base);

}  // namespace df::lake
