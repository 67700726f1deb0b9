// What the replays of a process have delivered, by name.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "lake/ledger/file_ledger.h"

namespace df::nodes::receivers::parquet {

/// Group, pipeline, node, folder and what is sent (DescribeSent): what one selection left out
/// another may want.
using ReplayName = std::array<std::string, 5>;

/// What is added to times, once it was found out. A replay that is started anew adds the same,
/// though it finds other files then. Calls: from any thread.
class FoundShift {
 public:
  /// Returns what was found first.
  int64_t Keep(int64_t nanos) {
    const std::lock_guard lock(mutex_);
    return nanos_.has_value() ? *nanos_ : nanos_.emplace(nanos);
  }
  std::optional<int64_t> Get() const {
    const std::lock_guard lock(mutex_);
    return nanos_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<int64_t> nanos_;
};

/// Keeps the ledger of a replay when its pipeline is replaced, stopped or started anew. Of the
/// names that no replay uses any more only the last kMostUnused are kept: a process that is given
/// new names for a year stays as small as it was. Calls: from any thread.
class ReplayLedgers {
 public:
  static constexpr size_t kMostUnused = 64;

  /// Returns the ledger of a name, an empty one when the name is new or was forgotten.
  std::shared_ptr<lake::FileLedger> Of(const ReplayName& name);

  /// Returns what the replays of a name share of FoundShift.
  std::shared_ptr<FoundShift> ShiftOf(const ReplayName& name);

  size_t size() const;

 private:
  struct Entry {
    std::shared_ptr<lake::FileLedger> ledger;
    std::shared_ptr<FoundShift> shift;
    uint64_t last_asked_for = 0;
    bool is_used() const { return ledger.use_count() > 1; }
  };
  void ForgetUnused();

  mutable std::mutex mutex_;
  std::map<ReplayName, Entry> entries_;
  uint64_t num_calls_ = 0;
};

}  // namespace df::nodes::receivers::parquet
