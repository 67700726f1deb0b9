// Distinct parent ids of an attribute table.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace df::lake {

/// Distinct parent ids of an attribute table of one partition, ascending.
class ParentIdSet {
 public:
  ParentIdSet() = default;
  explicit ParentIdSet(std::vector<uint32_t> ids);
  bool empty() const { return ids_.empty(); }
  bool Has(uint64_t id) const { return HasAnyIn(id, id); }
  bool HasAnyIn(uint64_t first, uint64_t last) const { return !In(first, last).empty(); }
  /// Returns the ids in [first, last].
  std::span<const uint32_t> In(uint64_t first, uint64_t last) const;
  const std::vector<uint32_t>& ids() const { return ids_; }
  /// Returns the place of an id that is in the set.
  size_t IndexOf(uint32_t id) const;

 private:
  std::vector<uint32_t> ids_;
};

}  // namespace df::lake
