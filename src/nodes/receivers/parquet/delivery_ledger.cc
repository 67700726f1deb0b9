#include "nodes/receivers/parquet/delivery_ledger.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace df::nodes::receivers::parquet {
namespace {

otap::Signal SignalOf(otap::TableKind root) {
  for (const otap::Signal signal : otap::kAllSignals) {
    if (otap::RootTable(signal) == root) {
      return signal;
    }
  }
  return otap::Signal::kLogs;  // files of other tables are not opened here
}

}  // namespace

struct DeliveryLedger::File {
  File(std::string in_partition, const lake::FileSummary& summary)
      : partition(std::move(in_partition)),
        path(summary.entry.path),
        key(path + "\n" + summary.digest),
        size_bytes(summary.entry.size_bytes),
        signal(SignalOf(summary.kind)),
        states(summary.num_rows()) {
    int64_t first = 0;
    for (const lake::RowGroupSummary& group : summary.row_groups) {
      group_first_row.push_back(first);
      first += group.num_rows;
    }
  }

  int64_t FirstRow(const lake::Origin& origin) const {
    return group_first_row[static_cast<size_t>(origin.row_group)] + origin.first_row;
  }
  bool is_delivered() const {
    return states.Count(RowState::kDelivered) + states.Count(RowState::kSelectedOut) +
               states.Count(RowState::kDropped) ==
           states.num_rows();
  }

  /// Rows by state, and those for which the condition had no answer.
  struct Counts {
    std::array<int64_t, kNumRowStates> rows{};
    int64_t unanswered = 0;
    int64_t of(RowState state) const { return rows[static_cast<size_t>(state)]; }
  };

  /// Rows that a batch lacks do not count with the rest of their range.
  Counts Count() const {
    Counts counts;
    for (size_t state = 0; state < kNumRowStates; ++state) {
      counts.rows[state] = states.Count(static_cast<RowState>(state));
    }
    for (const auto& [first, batch] : thinned) {
      counts.rows[static_cast<size_t>(states.StateAt(first))] -=
          batch.num_selected_out + batch.num_unanswered;
      counts.rows[static_cast<size_t>(RowState::kSelectedOut)] += batch.num_selected_out;
      counts.unanswered += batch.num_unanswered;
    }
    return counts;
  }

  /// Forgets what was known of batches that have rows of a range: they are cut anew.
  void ForgetThinned(int64_t first, int64_t count) {
    auto batch = thinned.lower_bound(first);
    if (batch != thinned.begin() && std::prev(batch)->second.end > first) {
      --batch;
    }
    while (batch != thinned.end() && batch->first < first + count) {
      batch = thinned.erase(batch);
    }
  }
  std::string_view ReasonOf(RowState state) const {
    switch (state) {
      case RowState::kUnread:
        return is_ended ? "unreadable" : "not_read";
      case RowState::kRead:
        return "read_not_sent";
      case RowState::kInFlight:
        return "in_flight";
      case RowState::kRefused:
        return "refused";
      case RowState::kDeadLetter:
        return "dead_letter";
      case RowState::kQuarantined:
        return "quarantined";
      case RowState::kDropped:
      case RowState::kDelivered:
      case RowState::kSelectedOut:
        break;
    }
    return "";
  }

  std::string partition;
  std::string path;
  std::string key;
  int64_t size_bytes;
  otap::Signal signal;
  std::vector<int64_t> group_first_row;  ///< by row group
  RowStates states;
  /// A batch without some of the rows that it was read from, which share a state.
  struct Thinned {
    int64_t end = 0;
    int64_t num_selected_out = 0;
    int64_t num_unanswered = 0;
  };
  std::map<int64_t, Thinned> thinned;  ///< by first row
  bool is_ended = false;
  bool is_released = false;
};

DeliveryLedger::FilePtr DeliveryLedger::Open(const std::string& partition,
                                             const lake::FileSummary& file, bool* is_new) {
  auto opened = std::make_shared<File>(partition, file);
  const std::lock_guard lock(mutex_);
  const auto [entry, is_inserted] = files_.emplace(opened->key, opened);
  *is_new = is_inserted;
  File& known = *entry->second;
  known.is_ended = false;
  num_released_ -= std::exchange(known.is_released, false) ? 1 : 0;
  return entry->second;
}

void DeliveryLedger::OnDeliveredBefore(File* file, const lake::RowRanges& rows) {
  const std::lock_guard lock(mutex_);
  rows.VisitRuns([&](int row_group, int64_t first, int64_t count) {
    file->states.Set(file->group_first_row[static_cast<size_t>(row_group)] + first, count,
                     RowState::kDelivered);
  });
}

