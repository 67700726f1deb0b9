// What says that a day or hour of a signal is complete, and how many rows it has.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "lake/catalog/catalog.h"
#include "lake/catalog/file_summary.h"
#include "otap/schema.h"

namespace df::lake {

/// Rows by table.
using TableRows = std::array<int64_t, otap::kTableCount>;

/// What a seal says.
struct LevelSeal {
  int64_t sealed_nanos = 0;  ///< since the Unix epoch
  /// Of the tables of the signal; those that hold rows of several signals with what stands in
  /// partitions that have records of this one.
  TableRows rows{};
};

/// Returns "_sealed-<milliseconds>.json": a seal that takes the place of another has another name,
/// so whoever has listed one reads that or none.
std::string SealName(int64_t sealed_nanos);

/// Returns the milliseconds in the name of a seal; -1 for other names.
int64_t SealMillis(std::string_view name);

/// Returns the folders above the last one of a partition: "date=2026-11-30/hour=02" of
/// "date=2026-11-30/hour=02/_part_id=..", "" where there are none.
std::string_view LevelOfPartition(std::string_view partition);

/// Writes a seal of a signal as JSON, with a line for each table that has rows.
std::string WriteSeal(const LevelSeal& seal, otap::Signal signal);

/// Reads what WriteSeal has written. Errors: Invalid, also for a newer version.
Result<LevelSeal> ReadSeal(std::string_view text, otap::Signal signal);

/// Adds the rows that a partition has of a signal, as its footers say: those of sets of files that
/// have their records. `files` has those of `listing`.
void AddSealedRows(otap::Signal signal, const PartitionListing& listing,
                   const PartitionFiles& files, TableRows* rows);

}  // namespace df::lake
