// What a ledger has to do with other processes that share its work.
#include <algorithm>
#include <utility>

#include "lake/ledger/file_leases.h"
#include "lake/ledger/file_ledger.h"

namespace df::lake {

bool Delivery::MayBeSent() const { return claim_ == nullptr || claim_->MaySend(); }

bool FileClaim::MaySend() const { return lease_ == nullptr || lease_->MaySend(); }

void FileLedger::ShareBy(LeaseProvider* leases, int64_t first_number) {
  const std::lock_guard lock(mutex_);
  leases_ = leases;
  last_number_ = first_number;
  last_entry_ = first_number;
}

LeaseProvider* FileLedger::leases() const {
  const std::lock_guard lock(mutex_);
  return leases_;
}

void FileLedger::Learn(std::vector<DeliveredFile> files, std::vector<QuarantineEntry> entries) {
  const std::lock_guard lock(mutex_);
  std::unordered_map<int64_t, FileRecordPtr> by_number;
  for (DeliveredFile& file : files) {
    const Key key(file.id.table, file.id.digest);
    LearnFile(std::move(file));
    for (const FileRecordPtr& record : records_[key]) {
      by_number[record->number_] = record;
    }
  }
  for (QuarantineEntry& entry : entries) {
    const auto record = by_number.find(entry.file);
    if (record != by_number.end()) {
      (entry.is_dropped ? record->second->dropped_ : record->second->quarantined_).Add(entry.rows);
      quarantine_.try_emplace(entry.number, entry);
    }
  }
}

/// Needs the lock.
void FileLedger::LearnFile(DeliveredFile file) {
  const std::vector<FileRecordPtr>& records = records_[{file.id.table, file.id.digest}];
  auto known = std::find_if(records.begin(), records.end(), [&](const FileRecordPtr& record) {
    return record->number_ == file.number;
  });
  if (known == records.end()) {
    known = std::find_if(records.begin(), records.end(), [&](const FileRecordPtr& record) {
      return record->id_.path == file.id.path && record->id_.size_bytes == file.id.size_bytes &&
             record->id_.modified_nanos == file.id.modified_nanos;
    });
  }
  if (known == records.end()) {
    AddRestored(std::move(file));
    return;
  }
  const FileRecordPtr record = *known;
  record->number_ = file.number;
  const bool was_whole = record->is_whole_;
  const int64_t num_before = record->acked_.num_rows();
  record->acked_.Add(file.rows);
  record->is_whole_ = was_whole || file.is_whole || record->acked_.num_rows() >= record->num_rows_;
  const bool knows_more = was_whole ? !file.is_whole
                                    : !file.is_whole && num_before > 0 &&
                                          record->acked_.num_rows() > file.rows.num_rows();
  if (record->is_whole_) {
    record->acked_ = {};
  }
  if (record->is_whole_ || !record->acked_.empty()) {
    CountPath(record.get());
  }
  if (knows_more) {
    OnChange(record);
  }
}

}  // namespace df::lake
