// The first pass of a selection by trace.any: which traces have what is asked for.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "lake/queue/work_list.h"
#include "lake/report/read_report.h"
#include "lake/scan/read_options.h"
#include "select/selector.h"
#include "storage/store.h"

namespace df::lake {

/// Looks through a tree once for each question of a signal. Records are asked that the rest of the
/// selection wants: its times, partitions and trace ids. Calls: from any thread; those that call
/// Run at the same time share the work.
class TraceSearch {
 public:
  /// Makes what finds the work of one pass, without polling.
  using MakeList = std::function<Result<std::unique_ptr<WorkList>>(const ReadOptions& read)>;

  /// `read` is that of the replay. `max_bytes` bounds the ids that are found:
  /// each takes 32 bytes while it is looked for.
  TraceSearch(std::shared_ptr<storage::Store> store, std::string base, ReadOptions read,
              MakeList make_list, int64_t max_bytes);

  /// Tells whether a selector asks anything of traces.
  static bool IsNeeded(const ReadOptions& read);

  /// Returns when everything has been looked through, by this call and others. `budget_bytes` is
  /// for what this one decodes. Errors: Cancelled where `is_stopped` says so, others go on with
  /// what was left then; file_discovery; query with too many traces. An error ends all calls; a
  /// later one goes on where it may pass.
  Status Run(int64_t budget_bytes, const std::function<bool()>& is_stopped);

  /// Makes calls of Run that wait look at `is_stopped` again.
  void Wake();

  /// What selects by the traces that were found. After Run.
  std::shared_ptr<const select::Selector> selector() const { return selector_; }

  /// What could not be read or answered: the traces of those records may be missing.
  ReadReport Report() const;

  /// The same as problems of whoever has asked: what could not be read was not looked at, so a
  /// trace may be missing.
  ReadReport Problems() const;

  /// Lines for people: each question and how many traces it is true of.
  std::vector<std::string> Describe() const;

 private:
  using Questions = std::array<std::vector<std::string>, otap::kAllSignals.size()>;

  void BeginPass();
  void EndPass();
  bool Look(const PartitionWork& work, WorkList* list, const ReadOptions& read,
            int64_t budget_bytes, const std::function<bool()>& is_stopped);
  bool LookAt(PartitionTask task, const ReadOptions& read, MemoryBudget* budget, ReadReport* report,
              const std::function<bool()>& is_stopped, std::vector<RootOutcome>* outcomes);
  void Add(otap::Signal signal, std::vector<select::TraceId> ids);
  void CheckSize(otap::Signal signal, size_t num_unique);

  const std::shared_ptr<storage::Store> store_;
  const std::string base_;
  const ReadOptions read_;
  const MakeList make_list_;
  const int64_t max_bytes_;
  Questions questions_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  size_t num_passes_ = 0;  ///< that have ended; each asks the question of this number
  std::shared_ptr<WorkList> list_;
  ReadOptions pass_;                ///< what readers of this pass are told
  int num_busy_ = 0;                ///< calls that look for work or have some
  std::deque<PartitionWork> left_;  ///< by calls that were stopped
  Status status_;
  bool is_done_ = false;
  /// Of this pass, by signal: ids as they come, made unique when there are twice as many.
  std::array<std::vector<select::TraceId>, otap::kAllSignals.size()> ids_;
  std::array<size_t, otap::kAllSignals.size()> num_unique_{};
  std::array<std::vector<select::TraceIdsPtr>, otap::kAllSignals.size()> found_;
  ReadReport report_;
  std::shared_ptr<const select::Selector> selector_;
};

}  // namespace df::lake
