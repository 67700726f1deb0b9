// Compares the rows of days and hours with what their seals say.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lake/catalog/catalog.h"
#include "lake/catalog/level_seal.h"
#include "storage/store.h"

namespace df::lake {

/// A seal, and what the files of its day or hour have.
struct CountedLevel {
  SealEntry seal;
  PartitionRows partitions;
  std::set<std::string>
      unknown;  ///< partitions of which not all was read: what is missing is named
};

/// Counts the rows of days and hours that are sealed, partition by partition. Each seal is counted
/// once. Calls: from one thread at a time.
class SealCheck {
 public:
  /// Takes on the seals of these signals in a listing that are new. Partitions that are not wanted
  /// are not counted. Cost: the partitions of the listing.
  void OnListed(const LakeListing& listing, const std::vector<otap::Signal>& signals,
                const std::function<bool(const std::string&)>& wants_partition);

  /// Tells whether rows of a partition have to be counted.
  bool Wants(const std::string& partition) const;

  /// Counts a partition. `is_whole`: all files of it were read.
  void Add(const PartitionListing& listing, const PartitionFiles& files, bool is_whole);

  /// Returns the days and hours that were counted to the end since the last call.
  std::vector<CountedLevel> TakeCounted();

 private:
  using Key = std::pair<otap::Signal, std::string>;  ///< the level
  struct Count {
    CountedLevel level;
    std::map<std::string, bool> partitions;  ///< by name: it was counted
    size_t num_left = 0;
  };

  std::map<Key, Count> open_;
  std::vector<CountedLevel> counted_;
  std::map<Key, int64_t> done_;  ///< the milliseconds of the seal that was counted last
};

/// Compares with what the seal says of the partitions that are wanted (null: of all): fewer rows of
/// a table are a problem, more are a notice, and so is a seal that cannot be read. Cost: reads the
/// seal.
void CompareWithSeal(storage::Store& store, const std::string& base, const CountedLevel& level,
                     const std::function<bool(const std::string&)>& wants_partition,
                     std::vector<Status>* problems, std::vector<Status>* notices);

}  // namespace df::lake
