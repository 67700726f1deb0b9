// What the replays of a process have delivered, by name.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "lake/ledger/file_ledger.h"

namespace df::nodes::receivers::parquet {

/// Group, pipeline, node, folder and selection: what one selection left out another may want.
using ReplayName = std::array<std::string, 5>;

/// Keeps the ledger of a replay when its pipeline is replaced, stopped or started anew. Of the
/// names that no replay uses any more only the last kMostUnused are kept: a process that is given
/// new names for a year stays as small as it was. Calls: from any thread.
class ReplayLedgers {
 public:
  static constexpr size_t kMostUnused = 64;

  /// Returns the ledger of a name, an empty one when the name is new or was forgotten.
  std::shared_ptr<lake::FileLedger> Of(const ReplayName& name);

  size_t size() const;

 private:
  struct Entry {
    std::shared_ptr<lake::FileLedger> ledger;
    uint64_t last_asked_for = 0;
    bool is_used() const { return ledger.use_count() > 1; }
  };
  void ForgetUnused();

  mutable std::mutex mutex_;
  std::map<ReplayName, Entry> entries_;
  uint64_t num_calls_ = 0;
};

}  // namespace df::nodes::receivers::parquet
