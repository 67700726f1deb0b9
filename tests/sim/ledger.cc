#include "sim/ledger.h"

#include <utility>

#include "sim/batch_pool.h"

namespace df::sim {

int64_t Ledger::AddBatch(const otap::Batch& batch) {
  const auto number = static_cast<int64_t>(batches.size());
  BatchFate fate;
  fate.first_item = static_cast<int64_t>(items.size());
  fate.batch = NumberItems(batch, fate.first_item);
  items.resize(items.size() + static_cast<size_t>(batch.num_items()),
               ItemFate{.batch = static_cast<int32_t>(number)});
  batches.push_back(std::move(fate));
  return number;
}

void Ledger::OnToken(int64_t batch) {
  BatchFate& fate = batches[static_cast<size_t>(batch)];
  ++fate.num_tokens;
  live_bytes_ += fate.batch->size_bytes();
}

void Ledger::OnOutcome(int64_t batch, const engine::Outcome& outcome) {
  BatchFate& fate = batches[static_cast<size_t>(batch)];
  if (++fate.num_outcomes > fate.num_tokens) {
    AddProblem(1, "batch {} has had {} outcomes of {} sends", batch, fate.num_outcomes,
               fate.num_tokens);
  }
  live_bytes_ -= fate.batch->size_bytes();
  if (!outcome.is_ack) {
    return;
  }
  fate.is_acked = true;
  for (int64_t i = 0; i < fate.batch->num_items(); ++i) {
    const int64_t item = fate.first_item + i;
    if (items[static_cast<size_t>(item)].num_acked == 0) {
      AddProblem(2, "batch {} is acked, and no exporter has acked its item {}", batch, item);
    }
  }
}

std::vector<int64_t> Ledger::OnDelivered(const otap::BatchPtr& batch) {
  std::vector<int64_t> numbers;
  ReadItems(*batch, &numbers);
  for (const int64_t item : numbers) {
    if (item < 0 || item >= static_cast<int64_t>(items.size()) ||
        batches[static_cast<size_t>(items[static_cast<size_t>(item)].batch)].num_tokens == 0) {
      AddProblem(2, "item {} was delivered and never sent", item);
      return {};
    }
    ++items[static_cast<size_t>(item)].num_deliveries;
  }
  delivered.push_back(batch);
  return numbers;
}

void Ledger::OnAnswered(const std::vector<int64_t>& numbers, bool is_ack) {
  for (const int64_t item : numbers) {
    items[static_cast<size_t>(item)].num_acked += is_ack ? 1 : 0;
  }
}

}  // namespace df::sim
