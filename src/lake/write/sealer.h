// Seals days and hours that are over (lake/catalog/level_seal.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/file_calls.h"
#include "lake/catalog/level_seal.h"
#include "storage/store.h"

namespace df::lake {

/// Counts the rows of days and hours that nobody writes to any more, and writes a seal for each. It
/// keeps no state: it lists the tree each time. So it also seals what an earlier process has left,
/// and seals again what got files later. Calls: from one thread, blocking on the store.
class Sealer {
 public:
  /// A level is sealed when it has been over for `after`, a minute or more, and no file of it is
  /// newer than that; and again when files came later. `calls` is borrowed.
  Sealer(std::shared_ptr<storage::Store> store, std::chrono::nanoseconds after,
         FileCalls* calls = &SystemFileCalls());

  struct Outcome {
    int64_t num_sealed = 0;
    /// Levels that were due and could not be sealed: logged once each, and tried next time.
    int64_t num_failed = 0;
    /// When it is worth another look.
    int64_t next_nanos = 0;
  };

  /// Seals what is due. Times: since the Unix epoch. Cost: lists the tree, and reads the footers of
  /// what it seals. Stops early where `is_stopped` says so.
  Outcome Look(int64_t now_nanos, const std::function<bool()>& is_stopped);

  /// Ends waits for the store, now and later.
  void Stop() { store_->Stop(); }

  const storage::Store& store() const { return *store_; }

 private:
  struct Level {
    otap::Signal signal;
    std::string path;
    int64_t end_nanos = 0;
    int64_t newest_nanos = 0;  ///< of its files
    bool is_incomplete = false;
    std::vector<const PartitionListing*> partitions;
    const SealEntry* seal = nullptr;
  };

  std::vector<Level> FindLevels(const LakeListing& listing) const;
  bool IsVouchedFor(otap::Signal signal);
  Status Seal(const Level& level, int64_t now_nanos, const std::function<bool()>& is_stopped);
  Result<std::set<std::string>> FindCompactions() const;
  Result<PartitionRows> Count(const Level& level, const std::function<bool()>& is_stopped);
  Status CheckNothingIsGone(const Level& level, const PartitionRows& rows);
  Status Write(const std::string& path, const std::string& text);

  std::shared_ptr<storage::Store> store_;
  int64_t after_nanos_;
  FileCalls* calls_;
  std::set<std::string> logged_;
  std::set<otap::Signal> vouched_;
  std::set<std::string> compactions_;  ///< what there was of them before the listing
};

}  // namespace df::lake
