// Which traces were found.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace df::select {

/// The 16 bytes of an id as they lie in memory: numbers are compared faster.
using TraceId = std::array<uint64_t, 2>;

/// Ids of traces. Shape: ascending, each once. Memory: 16 bytes an id. Calls: from any thread.
class TraceIds {
 public:
  /// `ids` may stand in any order, and more than once.
  explicit TraceIds(std::vector<TraceId> ids);

  /// Tells whether an id is one of them. Returns false for anything but 16 bytes. Cost: O(log n).
  bool Has(std::string_view id) const;

  std::span<const TraceId> ids() const { return ids_; }

 private:
  std::vector<TraceId> ids_;
};
using TraceIdsPtr = std::shared_ptr<const TraceIds>;

}  // namespace df::select
