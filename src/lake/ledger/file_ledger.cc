#include "lake/ledger/file_ledger.h"

#include <algorithm>
#include <utility>

#include "lake/ledger/file_leases.h"

namespace df::lake {
namespace {

constexpr std::string_view kTooManyReasons = "not kept: there are too many different reasons";

}  // namespace

size_t ListedFiles::Hash::operator()(const Key& key) const {
  const auto& [table, number, size] = key;
  size_t hash = static_cast<size_t>(table);
  for (const uint64_t part : {number.device, number.inode, static_cast<uint64_t>(size)}) {
    hash = (hash ^ part) * 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 32;
  }
  return hash;
}

void ListedFiles::Add(otap::TableKind table, const FileEntry& entry) {
  ++size_;
  if (entry.number.is_known()) {
    numbers_.insert({table, entry.number, entry.size_bytes});
  } else {
    sizes_[entry.path] = entry.size_bytes;
  }
}

void ListedFiles::Remove(otap::TableKind table, const FileEntry& entry) {
  const size_t num_removed = entry.number.is_known()
                                 ? numbers_.erase({table, entry.number, entry.size_bytes})
                                 : sizes_.erase(entry.path);
  size_ -= std::min(size_, num_removed);
}

bool ListedFiles::Has(otap::TableKind table, const storage::FileNumber& number,
                      const std::string& path, int64_t size_bytes) const {
  if (number.is_known()) {
    return numbers_.contains({table, number, size_bytes});
  }
  const auto found = sizes_.find(path);
  return found != sizes_.end() && found->second == size_bytes;
}

Delivery& Delivery::operator=(Delivery&& other) noexcept {
  if (this != &other) {
    End(Outcome::kLost);
    claim_ = std::move(other.claim_);
    row_group_ = other.row_group_;
    first_row_ = other.first_row_;
    num_rows_ = other.num_rows_;
  }
  return *this;
}

void Delivery::End(Outcome outcome) {
  if (const auto claim = std::move(claim_); claim != nullptr) {
    claim->End(outcome, row_group_, first_row_, num_rows_);
  }
}

void Delivery::RefuseForGood(std::string_view reason) {
  if (claim_ != nullptr) {
    RowRanges rows;
    rows.Add(row_group_, first_row_, num_rows_);
    claim_->Suspect(rows, reason);
  }
  End(Outcome::kRefused);
}

void Delivery::RefuseInPart(std::string_view reason) {
  if (claim_ != nullptr) {
    RowRanges rows;
    rows.Add(row_group_, first_row_, num_rows_);
    claim_->Quarantine(rows, QuarantineCause::kRefused, reason);
    claim_->OnArrival();
  }
  End(Outcome::kRefused);
}

FileClaim::FileClaim(std::shared_ptr<FileRecord> record, const void* owner, std::mutex* mutex,
                     std::shared_ptr<FileLedger> ledger, std::shared_ptr<Lease> lease)
    : record_(std::move(record)),
      owner_(owner),
      mutex_(mutex),
      ledger_(std::move(ledger)),
      lease_(std::move(lease)),
      taken_(record_->acked_) {
  taken_.Add(record_->quarantined_);
  taken_.Add(record_->dropped_);
}

RowRanges FileClaim::Taken() const {
  const std::lock_guard lock(*mutex_);
  return taken_;
}

int64_t FileClaim::num_taken() const {
  const std::lock_guard lock(*mutex_);
  return taken_.num_rows();
}

int64_t FileClaim::num_given_up() const {
  const std::lock_guard lock(*mutex_);
  return given_up_.num_rows();
}

Delivery FileClaim::Send(int row_group, int64_t first_row, int64_t num_rows) {
  {
    const std::lock_guard lock(*mutex_);
    taken_.Add(row_group, first_row, num_rows);
  }
  Delivery delivery;
  delivery.claim_ = shared_from_this();
  delivery.row_group_ = row_group;
  delivery.first_row_ = first_row;
  delivery.num_rows_ = num_rows;
  return delivery;
}

void FileClaim::GiveUp(const RowRanges& rows) {
  const std::lock_guard lock(*mutex_);
  taken_.Add(rows);
  given_up_.Add(rows);
}

void FileClaim::Quarantine(const RowRanges& rows, QuarantineCause cause, std::string_view reason) {
  const std::lock_guard lock(*mutex_);
  ledger_->Quarantine(record_, rows, cause, reason);
}

void FileClaim::Suspect(const RowRanges& rows, std::string_view reason) {
  const std::lock_guard lock(*mutex_);
  ledger_->Suspect(record_, rows, reason);
}

void FileClaim::OnArrival() {
  const std::lock_guard lock(*mutex_);
  ledger_->OnArrival(record_->id_.table);
}

RowRanges FileClaim::Quarantined() const {
  const std::lock_guard lock(*mutex_);
  return record_->quarantined_;
}

RowRanges FileClaim::Dropped() const {
  const std::lock_guard lock(*mutex_);
  return record_->dropped_;
}

void FileClaim::End(Delivery::Outcome outcome, int row_group, int64_t first_row, int64_t num_rows) {
  const std::lock_guard lock(*mutex_);
  switch (outcome) {
    case Delivery::Outcome::kAcked:
      ledger_->OnArrival(record_->id_.table);
      if (!record_->is_whole_) {
        record_->acked_.Add(row_group, first_row, num_rows);
        if (record_->acked_.num_rows() >= record_->num_rows_) {
          record_->is_whole_ = true;
          record_->acked_ = {};
        }
        ledger_->OnChange(record_);
      }
      break;
    case Delivery::Outcome::kRefused:
      given_up_.Add(row_group, first_row, num_rows);
      break;
    case Delivery::Outcome::kLost:
      taken_.Remove(row_group, first_row, num_rows);
      break;
  }
}

bool FileLedger::IsListed(const FileRecord& record, const ListedFiles& listed) {
  return listed.Has(record.id_.table, record.id_.number, record.id_.path, record.id_.size_bytes);
}

FileRecordPtr FileLedger::Find(const FileId& id, const ListedFiles& listed) const {
  const auto found = records_.find({id.table, id.digest});
  if (found == records_.end()) {
    return nullptr;
  }
  const auto has_same_bytes = [&](const FileId& known) {
    return known.content.has_value() && id.content.has_value()
               ? *known.content == *id.content
               : known.modified_nanos == id.modified_nanos;
  };
  // The same file, if need be under another name.
  for (const FileRecordPtr& record : found->second) {
    const FileId& known = record->id_;
    const bool is_same_file = id.number.is_known() && known.number.is_known()
                                  ? known.number == id.number
                                  : known.path == id.path;
    if (is_same_file && has_same_bytes(known)) {
      return record;
    }
  }
  // One that is not there any more: put back, or moved by way of a copy.
  for (const FileRecordPtr& record : found->second) {
    if (record->id_.partition == id.partition && has_same_bytes(record->id_) &&
        !IsListed(*record, listed)) {
      return record;
    }
  }
  return nullptr;
}

FileRecordPtr FileLedger::Recognise(const FileId& id, int64_t num_rows, const ListedFiles& listed) {
  const std::lock_guard lock(mutex_);
  FileRecordPtr record = Find(id, listed);
  if (record == nullptr) {
    record = std::make_shared<FileRecord>();
    record->num_rows_ = num_rows;
    record->number_ = ++last_number_;
    records_[{id.table, id.digest}].push_back(record);
    ++num_records_;
  }
  const bool has_moved =
      record->id_.path != id.path || record->id_.modified_nanos != id.modified_nanos;
  std::optional<std::string> content = id.content.has_value() ? id.content : record->id_.content;
  record->id_ = id;
  record->id_.content = content;
  if (has_moved && (record->is_whole_ || !record->acked_.empty() || !record->quarantined_.empty() ||
                    !record->dropped_.empty())) {
    OnChange(record);
  }
  if (record->is_gone_) {
    gone_.erase(record->gone_);
    record->is_gone_ = false;
  }
  return record;
}

bool FileLedger::RecogniseRestored(const FileId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = records_.find({id.table, id.digest});
  if (found == records_.end()) {
    return false;
  }
  for (const FileRecordPtr& record : found->second) {
    FileId& known = record->id_;
    if (record->is_whole_ && !known.number.is_known() && !known.content.has_value() &&
        known.path == id.path && known.size_bytes == id.size_bytes &&
        known.modified_nanos == id.modified_nanos) {
      known.number = id.number;
      return true;
    }
  }
  return false;
}

std::shared_ptr<FileClaim> FileLedger::Claim(const FileRecordPtr& record, const void* owner) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Lease> lease;
  if (leases_ != nullptr) {
    lease = leases_->held().Find(LeaseStore::UnitOf(record->id_));
    if (lease == nullptr) {
      return nullptr;
    }
  }
  if (auto claim = record->claim_.lock(); claim != nullptr) {
    // What goes out by a lease that was lost does not count for the one that came after it.
    return claim->owner() == owner && claim->lease_ == lease ? claim : nullptr;
  }
  auto claim =
      std::make_shared<FileClaim>(record, owner, &mutex_, shared_from_this(), std::move(lease));
  record->claim_ = claim;
  return claim;
}

