// Compares the rows of days and hours with what their seals say.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
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
  TableRows rows{};
};

/// Counts the rows of days and hours that are sealed, partition by partition. Each seal is counted
/// once. Calls: from one thread at a time.
class SealCheck {
 public:
  /// Takes on the seals of these signals in a listing that are new. Days and hours of which a
  /// partition is not wanted are left out. Cost: the partitions of the listing.
  void OnListed(const LakeListing& listing, const std::vector<otap::Signal>& signals,
                const std::function<bool(const std::string&)>& wants_partition);

  /// Tells whether rows of a partition have to be counted.
  bool Wants(const std::string& partition) const;

  /// Counts a partition. `is_whole`: all files of it were read; else nothing is told of its day or
  /// hour, since what is missing is named.
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

/// Compares with what the seal says: fewer rows of a table are a problem, more are a notice, and so
/// is a seal that cannot be read. Cost: reads the seal.
void CompareWithSeal(storage::Store& store, const std::string& base, const CountedLevel& level,
                     std::vector<Status>* problems, std::vector<Status>* notices);

}  // namespace df::lake