void DeliveryLedger::OnQuarantinedBefore(File* file, const lake::RowRanges& quarantined,
                                         const lake::RowRanges& dropped) {
  const std::lock_guard lock(mutex_);
  for (const auto& [rows, state] :
       {std::pair(&quarantined, RowState::kQuarantined), std::pair(&dropped, RowState::kDropped)}) {
    rows->VisitRuns([&, into = state](int row_group, int64_t first, int64_t count) {
      file->states.Set(file->group_first_row[static_cast<size_t>(row_group)] + first, count, into);
    });
  }
}

void DeliveryLedger::OnRead(File* file, const lake::Origin& origin) {
  const std::lock_guard lock(mutex_);
  const int64_t first = file->FirstRow(origin);
  file->states.Set(first, origin.num_rows, RowState::kRead);
  file->ForgetThinned(first, origin.num_rows);
  if (origin.num_emitted() < origin.num_rows) {
    file->thinned[first] = {first + origin.num_rows, origin.num_selected_out,
                            origin.num_unanswered};
  }
}

void DeliveryLedger::OnLeftOut(File* file, const lake::Origin& origin) {
  const std::lock_guard lock(mutex_);
  const int64_t first = file->FirstRow(origin);
  file->ForgetThinned(first, origin.num_rows);
  file->states.Set(first, origin.num_rows, RowState::kSelectedOut);
  if (origin.num_unanswered > 0) {
    file->thinned[first] = {first + origin.num_rows, origin.num_selected_out,
                            origin.num_unanswered};
  }
}

void DeliveryLedger::OnSelectedOut(File* file, const lake::RowRanges& rows) {
  const std::lock_guard lock(mutex_);
  rows.VisitRuns([&](int row_group, int64_t first_of_group, int64_t count) {
    const int64_t first = file->group_first_row[static_cast<size_t>(row_group)] + first_of_group;
    file->states.Set(first, count, RowState::kSelectedOut);
  });
}

void DeliveryLedger::OnSent(File* file, const lake::Origin& origin, int64_t num_items) {
  const std::lock_guard lock(mutex_);
  file->states.Set(file->FirstRow(origin), origin.num_rows, RowState::kInFlight);
  totals_[static_cast<size_t>(file->signal)].items.sent += num_items;
}

void DeliveryLedger::OnOutcome(File* file, const lake::Origin& origin, int64_t num_delivered,
                               int64_t num_refused, int64_t num_dead_letters) {
  const std::lock_guard lock(mutex_);
  const RowState state = num_refused == 0       ? RowState::kDelivered
                         : num_dead_letters > 0 ? RowState::kDeadLetter
                                                : RowState::kRefused;
  file->states.Set(file->FirstRow(origin), origin.num_rows, state);
  Items& items = totals_[static_cast<size_t>(file->signal)].items;
  items.delivered += num_delivered;
  items.refused += num_refused;
  items.dead_letters += num_dead_letters;
}

void DeliveryLedger::OnDigest(otap::Signal signal, const otlp::ItemSum& sum) {
  const std::lock_guard lock(mutex_);
  digests_[static_cast<size_t>(signal)].sum.Merge(sum);
}

void DeliveryLedger::OnWithoutDigest(otap::Signal signal, int64_t num_items) {
  const std::lock_guard lock(mutex_);
  digests_[static_cast<size_t>(signal)].num_without += num_items;
}

void DeliveryLedger::OnEnd(File* file) {
  const std::lock_guard lock(mutex_);
  file->is_ended = true;
}

void DeliveryLedger::Release(const FilePtr& file) {
  const std::lock_guard lock(mutex_);
  if (file->is_delivered()) {
    Forget(file);
  } else if (!std::exchange(file->is_released, true) && ++num_released_ > kMaxFiles) {
    Forget(file);
    --num_released_;
    ++num_forgotten_;
  }
}

void DeliveryLedger::Forget(const FilePtr& file) {
  const auto found = files_.find(file->key);
  if (found != files_.end() && found->second == file) {
    AddTo(*file, &totals_[static_cast<size_t>(file->signal)]);
    files_.erase(found);
  }
}

void DeliveryLedger::AddTo(const File& file, Totals* totals) {
  const File::Counts counts = file.Count();
  for (size_t state = 0; state < kNumRowStates; ++state) {
    totals->rows[state] += counts.rows[state];
  }
  totals->unanswered += counts.unanswered;
  totals->unreadable += file.is_ended ? file.states.Count(RowState::kUnread) : 0;
  ++totals->files;
  totals->files_delivered += file.is_delivered() ? 1 : 0;
  totals->bytes += file.size_bytes;
}

