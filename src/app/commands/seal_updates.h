// Seals of days and hours whose partitions become others.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "lake/catalog/level_seal.h"
#include "lake/queue/work_list.h"
#include "storage/store.h"

namespace df::app {

/// A seal counts the rows of partitions: with these it has to change. What was sealed stays sealed,
/// without the partitions that go and with those that come. Calls: from one thread.
class SealUpdates {
 public:
  /// `store` is borrowed; `base` is a local folder of it.
  SealUpdates(storage::Store* store, std::string base) : store_(*store), base_(std::move(base)) {}

  /// Says of which table a partition has fewer rows than were sealed; "" for none, and where there
  /// is no seal that can be read. Such a loss would not be seen any more once the partition is
  /// gone.
  std::string WhyShort(const lake::PartitionWork& partition);

  /// Reads the seals of a level. `old_partitions` are paths below a table, of any level; so are
  /// those of `new_partitions`. A seal that cannot be read is not made up: it only goes.
  void Take(const std::string& level, const std::vector<std::string>& old_partitions,
            const std::vector<lake::PartitionWork>& new_partitions);

  /// The files of the seals that were read, below the base: they go with the partitions.
  const std::vector<std::string>& files() const { return files_; }

  /// Writes the seals as they are to be. Errors: kind io.
  Status Write(int64_t now_nanos);

 private:
  struct Update {
    otap::Signal signal = otap::Signal::kLogs;
    std::string folder;  ///< below the base
    lake::LevelSeal seal;
  };

  struct Found {
    std::vector<std::string> files;         ///< below the base
    std::optional<lake::LevelSeal> newest;  ///< nothing: no seal can be read
  };
  static bool AddRows(otap::Signal signal, const lake::PartitionWork& partition,
                      lake::TableRows* rows);
  const Found& FindSeals(otap::Signal signal, const std::string& level);
  void TakeSignal(otap::Signal signal, const std::string& level,
                  const std::vector<std::string>& old_partitions,
                  const std::vector<lake::PartitionWork>& new_partitions);

  storage::Store& store_;
  std::string base_;
  std::map<std::pair<otap::Signal, std::string>, Found> found_;  ///< by signal and level
  std::vector<std::string> files_;
  std::vector<Update> updates_;
};

}  // namespace df::app