bool FileLedger::IsDelivered(const FileRecordPtr& record) const {
  const std::lock_guard lock(mutex_);
  return record->is_whole_;
}

void FileLedger::MarkDelivered(const FileRecordPtr& record) {
  const std::lock_guard lock(mutex_);
  record->is_whole_ = true;
  record->acked_ = {};
  OnChange(record);
}

void FileLedger::CountPath(FileRecord* record) {
  if (record->delivered_as_ != record->id_.path) {
    UncountPath(record);
    record->delivered_as_ = record->id_.path;
    ++delivered_paths_[record->delivered_as_];
  }
}

void FileLedger::UncountPath(FileRecord* record) {
  const auto found = delivered_paths_.find(std::exchange(record->delivered_as_, ""));
  if (found != delivered_paths_.end() && --found->second == 0) {
    delivered_paths_.erase(found);
  }
}

bool FileLedger::HasDeliveredUnder(const std::string& path, const FileRecordPtr& record) const {
  const std::lock_guard lock(mutex_);
  const auto found = delivered_paths_.find(path);
  return found != delivered_paths_.end() && found->second > (record->delivered_as_ == path ? 1 : 0);
}

/// Something was delivered, or has another name. Needs the lock.
void FileLedger::OnChange(const FileRecordPtr& record) {
  if (record->is_whole_ || !record->acked_.empty()) {
    CountPath(record.get());
  }
  if (keeps_changes_ && !std::exchange(record->is_changed_, true)) {
    changed_.push_back(record);
  }
}

