// An archive that a command reads: what is there by its footers, and the records that are wanted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/commands/archive_path.h"
#include "base/error.h"
#include "base/units.h"
#include "lake/catalog/set_aside.h"
#include "lake/queue/work_list.h"
#include "lake/read/payload.h"
#include "select/selector.h"
#include "storage/store.h"

namespace df::app {

struct ArchiveOptions {
  ArchivePath path;
  std::vector<otap::Signal> signals;  ///< those that are read
  select::Wishes wishes;
  std::string cache;  ///< a local directory that keeps footers from run to run; "": none
  int num_threads = 1;
  int64_t memory_limit_bytes = 256_MiB;
  /// Compactions set aside what they take away while the archive is open. False for the one who
  /// compacts.
  bool holds_base = true;
};

/// A row group of records or data points, by its statistics.
struct RowGroupTimes {
  otap::TableKind table = otap::TableKind::kLogs;
  int64_t num_rows = 0;
  std::optional<lake::EventTimeRange> times;  ///< nothing: they say nothing
};

/// Calls: from one thread; it has threads of its own.
class Archive {
 public:
  /// Lists the archive and reads the footers of the partitions that are wanted. Errors: as
  /// WorkList::Take; Invalid when nothing is there, saying what is there instead.
  static Result<std::unique_ptr<Archive>> Open(ArchiveOptions options);
  ~Archive();

  const ArchiveOptions& options() const { return options_; }
  storage::Store& store() { return *store_; }
  const std::shared_ptr<storage::Store>& shared_store() const { return store_; }
  const lake::ReadOptions& read_options() const { return read_; }
  const std::string& base() const { return store_->uri().path; }
  const std::vector<lake::PartitionWork>& partitions() const { return partitions_; }

  /// Returns the row groups whose rows are the items of a signal: data points of metrics.
  std::vector<RowGroupTimes> RowGroupsOf(otap::Signal signal) const;

  /// Takes a payload that holds wanted records. `thread` counts from 0 to num_threads - 1. An error
  /// ends the reading.
  using Visit = std::function<Status(const lake::Payload& payload, size_t thread)>;

  /// Reads what is wanted inside of `time`, of some signals (none: all that are open). With several
  /// threads payloads come in any order; with one in the order of the files. What cannot be read is
  /// in Report(). Errors: what `visit` returns.
  Status Read(const select::TimeRange& time, const Visit& visit,
              const std::vector<otap::Signal>& signals = {});

  /// Reads all records of one signal of a partition, on the calling thread. `report` gets what is
  /// missing, unread or doubtful, and Report() does not. Errors: what `visit` returns.
  Status ReadAll(const lake::PartitionWork& partition, otap::Signal signal,
                 const std::function<Status(const otap::BatchPtr&)>& visit,
                 lake::ReadReport* report);

  /// Calls `visit` with the files of each partition, on all threads.
  void ForEachPartition(const std::function<void(const lake::PartitionFiles&)>& visit) const;

  /// What is missing, unread or doubtful.
  lake::ReadReport Report() const { return list_->Report(); }
  /// What is worth saying of the cache; "" for nothing.
  const std::string& cache_notice() const { return cache_notice_; }

 private:
  explicit Archive(ArchiveOptions options) : options_(std::move(options)) {}
  Status MakeList();
  Status FindTraces();
  Status TakeAll();
  /// Reads what is left of partitions whose files of records are gone: it is named.
  void NameBareTasks();
  void KeepFile(lake::PartitionWork* work) const;
  Status ReadPartition(const lake::PartitionWork& work, const lake::ReadOptions& read,
                       const Visit& visit, size_t thread);
  Status ReadTask(const lake::PartitionTask& task, const lake::ReadOptions& read,
                  const std::function<Status(const lake::Payload&)>& visit,
                  lake::MemoryBudget* budget, lake::ReadReport* report);
  static bool IsWanted(const lake::PartitionTask& task, const lake::ReadOptions& read);

  ArchiveOptions options_;
  std::shared_ptr<storage::Store> store_;
  lake::ReadOptions read_;
  std::shared_ptr<lake::FooterCache> cache_;
  std::optional<lake::BaseHold> hold_;
  std::unique_ptr<lake::WorkList> list_;
  std::vector<lake::PartitionWork> partitions_;  ///< sorted by partition
  select::Wishes wishes_;                        ///< with the traces that trace.any has found
  std::string cache_notice_;
};

/// Returns where footers are kept when nobody says: a folder of the user's cache, or "" where there
/// is none.
std::string DefaultCacheFolder();

}  // namespace df::app
