// When batches go out, and which times they have.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "engine/account.h"
#include "lake/queue/work_list.h"
#include "nodes/receivers/parquet/pace_options.h"
#include "nodes/receivers/parquet/pacer.h"
#include "nodes/receivers/parquet/replay_ledgers.h"
#include "otap/batch.h"

namespace df::nodes::receivers::parquet {

/// What all readers of a replay send through. Calls: from any thread.
class Pacing {
 public:
  /// `clock` is borrowed.
  Pacing(const PaceOptions& pace, TimeOptions time, const runtime::Clock& clock);

  bool goes_by_time() const { return pacer_.goes_by_time(); }

  /// Has the shift that is learnt be that of an earlier replay of the same. Before Learn.
  void UseFoundShift(std::shared_ptr<FoundShift> found) { found_shift_ = std::move(found); }

  /// Learns which times the archive has; the first call counts. Before the first batch, and only
  /// needed where a time of the archive gets a place. Errors: kind config where statistics do not
  /// tell.
  Status Learn(const lake::WorkList::FoundTimes& found);

  /// A reader has work as long as it lives.
  class Turn {
   public:
    explicit Turn(Pacing* pacing) : pacing_(pacing) { pacing_->pacer_.Enter(); }
    ~Turn() { pacing_->pacer_.Leave(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Pacing* pacing_;
  };

  void Wake() { pacer_.Wake(); }

  /// Waits until a batch may go out, and gives it the times that it is to have. Returns false when
  /// it was stopped meanwhile. Errors: those of Arrow.
  Result<bool> Admit(otap::BatchPtr* batch, const Pacer::IsStopped& is_stopped);

  Pacer::Figures figures() const { return pacer_.figures(); }

  /// Times that have no place where they would go, and stayed as they were.
  int64_t num_kept() const { return num_kept_; }

  /// Adds to the notices how well the pace was kept, of kind "pace", and to the problems
  /// the times that could not be shifted.
  void AddTo(engine::SourceAccount* account) const;

 private:
  int64_t ShiftOf(std::optional<int64_t> latest) const;
  bool WaitUntilDue(const otap::Batch& batch, std::optional<int64_t>* latest,
                    const Pacer::IsStopped& is_stopped);
  Result<otap::BatchPtr> Shift(const otap::BatchPtr& batch, int64_t nanos);

  TimeOptions time_;
  int64_t began_nanos_;  ///< what times relative to now are relative to
  Pacer pacer_;
  std::shared_ptr<FoundShift> found_shift_ = std::make_shared<FoundShift>();
  std::once_flag learnt_;
  Status learn_status_;
  std::atomic<int64_t> shift_nanos_ = 0;
  std::atomic<int64_t> num_kept_ = 0;
  std::atomic<int64_t> num_ignored_ = 0;  ///< root rows whose times nobody waits for
};

}  // namespace df::nodes::receivers::parquet