void FileLedger::KeepChanges() {
  const std::lock_guard lock(mutex_);
  keeps_changes_ = true;
}

FileLedger::Changes FileLedger::TakeChanges() {
  const std::lock_guard lock(mutex_);
  Changes changes{.delivered = {},
                  .forgotten = std::exchange(forgotten_, {}),
                  .quarantined = {},
                  .released = std::exchange(released_, {}),
                  .children = {},
                  .children_gone = {}};
  for (const uint64_t path_hash : std::exchange(children_changed_, {})) {
    if (const auto child = children_.find(path_hash); child != children_.end()) {
      changes.children.push_back({.path_hash = path_hash, .content = child->second});
    } else {
      changes.children_gone.push_back(path_hash);
    }
  }
  for (const int64_t number : std::exchange(changed_entries_, {})) {
    changes.quarantined.push_back(quarantine_.at(number));
  }
  for (const FileRecordPtr& record : std::exchange(changed_, {})) {
    record->is_changed_ = false;
    changes.delivered.push_back(Describe(*record));
  }
  return changes;
}

void FileLedger::KeepQuarantine(std::vector<QuarantineEntry> restored) {
  const std::lock_guard lock(mutex_);
  keeps_quarantine_ = true;
  std::unordered_map<int64_t, FileRecord*> by_number;
  for (const auto& [key, records] : records_) {
    for (const FileRecordPtr& record : records) {
      by_number[record->number_] = record.get();
    }
  }
  for (QuarantineEntry& entry : restored) {
    if (const auto record = by_number.find(entry.file); record != by_number.end()) {
      (entry.is_dropped ? record->second->dropped_ : record->second->quarantined_).Add(entry.rows);
    } else if (entry.file == 0) {
      set_aside_[entry.path] = entry.number;
    }
    last_restored_ = std::max(last_restored_, entry.number);
    last_entry_ = last_restored_;
    quarantine_[entry.number] = std::move(entry);
  }
}

