#include "app/commands/kept_records.h"

#include <algorithm>
#include <utility>

#include "select/selector.h"

namespace df::app {

KeptRecords::KeptRecords(const RecordFields& fields, RecordStyle style, TimeOrder order,
                         int64_t max_records)
    : fields_(fields), style_(style), order_(order), max_records_(max_records) {}

/// Tells whether one is wanted rather than the other.
bool KeptRecords::IsBefore(const Record& a, const Record& b) const {
  const auto key = [](const Record& record) {
    const auto& [file, row_group, first_row, table, row] = record.place;
    return std::tuple(record.time, std::string_view(*file), row_group, first_row, table, row);
  };
  return order_ == TimeOrder::kOldestFirst ? key(a) < key(b) : key(b) < key(a);
}

Status KeptRecords::Add(const lake::Payload& payload) {
  const otap::Batch& batch = *payload.batch;
  bool is_full = false;
  int64_t last_time = 0;
  {
    const std::lock_guard lock(mutex_);
    is_full = is_full_;
    last_time = last_time_;
  }
  const auto file = std::make_shared<const std::string>(payload.origin.file);
  std::vector<Record> found;
  for (const otap::TableKind table : ItemTablesOf(batch)) {
    const std::vector<int64_t> times = select::EventTimes(*batch.table(table), table);
    num_matching_ += static_cast<int64_t>(times.size());
    std::vector<Record> records;
    for (size_t row = 0; row < times.size(); ++row) {
      const bool is_behind =
          order_ == TimeOrder::kOldestFirst ? times[row] > last_time : times[row] < last_time;
      if (!is_full || !is_behind) {
        records.push_back({times[row],
                           {file, payload.origin.row_group, payload.origin.first_row,
                            static_cast<int>(table), static_cast<int64_t>(row)},
                           ""});
      }
    }
    if (static_cast<int64_t>(records.size()) > max_records_) {
      std::nth_element(records.begin(), records.begin() + max_records_, records.end(),
                       [this](const Record& a, const Record& b) { return IsBefore(a, b); });
      records.resize(static_cast<size_t>(max_records_));
    }
    if (records.empty()) {
      continue;
    }
    RecordTexts texts(fields_, batch, table, style_);
    for (Record& record : records) {
      record.text = texts.At(std::get<4>(record.place));
      found.push_back(std::move(record));
    }
  }
  const std::lock_guard lock(mutex_);
  std::move(found.begin(), found.end(), std::back_inserter(records_));
  Trim();
  return Status::OK();
}

/// Lets go what is too much.
void KeptRecords::Trim() {
  const auto num_records = static_cast<int64_t>(records_.size());
  if (max_records_ == kAll || num_records < max_records_) {
    return;
  }
  const auto end = records_.begin() + max_records_;
  if (num_records > max_records_) {
    std::nth_element(records_.begin(), end, records_.end(),
                     [this](const Record& a, const Record& b) { return IsBefore(a, b); });
    records_.erase(end, records_.end());
  }
  is_full_ = true;
  const auto last =
      std::max_element(records_.begin(), records_.end(),
                       [this](const Record& a, const Record& b) { return IsBefore(a, b); });
  last_time_ = last->time;
}

int64_t KeptRecords::num_kept() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(records_.size());
}

std::vector<std::string> KeptRecords::Take() {
  const std::lock_guard lock(mutex_);
  std::sort(records_.begin(), records_.end(), [this](const Record& a, const Record& b) {
    return order_ == TimeOrder::kOldestFirst ? IsBefore(a, b) : IsBefore(b, a);
  });
  std::vector<std::string> texts;
  for (Record& record : records_) {
    texts.push_back(std::move(record.text));
  }
  records_.clear();
  is_full_ = false;
  return texts;
}

}  // namespace df::app
