// What says that a day or hour of a signal is complete, and how many rows it has.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/units.h"
#include "lake/catalog/catalog.h"
#include "lake/catalog/file_summary.h"
#include "otap/schema.h"

namespace df::lake {

/// Rows by table.
using TableRows = std::array<int64_t, otap::kTableCount>;

/// Rows of the partitions of a day or hour, by name of the last folder. Of tables that hold rows of
/// several signals those count that stand in partitions with records of the signal.
using PartitionRows = std::map<std::string, TableRows>;

/// What a seal says.
struct LevelSeal {
  int64_t sealed_nanos = 0;  ///< since the Unix epoch
  PartitionRows partitions;
};

/// Returns "_sealed-<milliseconds>.json". A new seal has a new name, so a reader never takes its
/// content for that of the seal that it has listed.
std::string SealName(int64_t sealed_nanos);

/// Returns the milliseconds in the name of a seal; -1 for other names, and for times that are none.
int64_t SealMillis(std::string_view name);

/// Returns the folders above the last one of a partition: "date=2026-11-30/hour=02" of
/// "date=2026-11-30/hour=02/_part_id=..", "" where there are none.
std::string_view LevelOfPartition(std::string_view partition);

/// Returns the last folder of a partition.
std::string_view NameInLevel(std::string_view partition);

/// Tells whether the files directly in a partition may be sealed: it is no day or hour itself.
bool IsInLevel(std::string_view partition);

/// Most of a seal: of some ten thousand partitions.
inline constexpr int64_t kMostSealBytes = 4_MiB;

/// Writes a seal of a signal as JSON, with a line for each partition.
std::string WriteSeal(const LevelSeal& seal, otap::Signal signal);

/// Reads what WriteSeal has written. Errors: Invalid, also for a newer version.
Result<LevelSeal> ReadSeal(std::string_view text, otap::Signal signal);

/// Reads the newest seal of an entry that can be read. `errors` are those of newer ones, each
/// naming its file. Errors: those of the last one, when none can be read.
Result<LevelSeal> ReadSealFile(storage::Store& store, const std::string& base,
                               const SealEntry& entry, std::vector<Status>* errors);

/// Adds the rows that a partition has of a signal, as its footers say: those of sets of files that
/// have their records. `files` has those of `listing`.
void AddSealedRows(otap::Signal signal, const PartitionListing& listing,
                   const PartitionFiles& files, TableRows* rows);

}  // namespace df::lake
