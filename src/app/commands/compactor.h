// Writes partitions of an archive anew as one, checks it item by item, and puts it in their place.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/commands/archive.h"
#include "app/commands/compaction_plan.h"
#include "base/error.h"
#include "lake/write/compaction_journal.h"
#include "lake/write/file_store.h"
#include "otlp/compare/item_digests.h"

namespace df::app {

/// What was done with a group.
struct CompactedGroup {
  std::vector<std::string> old_partitions;
  std::vector<std::string> new_partitions;
  int64_t old_files = 0;
  int64_t old_bytes = 0;
  int64_t new_files = 0;
  int64_t new_bytes = 0;
  /// By signal, of what is in the old files and in the new ones.
  std::array<otlp::ItemSum, otap::kAllSignals.size()> items;
};

/// Calls: from one thread.
class Compactor {
 public:
  struct Settings {
    std::string base;  ///< a local folder
    int64_t target_bytes = 256_MiB;
    int64_t memory_limit_bytes = 256_MiB;  ///< half to read, a quarter to sort, a quarter to write
    bool keeps_old = false;
    std::function<int64_t()> now_nanos;
  };

  /// All are borrowed. The journal is of the base of the archive.
  Compactor(Archive* archive, lake::CompactionJournal* journal, lake::FileStore* store,
            Settings settings)
      : archive_(*archive), journal_(*journal), store_(*store), settings_(std::move(settings)) {}

  /// Compacts a group. Partitions of it that are not whole, or are being changed, are put into
  /// `left` and stay as they are. Returns nothing where fewer than the group needs are left.
  /// Errors: kinds io, parquet, arrow; Invalid where the new files do not hold what the old ones
  /// hold. The archive is as it was then, or as it is to be: what is left to do is for Recover.
  Result<std::optional<CompactedGroup>> Run(const CompactionGroup& group,
                                            std::vector<PartitionLeft>* left);

 private:
  struct Attempt;

  Status Write(Attempt* attempt, std::vector<PartitionLeft>* left);
  Status WriteSignal(otap::Signal signal, Attempt* attempt, std::vector<PartitionLeft>* left);
  Status Check(Attempt* attempt) const;
  Status Replace(Attempt* attempt);

  Archive& archive_;
  lake::CompactionJournal& journal_;
  lake::FileStore& store_;
  Settings settings_;
};

}  // namespace df::app
