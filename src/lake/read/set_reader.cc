#include "lake/read/set_reader.h"

#include <utility>

namespace df::lake {
namespace {

/// Reads the tasks that one was cut into, one after the other.
class SetReader final : public PartitionReader {
 public:
  using Open = std::function<std::unique_ptr<PartitionReader>(PartitionTask)>;

  SetReader(std::vector<PartitionTask> tasks, Open open)
      : tasks_(std::move(tasks)), open_(std::move(open)) {}

  ~SetReader() override { LeaveRest(); }

  Result<std::optional<Payload>> Next() override {
    while (true) {
      if (reader_ == nullptr) {
        if (next_ == tasks_.size()) {
          return std::nullopt;
        }
        reader_ = open_(std::move(tasks_[next_++]));
        if (limits_.has_value()) {
          reader_->Limit(limits_->batch_size, limits_->span);
        }
      }
      Result<std::optional<Payload>> payload = reader_->Next();
      if (payload.ok() && payload->has_value()) {
        return payload;
      }
      Close();
      if (!payload.ok()) {  // nothing follows
        LeaveRest();
        return payload;
      }
    }
  }

  void Limit(int64_t batch_size, std::optional<PayloadSpan> span) override {
    limits_ = {.batch_size = batch_size, .span = span};
    if (reader_ != nullptr) {
      reader_->Limit(batch_size, span);
    }
  }

  const std::vector<RootOutcome>& outcomes() const override {
    outcomes_ = closed_;
    if (reader_ != nullptr) {
      outcomes_.insert(outcomes_.end(), reader_->outcomes().begin(), reader_->outcomes().end());
    }
    return outcomes_;
  }

 private:
  void Close() {
    closed_.insert(closed_.end(), reader_->outcomes().begin(), reader_->outcomes().end());
    reader_ = nullptr;
  }

  /// Counts the rows of the tasks that are not begun as left.
  void LeaveRest() {
    while (next_ < tasks_.size()) {
      open_(std::move(tasks_[next_++]));
    }
  }

  struct Limits {
    int64_t batch_size = 0;
    std::optional<PayloadSpan> span;
  };

  std::vector<PartitionTask> tasks_;
  Open open_;
  size_t next_ = 0;
  std::unique_ptr<PartitionReader> reader_;
  std::optional<Limits> limits_;  ///< where they were changed
  std::vector<RootOutcome> closed_;
  mutable std::vector<RootOutcome> outcomes_;  ///< what outcomes() returned last
};

}  // namespace

std::unique_ptr<PartitionReader> ReadOneByOne(
    std::vector<PartitionTask> tasks,
    std::function<std::unique_ptr<PartitionReader>(PartitionTask)> open) {
  return std::make_unique<SetReader>(std::move(tasks), std::move(open));
}

}  // namespace df::lake
