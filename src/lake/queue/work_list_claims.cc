// Gives root files to the work list that claims them, and offers those that failed again.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "lake/catalog/content_hash.h"
#include "lake/queue/work_list.h"
#include "storage/store_failure.h"

namespace df::lake {
namespace {

/// How long to wait before the next attempt where somebody waits for the end: 0.2 s, 0.4 s, 0.8
/// s, 1.6 s.
std::chrono::milliseconds ShortBackoff(int attempts) {
  return std::chrono::milliseconds(100) * (1 << std::clamp(attempts, 0, 4));
}

/// Whether an error says that bytes are wrong, which they are the next time, too.
bool IsDamage(const Status& status) {
  return IsPermanent(status) &&
         (KindOf(status) == ErrorKind::kParquet || KindOf(status) == ErrorKind::kArrow ||
          KindOf(status) == ErrorKind::kSchemaReconstruction);
}

}  // namespace

/// Counts the root files of each content where it is not 1. Only files with equal footers are
/// compared byte by byte.
std::map<const FileSummary*, int64_t> WorkList::CountContents(
    const std::vector<FileSummaryPtr>& roots, const std::string& partition) {
  std::map<const FileSummary*, int64_t> counts;
  if (!is_following()) {
    return counts;
  }
  std::map<std::string_view, std::vector<const FileSummary*>> by_digest;
  for (const FileSummaryPtr& root : roots) {
    by_digest[root->digest].push_back(root.get());
  }
  for (const auto& [digest, same] : by_digest) {
    if (same.size() == 1) {
      continue;
    }
    std::map<std::string, std::vector<const FileSummary*>> by_content;
    for (const FileSummary* root : same) {
      by_content[ContentKey(*root, partition)].push_back(root);
    }
    for (const auto& [key, equal] : by_content) {
      for (const FileSummary* root : equal) {
        counts[root] = static_cast<int64_t>(equal.size());
      }
    }
  }
  return counts;
}

FileId WorkList::IdOf(const FileSummary& root, const std::string& partition) {
  return {.table = root.kind,
          .partition = partition,
          .path = root.entry.path,
          .digest = root.digest,
          .size_bytes = root.entry.size_bytes,
          .modified_nanos = root.entry.modified_nanos,
          .number = root.entry.number,
          .content = std::nullopt};
}

/// Finds what is known of a root file; `content` is a hash of its bytes.
FileRecordPtr WorkList::RecordOf(const FileSummary& root, const std::string& partition,
                                 std::optional<std::string> content) const {
  const std::lock_guard lock(mutex_);
  FileId id = IdOf(root, partition);
  id.content = std::move(content);
  return ledger_->Recognise(id, root.num_rows(), listed_);
}

/// Says that records are sent once more since their file is not the one that it was. Needs the
/// lock.
void WorkList::NameRepeated(const FileSummary& root) {
  if (reported_.insert(fmt::format("repeated {} {}", root.entry.path, root.digest)).second) {
    report_.Add(MakeError(
        ErrorKind::kFileDiscovery,
        fmt::format("the file was written anew, or has another time, since its records were "
                    "delivered: all of its {} are sent, and those that were in it come once more",
                    root.num_rows()),
        {.table = std::string(otap::GetTable(root.kind).directory), .file = root.entry.path}));
  }
}

/// Claims what is not delivered of a file; null when there is nothing, or another list has it.
std::shared_ptr<FileClaim> WorkList::ClaimRecord(const FileRecordPtr& record,
                                                 const FileSummary& root, bool* is_busy) {
  if (ledger_->IsDelivered(record)) {
    return nullptr;
  }
  auto claim = ledger_->Claim(record, this);
  *is_busy = claim == nullptr;
  if (claim != nullptr && claim->num_taken() == 0 &&
      ledger_->HasDeliveredUnder(root.entry.path, record)) {
    NameRepeated(root);
  }
  return claim == nullptr || (root.num_rows() > 0 && claim->num_taken() >= root.num_rows())
             ? nullptr
             : claim;
}

std::shared_ptr<FileClaim> WorkList::ClaimOnce(const FileSummaryPtr& root,
                                               const std::string& partition,
                                               Preparation* preparation) {
  const FileRecordPtr record = RecordOf(*root, partition, std::nullopt);
  const std::lock_guard lock(mutex_);
  OnceRoot& state = once_roots_[record];
  if (state.is_taken) {
    return nullptr;
  }
  const auto look_again = [&](Time when) {
    preparation->again = std::min(preparation->again.value_or(when), when);
  };
  if (clock_() < state.retry_at) {
    look_again(state.retry_at);
    return nullptr;
  }
  num_delivered_before_ += ledger_->IsDelivered(record) ? 1 : 0;
  bool is_busy = false;
  auto claim = ClaimRecord(record, *root, &is_busy);
  if (is_busy) {
    look_again(clock_() + kBusyDelay);
  }
  state.is_taken = !is_busy;
  if (claim != nullptr) {
    if (preparation->copy == nullptr) {
      preparation->copy = std::make_shared<PartitionListing>(preparation->listing);
    }
    state.listing = preparation->copy;
  }
  return claim;
}

/// Tells whether a root file was delivered by an earlier process as it is; else its bytes are read
/// to tell whether it is new.
bool WorkList::IsRestored(const FileSummary& root, const std::string& partition) {
  if (!ledger_->RecogniseRestored(IdOf(root, partition))) {
    return false;
  }
  const std::lock_guard lock(mutex_);
  if (const auto known = known_.find(root.entry.path); known != known_.end()) {
    known->second.is_settled = true;
  }
  ++num_delivered_before_;
  return true;
}

std::shared_ptr<FileClaim> WorkList::Claim(const FileSummaryPtr& root, const std::string& partition,
                                           int64_t num_present, Preparation* preparation) {
  if (!is_following()) {
    return ClaimOnce(root, partition, preparation);
  }
  {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(root->entry.path);
    if (known != known_.end() && known->second.is_settled) {
      return nullptr;
    }
  }
  if (IsRestored(*root, partition)) {
    return nullptr;
  }
  // A listing that races a rename may show both names: only count those that still exist.
  if (num_present > 1) {
    if (!store_->Exists(FullPath(base_, root->entry.path)).ValueOr(false)) {
      return nullptr;
    }
  }
  const std::string key = ContentKey(*root, partition);
  const FileRecordPtr record = RecordOf(*root, partition, key.substr(key.rfind('/') + 1));
  const std::lock_guard lock(mutex_);
  if (delivered_as_others_.contains(root->entry.path)) {
    ledger_->MarkDelivered(record);  // for other lists and later compactions
  }
  KnownContent& content = contents_[key];
  content.seen_in = scan_number_;
  const auto known = known_.find(root->entry.path);
  if (known != known_.end()) {
    known->second.content = &content;
    if (std::exchange(known->second.is_settled, true)) {
      return nullptr;
    }
  }
  if (content.num_sent >= num_present) {
    return nullptr;
  }
  bool is_busy = false;
  auto claim = ClaimRecord(record, *root, &is_busy);
  if (is_busy) {
    if (known != known_.end()) {
      known->second.is_settled = false;  // the next look asks again
      preparation->BecomesReady(clock_() + kBusyDelay);
    }
    return nullptr;
  }
  ++content.num_sent;
  if (claim == nullptr) {
    num_delivered_before_ += ledger_->IsDelivered(record) ? 1 : 0;  // else it is in quarantine
  } else {
    // Not the last look: another reader may have had one since, whose files are not in this work.
    sent_[partition].push_back({.root = root, .at = clock_(), .scan = preparation->listing.look});
    RecallOrphans(*root, partition);
  }
  return claim;
}

/// Without polling: whether a file that the file system refused is to be opened once more.
bool WorkList::TryLater(const FileEntry& entry, const Status& problem, Preparation* preparation) {
  if (is_following() || KindOf(problem) != ErrorKind::kIo || !IsRetryable(problem) ||
      store_->Stays(problem) || ++once_attempts_[entry.path] >= kMaxAttempts) {
    return false;
  }
  const Time when = clock_() + ShortBackoff(once_attempts_[entry.path]);
  preparation->again = std::min(preparation->again.value_or(when), when);
  return true;
}

/// Names the content of a root file. A file that cannot be read is named by its footer: reading it
/// will say why.
std::string WorkList::ContentKey(const FileSummary& root, const std::string& partition) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(root.entry.path);
    if (known != known_.end() && !known->second.content_key.empty()) {
      return known->second.content_key;
    }
  }
  const auto hash = HashBytes(*store_, FullPath(base_, root.entry.path));
  std::string key = fmt::format("{}/{}/{}/{}", otap::GetTable(root.kind).directory, partition,
                                root.digest, hash.ok() ? *hash : "");
  const std::lock_guard lock(mutex_);
  if (const auto known = known_.find(root.entry.path); known != known_.end() && hash.ok()) {
    known->second.content_key = key;
  }
  return key;
}

