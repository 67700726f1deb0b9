// Lets somebody see batches that pass a node, without the node noticing.
#pragma once

#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "otap/batch.h"
#include "runtime/clock.h"

namespace df::engine {

/// Names a node of a pipeline, over all of its instances.
struct TapKey {
  std::string group;
  std::string pipeline;
  std::string node;
  auto operator<=>(const TapKey&) const = default;

  /// Returns "group/pipeline:node".
  std::string ToString() const;
};

/// What one tap holds at most; what comes beyond is dropped from the tap, and counted.
inline constexpr int64_t kMaxTapBytes = 8 << 20;
inline constexpr size_t kMaxTapBatches = 256;
/// So many taps may be open at a time.
inline constexpr size_t kMaxTaps = 4;
/// A tap that nobody has looked at for so long is closed.
inline constexpr std::chrono::seconds kTapLease{15};

/// One look at a tap.
struct TapLook {
  std::vector<otap::BatchPtr> batches;  ///< copies that share buffers; the oldest first
  int64_t num_dropped_batches = 0;      ///< since the look before
  int64_t num_dropped_items = 0;
  bool is_new = false;  ///< the tap was opened by this look
};

class Tap;

/// The place in a node where taps are put. Calls: from any thread.
class TapPoint {
 public:
  explicit TapPoint(const runtime::Clock* clock) : clock_(*clock) {}

  /// Whether anybody may be looking. Cost: one load.
  bool is_open() const { return is_open_.load(std::memory_order_relaxed); }

  /// Shows a batch to every tap. Cost: a copy of the pointers to its columns for each tap that has
  /// room; nothing waits for who looks.
  void Offer(const otap::Batch& batch);

 private:
  friend class TapRegistry;
  void Add(std::shared_ptr<Tap> tap);

  const runtime::Clock& clock_;
  std::atomic<bool> is_open_ = false;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Tap>> taps_;  // by mutex_
};

/// Every node that runs, and every tap that is open. Calls: from any thread.
class TapRegistry {
 public:
  /// `clock` is borrowed.
  explicit TapRegistry(const runtime::Clock& clock = runtime::SystemClock()) : clock_(clock) {}

  /// Returns the point of a node; instances of it on several cores share one. Owner: who runs the
  /// node; it is gone with the last of them.
  std::shared_ptr<TapPoint> PointOf(const TapKey& key);

  /// Takes what a tap holds, about `max_bytes` of it; opens the tap where there is none of this
  /// session. Errors: KeyError where no such node runs, naming those of the pipeline; CapacityError
  /// beyond kMaxTaps; Invalid for a session that looks at another node.
  Result<TapLook> Look(uint64_t session, const TapKey& key, int64_t max_bytes);

 private:
  struct Session {
    TapKey key;
    std::shared_ptr<Tap> tap;
    std::weak_ptr<TapPoint> point;  // where it is; a node that was started again has another
  };
  Status MissingNode(const TapKey& key) const;

  const runtime::Clock& clock_;
  mutable std::mutex mutex_;
  std::map<TapKey, std::weak_ptr<TapPoint>> points_;  // also of nodes that are gone, until a sweep
  static constexpr size_t kFirstSweep = 64;
  size_t sweep_at_ = kFirstSweep;
  std::map<uint64_t, Session> sessions_;
};

/// The one of the process.
TapRegistry& ProcessTaps();

}  // namespace df::engine