/// Splits what is not delivered at row groups: that is how whoever reads it again finds it.
void DeliveryLedger::ListRanges(const File& file, engine::SourceAccount* account) {
  std::string_view first_reason;
  file.states.VisitRuns([&](int64_t first, int64_t count, RowState state) {
    if (state == RowState::kDelivered || state == RowState::kSelectedOut ||
        state == RowState::kDropped) {
      return;
    }
    first_reason = first_reason.empty() ? file.ReasonOf(state) : first_reason;
    if (state == RowState::kDeadLetter) {
      return;  // it is sent again from the dead letters
    }
    while (count > 0) {
      const auto next =
          std::upper_bound(file.group_first_row.begin(), file.group_first_row.end(), first);
      const int64_t end = next == file.group_first_row.end() ? file.states.num_rows() : *next;
      const int64_t length = std::min(count, end - first);
      const auto group = next - file.group_first_row.begin() - 1;
      if (++account->num_send_again <= static_cast<int64_t>(engine::SourceAccount::kMaxListed)) {
        account->send_again.push_back(
            {.partition = file.partition,
             .file = file.path,
             .row_group = static_cast<int>(group),
             .first_row = first - file.group_first_row[static_cast<size_t>(group)],
             .num_rows = length,
             .reason = std::string(file.ReasonOf(state))});
      }
      first += length;
      count -= length;
    }
  });
  if (++account->num_unfinished <= static_cast<int64_t>(engine::SourceAccount::kMaxListed)) {
    account->unfinished.push_back({.partition = file.partition,
                                   .file = file.path,
                                   .size_bytes = file.size_bytes,
                                   .num_records = file.states.num_rows(),
                                   .num_delivered = file.Count().of(RowState::kDelivered),
                                   .reason = std::string(first_reason)});
  }
}

void DeliveryLedger::Describe(engine::SourceAccount* account) const {
  const std::lock_guard lock(mutex_);
  std::array<Totals, otap::kAllSignals.size()> sums = totals_;
  for (const auto& [key, file] : files_) {
    AddTo(*file, &sums[static_cast<size_t>(file->signal)]);
    if (!file->is_delivered()) {
      ListRanges(*file, account);
    }
  }
  account->num_unfinished += num_forgotten_;
  for (const otap::Signal signal : otap::kAllSignals) {
    const Totals& sum = sums[static_cast<size_t>(signal)];
    const auto rows = [&](RowState state) { return sum.rows[static_cast<size_t>(state)]; };
    engine::SignalAccount told{.signal = signal};
    told.delivered = rows(RowState::kDelivered);
    told.dead_letters = rows(RowState::kDeadLetter);
    told.refused = rows(RowState::kRefused) + told.dead_letters;
    told.in_flight = rows(RowState::kInFlight);
    told.sent = told.delivered + told.refused + told.in_flight;
    told.read = told.sent + rows(RowState::kRead);
    told.selected_out = rows(RowState::kSelectedOut);
    told.listed = told.read + rows(RowState::kUnread) + told.selected_out + sum.unanswered +
                  rows(RowState::kQuarantined) + rows(RowState::kDropped);
    for (const auto& [reason, count] :
         {std::pair("read_not_sent", rows(RowState::kRead)),
          std::pair("unreadable", sum.unreadable), std::pair("selected_out", told.selected_out),
          std::pair("unanswered", sum.unanswered),
          std::pair("quarantined", rows(RowState::kQuarantined)),
          std::pair("dropped", rows(RowState::kDropped)),
          std::pair("not_read", rows(RowState::kUnread) - sum.unreadable)}) {
      if (count > 0) {
        told.left_out[reason] = count;
      }
    }
    told.items_sent = sum.items.sent;
    told.items_delivered = sum.items.delivered;
    told.items_refused = sum.items.refused;
    told.items_dead_letters = sum.items.dead_letters;
    told.items_in_flight = sum.items.sent - sum.items.delivered - sum.items.refused;
    account->num_files += sum.files;
    account->num_bytes += sum.bytes;
    account->num_files_delivered += sum.files_delivered;
    account->signals.push_back(std::move(told));
    if (keeps_digests_) {
      const Digest& digest = digests_[static_cast<size_t>(signal)];
      account->digests.push_back({.signal = signal,
                                  .num_items = digest.sum.count,
                                  .sum = digest.sum.Hex(),
                                  .num_without = digest.num_without});
    }
  }
}

}  // namespace df::nodes::receivers::parquet