ReadReport WorkList::Done(const std::vector<RootOutcome>& outcomes, ReadReport report) {
  const std::lock_guard lock(mutex_);
  for (const RootOutcome& outcome : outcomes) {
    if (outcome.claim != nullptr) {
      if (IsDamage(outcome.status)) {
        outcome.claim->Quarantine(outcome.dropped, QuarantineCause::kUnreadable,
                                  outcome.status.message());
      }
      outcome.claim->GiveUp(outcome.dropped);
      outcome.claim->GiveUp(outcome.selected_out);
    }
    // Of a file that was replaced behind its first rows the others are gone; what is there now is
    // another file, which the next listing offers.
    const bool is_torn = storage::IsReplaced(outcome.status) && outcome.rows_emitted > 0;
    const bool may_pass = !outcome.status.ok() && IsRetryable(outcome.status) &&
                          (!outcome.unread.empty() || outcome.rows_emitted == 0);
    const bool is_again = may_pass && !is_torn && RetryFile(outcome);
    if (storage::IsReplaced(outcome.status)) {
      ForgetContent(*outcome.file);
    }
    if (!may_pass || is_again || outcome.unread.empty()) {
      continue;
    }
    outcome.claim->GiveUp(outcome.unread);
    report.Add(outcome.status);
    report.files_failed += outcome.file->has_failed.exchange(true) ? 0 : 1;
    TableCounts& counts = report.table(outcome.file->kind);
    counts.rows_left -= outcome.unread.num_rows();
    counts.AddDropped(DropReason::kUnreadable, outcome.unread.num_rows());
  }
  report_.Merge(report);
  return report;
}

