#include "nodes/processors/retry/slot_table.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace df::nodes::processors::retry {

bool SlotTable::IsLater(const Due& left, const Due& right) {
  return std::tie(left.time, left.order) > std::tie(right.time, right.order);
}

uint32_t SlotTable::Add(engine::Pdata pdata, runtime::SteadyTime now) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(entries_.size()));
    entries_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Entry& entry = entries_[index];
  entry.is_used = true;
  entry.slot.pdata = std::move(pdata);
  entry.slot.first_sent = now;
  entry.slot.num_attempts = 0;
  entry.slot.is_in_flight = true;
  ++num_used_;
  return index;
}

std::optional<uint32_t> SlotTable::Find(uint64_t calldata) const {
  const auto index = static_cast<uint32_t>(calldata);
  if (index >= entries_.size()) {
    return std::nullopt;
  }
  const Entry& entry = entries_[index];
  const bool is_this_use = entry.is_used && entry.generation == calldata >> 32;
  return is_this_use && entry.slot.is_in_flight ? std::optional(index) : std::nullopt;
}

Slot SlotTable::Remove(uint32_t index) {
  Entry& entry = entries_[index];
  Slot slot = std::move(entry.slot);
  entry.slot = Slot();
  entry.is_used = false;
  ++entry.generation;
  free_.push_back(index);
  --num_used_;
  return slot;
}

void SlotTable::Wait(uint32_t index, runtime::SteadyTime due) {
  // Every attempt has calldata of its own: a late outcome of an earlier one cannot be taken for it.
  ++entries_[index].generation;
  entries_[index].slot.is_in_flight = false;
  due_.push_back({due, next_order_++, index});
  std::push_heap(due_.begin(), due_.end(), IsLater);
}

uint32_t SlotTable::TakeNextDue() {
  std::pop_heap(due_.begin(), due_.end(), IsLater);
  const uint32_t index = due_.back().index;
  due_.pop_back();
  entries_[index].slot.is_in_flight = true;
  return index;
}

void SlotTable::MakeAllDue(runtime::SteadyTime now) {
  std::sort(due_.begin(), due_.end(),
            [](const Due& left, const Due& right) { return IsLater(right, left); });
  for (Due& due : due_) {
    due.time = std::min(due.time, now);
    due.order = next_order_++;
  }
  std::make_heap(due_.begin(), due_.end(), IsLater);
}

}  // namespace df::nodes::processors::retry
