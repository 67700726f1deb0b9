// When batches go out, and which times they have.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/account.h"
#include "engine/held_sources.h"
#include "lake/queue/work_list.h"
#include "nodes/receivers/parquet/gate.h"
#include "nodes/receivers/parquet/pace_options.h"
#include "nodes/receivers/parquet/pacer.h"
#include "nodes/receivers/parquet/replay_ledgers.h"
#include "otap/batch.h"

namespace df::nodes::receivers::parquet {

/// What all readers of a replay send through. Calls: from any thread.
class Pacing final : public engine::HoldableSource {
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

  /// A batch on its way from Admit to the gate.
  class Passing {
   public:
    Passing() = default;
    explicit Passing(Pacing* pacing) : pacing_(pacing) { ++pacing_->num_passing_; }
    Passing(Passing&& other) noexcept : pacing_(std::exchange(other.pacing_, nullptr)) {}
    Passing& operator=(Passing&& other) noexcept {
      std::swap(pacing_, other.pacing_);  // the other one ends it
      return *this;
    }
    ~Passing() {
      if (pacing_ != nullptr) {
        --pacing_->num_passing_;
      }
    }

   private:
    Pacing* pacing_ = nullptr;
  };

  /// Waits until a batch may go out, and gives it the times that it is to have. Returns nothing
  /// when it was stopped meanwhile. Errors: those of Arrow.
  Result<std::optional<Passing>> Admit(otap::BatchPtr* batch, const Pacer::IsStopped& is_stopped);

  /// Batches that were admitted and have not gone yet.
  int64_t num_passing() const { return num_passing_; }

  /// Tells whether a batch that was admitted may go to the pipeline now.
  bool TryPass(Passing* passing);
  /// Tells when it may after all.
  Gate& gate() { return gate_; }

  // Of HoldableSource. With a speed the clock of the times stands while the source is held.
  void Hold() override;
  void LetGo() override;
  Status Step(const engine::StepSize& size) override;
  engine::HoldStatus hold() const override { return gate_.status(); }

  /// Goes on at another pace. Whether it goes by time stays as it was.
  void Change(const PaceOptions& pace) { pacer_.Change(pace); }

  Pacer::Figures figures() const { return pacer_.figures(); }

  /// Times that have no place where they would go, and stayed as they were.
  int64_t num_kept() const { return num_kept_; }

  /// Adds to the notices how well the pace was kept, of kind "pace", and to the problems
  /// the times that could not be shifted.
  void AddTo(engine::SourceAccount* account) const;

 private:
  int64_t ShiftOf(std::optional<int64_t> latest) const;
  Pacer::Wait WaitUntilDue(const otap::Batch& batch, std::optional<int64_t>* latest,
                           const Pacer::IsStopped& is_stopped);
  bool WaitForRate(const otap::Batch& batch, const Pacer::IsStopped& is_stopped);
  Result<otap::BatchPtr> Shift(const otap::BatchPtr& batch, int64_t nanos);

  const runtime::Clock& clock_;
  std::mutex hold_mutex_;  ///< one change at a time
  Gate gate_;
  std::atomic<int64_t> num_passing_ = 0;
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