/// Has a file of a followed tree looked at anew: what is known of it is of another content.
void WorkList::ForgetContent(const FileSummary& root) {
  const auto known = known_.find(root.entry.path);
  if (known == known_.end() || known->second.summary.get() != &root) {
    return;
  }
  known->second.summary = nullptr;
  known->second.content_key.clear();
  known->second.content = nullptr;
  known->second.is_settled = false;
}

/// Lets a root file be taken once more, after a while; false when its attempts are used up. One
/// that got further than before has all of them again.
bool WorkList::RetryFile(const RootOutcome& outcome) {
  if (!is_following()) {
    if (outcome.claim == nullptr || store_->Stays(outcome.status)) {
      return false;
    }
    OnceRoot& state = once_roots_[outcome.claim->record()];
    state.attempts = outcome.rows_emitted > 0 ? 1 : state.attempts + 1;
    if (state.attempts >= kMaxAttempts) {
      return false;
    }
    state.is_taken = false;
    state.retry_at = clock_() + ShortBackoff(state.attempts);
    later_.push_back({.listing = *state.listing, .due = state.retry_at});
    return true;
  }
  const auto known = known_.find(outcome.file->entry.path);
  if (known == known_.end() || known->second.content == nullptr) {
    return false;
  }
  KnownContent& content = *known->second.content;
  content.attempts = outcome.rows_emitted > 0 ? 1 : content.attempts + 1;
  if (content.attempts >= kMaxAttempts) {
    return false;
  }
  --content.num_sent;
  known->second.is_settled = false;
  known->second.retry_at = clock_() + RetryDelay(content.attempts);
  const std::string& path = known->first;
  const size_t begin = path.find('/') + 1;
  LookAgain(path.substr(begin, std::max(path.rfind('/'), begin) - begin), known->second.retry_at);
  return true;
}

}  // namespace df::lake
