#include "engine/tap.h"

#include <deque>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "otap/schema.h"

namespace df::engine {
namespace {

/// Returns a batch of its own with the same buffers: arrays cache what is asked of them, so two
/// threads must not share one.
Result<otap::BatchPtr> CopyOf(const otap::Batch& batch) {
  if (batch.encoded() != nullptr) {
    return otap::MakeEncodedBatch(batch.signal(), *batch.encoded(), batch.num_items());
  }
  otap::BatchBuilder copy(batch.signal(), batch.id_encoding());
  for (const otap::TableInfo& table : otap::AllTables()) {
    const std::shared_ptr<arrow::RecordBatch>& rows = batch.table(table.kind);
    if (rows != nullptr) {
      ARROW_RETURN_NOT_OK(copy.Set(
          table.kind,
          arrow::RecordBatch::Make(rows->schema(), rows->num_rows(), rows->column_data())));
    }
  }
  return copy.Build();
}

}  // namespace

/// What one session has not seen yet.
class Tap {
 public:
  explicit Tap(runtime::SteadyTime now) : last_look_(now) {}

  bool HasExpired(runtime::SteadyTime now) const {
    const std::lock_guard lock(mutex_);
    return now - last_look_ > kTapLease;
  }

  void Add(const otap::Batch& batch) {
    const std::lock_guard lock(mutex_);
    Result<otap::BatchPtr> copy = Status::CapacityError("the tap is full");
    if (batches_.size() < kMaxTapBatches && size_bytes_ + batch.size_bytes() <= kMaxTapBytes) {
      copy = CopyOf(batch);
    }
    if (!copy.ok()) {
      ++num_dropped_batches_;
      num_dropped_items_ += batch.num_items();
      return;
    }
    size_bytes_ += batch.size_bytes();
    batches_.push_back({*std::move(copy), batch.size_bytes()});
  }

  TapLook Take(int64_t max_bytes, runtime::SteadyTime now) {
    const std::lock_guard lock(mutex_);
    last_look_ = now;
    TapLook look;
    int64_t taken_bytes = 0;
    while (!batches_.empty() && taken_bytes < max_bytes) {
      taken_bytes += batches_.front().size_bytes;
      look.batches.push_back(std::move(batches_.front().batch));
      batches_.pop_front();
    }
    size_bytes_ -= taken_bytes;
    look.num_dropped_batches = std::exchange(num_dropped_batches_, 0);
    look.num_dropped_items = std::exchange(num_dropped_items_, 0);
    return look;
  }

 private:
  struct Held {
    otap::BatchPtr batch;
    int64_t size_bytes = 0;
  };

  mutable std::mutex mutex_;
  runtime::SteadyTime last_look_;
  std::deque<Held> batches_;
  int64_t size_bytes_ = 0;
  int64_t num_dropped_batches_ = 0;
  int64_t num_dropped_items_ = 0;
};

std::string TapKey::ToString() const { return fmt::format("{}/{}:{}", group, pipeline, node); }

void TapPoint::Offer(const otap::Batch& batch) {
  const runtime::SteadyTime now = clock_.Now();
  const std::lock_guard lock(mutex_);
  std::erase_if(taps_, [now](const std::shared_ptr<Tap>& tap) { return tap->HasExpired(now); });
  for (const std::shared_ptr<Tap>& tap : taps_) {
    tap->Add(batch);
  }
  if (taps_.empty()) {
    is_open_.store(false, std::memory_order_relaxed);
  }
}

void TapPoint::Add(std::shared_ptr<Tap> tap) {
  const std::lock_guard lock(mutex_);
  taps_.push_back(std::move(tap));
  is_open_.store(true, std::memory_order_relaxed);
}

std::shared_ptr<TapPoint> TapRegistry::PointOf(const TapKey& key) {
  const std::lock_guard lock(mutex_);
  if (points_.size() >= sweep_at_) {
    std::erase_if(points_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = 2 * points_.size() + kFirstSweep;
  }
  std::shared_ptr<TapPoint> point = points_[key].lock();
  if (point == nullptr) {
    point = std::make_shared<TapPoint>(&clock_);
    points_[key] = point;
  }
  return point;
}

Status TapRegistry::MissingNode(const TapKey& key) const {
  std::vector<std::string> nodes;
  for (const auto& [known, point] : points_) {
    if (known.group == key.group && known.pipeline == key.pipeline && !point.expired()) {
      nodes.push_back(known.node);
    }
  }
  return Status::KeyError(nodes.empty()
                              ? fmt::format("no node of {}/{} runs", key.group, key.pipeline)
                              : fmt::format("there is no node '{}' in {}/{}, but {}", key.node,
                                            key.group, key.pipeline, fmt::join(nodes, ", ")));
}

Result<TapLook> TapRegistry::Look(uint64_t session, const TapKey& key, int64_t max_bytes) {
  const runtime::SteadyTime now = clock_.Now();
  const std::lock_guard lock(mutex_);
  std::erase_if(sessions_, [now](const auto& entry) { return entry.second.tap->HasExpired(now); });
  const auto point = points_.find(key);
  const std::shared_ptr<TapPoint> node = point == points_.end() ? nullptr : point->second.lock();
  if (node == nullptr) {
    return MissingNode(key);
  }
  auto found = sessions_.find(session);
  const bool is_new = found == sessions_.end();
  if (is_new && sessions_.size() >= kMaxTaps) {
    return Status::CapacityError(fmt::format("{} taps are open, more may not be", kMaxTaps));
  }
  if (is_new) {
    found = sessions_.emplace(session, Session{key, std::make_shared<Tap>(now), {}}).first;
  } else if (found->second.key != key) {
    return Status::Invalid(fmt::format("the session looks at {}", found->second.key.ToString()));
  }
  if (found->second.point.lock() != node) {
    node->Add(found->second.tap);
    found->second.point = node;
  }
  TapLook look = found->second.tap->Take(max_bytes, now);
  look.is_new = is_new;
  return look;
}

TapRegistry& ProcessTaps() {
  static TapRegistry taps;
  return taps;
}

}  // namespace df::engine
