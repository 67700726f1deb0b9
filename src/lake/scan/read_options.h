// What a reader of a lake is told.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "otap/schema.h"

namespace df::select {
class Selector;
}

namespace df::lake {

/// What happens to records whose resource or scope attributes cannot be told for certain (format
/// reference 4.4).
enum class ResourceJoin : uint8_t {
  kInfer,  ///< join what the files prove, send ambiguous stretches without those attributes, count
           ///< them
  kDrop,   ///< never infer: files without exact ids go out without resource and scope attributes,
           ///< counted
  kFail,   ///< an ambiguous stretch fails its partition
};

/// A payload ends before a row whose time lies further behind all before it.
struct PayloadSpan {
  std::chrono::nanoseconds most{0};
  int64_t ignored_after = std::numeric_limits<int64_t>::max();  ///< such times count as none
};

struct ReadOptions {
  /// Which signals are read.
  std::vector<otap::Signal> signals = {otap::Signal::kLogs, otap::Signal::kTraces,
                                       otap::Signal::kMetrics};

  /// Most root rows of one payload, 1..65535. A payload may hold fewer: it never crosses a row
  /// group, and its bytes are bounded.
  int64_t batch_size = 8192;

  /// Where records are to go out at their times.
  std::optional<PayloadSpan> payload_span;

  /// A file younger than this is not read yet, whatever its table; nothing = read at once.
  std::optional<std::chrono::nanoseconds> min_file_age;

  /// Checks every payload against the model.
  bool validate_relations = false;

  ResourceJoin resource_join = ResourceJoin::kInfer;

  /// Which records are wanted; null: all of them.
  std::shared_ptr<const select::Selector> selector;

  /// Which partitions are looked at, by their paths; unset: all of them.
  std::function<bool(const std::string& partition)> wants_partition;

  /// Bound on decoded columns, pages and payloads in flight, for the whole receiver.
  int64_t memory_limit_bytes = 256_MiB;
};

}  // namespace df::lake