std::vector<QuarantineEntry> FileLedger::QuarantinedBefore() const {
  const std::lock_guard lock(mutex_);
  std::vector<QuarantineEntry> before;
  for (const auto& [number, entry] : quarantine_) {
    if (number <= last_restored_) {
      before.push_back(entry);
    }
  }
  return before;
}

std::optional<QuarantineEntry> FileLedger::FindSetAside(const FileEntry& entry) const {
  const std::lock_guard lock(mutex_);
  const auto found = set_aside_.find(entry.path);
  if (found == set_aside_.end()) {
    return std::nullopt;
  }
  const QuarantineEntry& known = quarantine_.at(found->second);
  return known.size_bytes == entry.size_bytes && known.modified_nanos == entry.modified_nanos
             ? std::optional(known)
             : std::nullopt;
}

void FileLedger::ReleaseSetAside(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (const auto found = set_aside_.find(path); found != set_aside_.end()) {
    released_.push_back(found->second);
    quarantine_.erase(found->second);
    set_aside_.erase(found);
  }
}

void FileLedger::SetAside(otap::TableKind table, const FileEntry& entry, std::string_view reason) {
  const std::lock_guard lock(mutex_);
  if (keeps_quarantine_) {
    EntryOf({.cause = QuarantineCause::kUnreadable,
             .table = table,
             .path = entry.path,
             .size_bytes = entry.size_bytes,
             .modified_nanos = entry.modified_nanos,
             .rows = {},
             .reason = std::string(reason)});
  }
}

/// Needs the lock.
void FileLedger::Quarantine(const FileRecordPtr& record, const RowRanges& rows,
                            QuarantineCause cause, std::string_view reason) {
  if (!keeps_quarantine_ || rows.empty()) {
    return;
  }
  record->quarantined_.Add(rows);
  EntryOf({.cause = cause,
           .table = record->id_.table,
           .path = record->id_.path,
           .size_bytes = record->id_.size_bytes,
           .modified_nanos = record->id_.modified_nanos,
           .file = record->number_,
           .rows = {},
           .reason = std::string(reason)})
      ->rows.Add(rows);
  OnChange(record);
}

/// Needs the lock.
void FileLedger::Suspect(const FileRecordPtr& record, const RowRanges& rows,
                         std::string_view reason) {
  if (!keeps_quarantine_) {
    return;
  }
  std::vector<Suspected>& suspected = suspected_[record->id_.table];
  reason = suspected.size() < kMostReasons ? reason.substr(0, kLongestReason) : kTooManyReasons;
  if (suspected.empty() || suspected.back().record != record || suspected.back().reason != reason) {
    suspected.push_back({.record = record, .rows = {}, .reason = std::string(reason)});
  }
  suspected.back().rows.Add(rows);
}

/// Rows of a table have arrived: its destination takes what is right. Needs the lock.
void FileLedger::OnArrival(otap::TableKind table) {
  const auto found = suspected_.find(table);
  if (found == suspected_.end()) {
    return;
  }
  for (const Suspected& suspected : found->second) {
    Quarantine(suspected.record, suspected.rows, QuarantineCause::kRefused, suspected.reason);
  }
  suspected_.erase(found);
}

/// Returns the entry of this process that is like `entry`, a new one otherwise, to be
/// saved. Needs the lock.
QuarantineEntry* FileLedger::EntryOf(QuarantineEntry entry) {
  entry.reason.resize(std::min(entry.reason.size(), kLongestReason));
  if (quarantine_.size() >= kMostReasons) {
    entry.reason = kTooManyReasons;
  }
  const auto [known, is_new] =
      entry_numbers_.try_emplace({entry.path, entry.file, entry.cause, entry.reason}, 0);
  if (is_new) {
    known->second = ++last_entry_;
    entry.number = known->second;
    quarantine_[entry.number] = std::move(entry);
  }
  changed_entries_.insert(known->second);
  return &quarantine_.at(known->second);
}

void FileLedger::OnListed(const ListedFiles& listed) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, records] : records_) {
    for (const FileRecordPtr& record : records) {
      const bool is_gone = !IsListed(*record, listed);
      if (is_gone && !record->is_gone_) {
        record->gone_ = gone_.insert(gone_.end(), record);
      } else if (!is_gone && record->is_gone_) {
        gone_.erase(record->gone_);
      }
      record->is_gone_ = is_gone;
    }
  }
  most_listed_ = std::max(most_listed_, listed.size());
  while (gone_.size() > std::max(most_listed_, kMinGone)) {
    Forget(gone_.front());
  }
}

void FileLedger::Forget(const FileRecordPtr& record) {
  const FileRecordPtr forgotten = record;
  if (keeps_changes_) {
    forgotten_.push_back(forgotten->number_);
  }
  UncountPath(forgotten.get());
  gone_.erase(forgotten->gone_);
  forgotten->is_gone_ = false;
  const auto found = records_.find({forgotten->id_.table, forgotten->id_.digest});
  std::erase(found->second, forgotten);
  if (found->second.empty()) {
    records_.erase(found);
  }
  --num_records_;
}

size_t FileLedger::num_records() const {
  const std::lock_guard lock(mutex_);
  return num_records_;
}

DeliveredFile FileLedger::Describe(const FileRecord& record) {
  return {.id = record.id_,
          .num_rows = record.num_rows_,
          .is_whole = record.is_whole_,
          .rows = record.acked_,
          .number = record.number_};
}

std::vector<DeliveredFile> FileLedger::Delivered() const {
  const std::lock_guard lock(mutex_);
  std::vector<DeliveredFile> delivered;
  for (const auto& [key, records] : records_) {
    for (const FileRecordPtr& record : records) {
      if (record->is_whole_ || !record->acked_.empty()) {
        delivered.push_back(Describe(*record));
      }
    }
  }
  return delivered;
}

std::set<std::string> FileLedger::DeliveredPaths() const {
  const std::lock_guard lock(mutex_);
  std::set<std::string> paths;
  for (const auto& [key, records] : records_) {
    for (const FileRecordPtr& record : records) {
      if (record->is_whole_) {
        paths.insert(record->id_.path);
      }
    }
  }
  return paths;
}

void FileLedger::Restore(std::vector<DeliveredFile> files) {
  const std::lock_guard lock(mutex_);
  for (const DeliveredFile& file : files) {
    last_number_ = std::max(last_number_, file.number);
  }
  for (DeliveredFile& file : files) {
    const std::vector<FileRecordPtr>& records = records_[{file.id.table, file.id.digest}];
    const bool is_known =
        std::any_of(records.begin(), records.end(),
                    [&](const FileRecordPtr& record) { return record->id_.path == file.id.path; });
    if (!is_known) {
      AddRestored(std::move(file));
    }
  }
}

/// Needs the lock.
void FileLedger::AddRestored(DeliveredFile file) {
  auto record = std::make_shared<FileRecord>();
  record->is_whole_ = file.is_whole || (file.rows.num_rows() >= file.num_rows);
  record->num_rows_ = file.num_rows;
  record->number_ = file.number > 0 ? file.number : ++last_number_;
  record->knows_children_ = file.number >= first_with_children_;
  if (!record->is_whole_) {
    record->acked_ = std::move(file.rows);
  }
  record->id_ = std::move(file.id);
  // Another process, or a copy of the tree: numbers of files mean nothing here.
  record->id_.number = {};
  record->id_.content = std::nullopt;
  if (record->is_whole_ || !record->acked_.empty()) {
    CountPath(record.get());
  }
  if (file.number == 0) {
    OnChange(record);
  }
  records_[{record->id_.table, record->id_.digest}].push_back(std::move(record));
  ++num_records_;
}

}  // namespace df::lake
