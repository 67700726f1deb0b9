// Child files that come after records that their rows may belong to.
#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "lake/queue/work_list.h"

namespace df::lake {

/// Whether a file was there in some listing up to `scan`; with 0, when another list has sent what
/// it has sent.
bool WorkList::IsKnownBefore(const FileSummary& file, uint64_t scan) const {
  if (scan == 0) {
    return ledger_->HasSeen(file);
  }
  const auto known = known_.find(file.entry.path);
  return known != known_.end() && known->second.first_seen <= scan;
}

/// Returns the root files of a partition of which records went out; those that an earlier process,
/// or another list of this one, has sent count from the first look at them on. Needs the lock.
std::vector<WorkList::Sent> WorkList::SentOf(const PartitionFiles& files) {
  std::vector<Sent> others;
  for (const otap::Signal signal : read_.signals) {
    for (const FileSummaryPtr& root : files.of(otap::RootTable(signal))) {
      // What comes to a followed tree later, under another name, is what this list has sent.
      const auto known = known_.find(root->entry.path);
      if (known != known_.end() && (known->second.first_seen > first_scan_ ||
                                    std::exchange(known->second.is_recalled, true))) {
        continue;
      }
      if (ledger_->WasSent(IdOf(*root, files.partition), listed_)) {
        others.push_back({.root = root, .at = clock_(), .scan = 0});
      }
    }
  }
  if (!is_following()) {
    return others;
  }
  if (!others.empty()) {
    std::vector<Sent>& sent = sent_[files.partition];
    sent.insert(sent.begin(), others.begin(), others.end());
  }
  const auto found = sent_.find(files.partition);
  return found == sent_.end() ? std::vector<Sent>() : found->second;
}

/// Returns the root files that went out before a child file came and that its rows may belong to.
std::vector<FileSummaryPtr> WorkList::LateFor(const FileSummary& child, uint64_t first_seen,
                                              const PartitionFiles& files,
                                              const std::vector<Sent>& sent) const {
  // The tables between were looked at as they were then. Roots stand in the order of listings.
  std::optional<std::pair<otap::TableKind, uint64_t>> asked;
  IdRanges found;
  std::vector<FileSummaryPtr> late;
  for (const Sent& root : sent) {
    if (root.scan >= first_seen) {
      continue;
    }
    if (const std::pair now{root.root->kind, root.scan}; asked != now) {
      asked = now;
      found = FindRootIds(child, root.root->kind, [&](otap::TableKind kind) {
        std::vector<FileSummaryPtr> before;
        std::copy_if(files.of(kind).begin(), files.of(kind).end(), std::back_inserter(before),
                     [&](const FileSummaryPtr& file) { return IsKnownBefore(*file, root.scan); });
        return before;
      });
    }
    if (MayBelongTo(child, *root.root, found)) {
      late.push_back(root.root);
    }
  }
  return late;
}

/// Looks at the child files of a partition that no look has seen.
void WorkList::JudgeChildren(const PartitionFiles& files, Preparation* preparation) {
  const std::lock_guard lock(mutex_);
  const std::vector<Sent> sent = SentOf(files);
  std::vector<const FileSummary*> seen;
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (table.is_root()) {
      continue;
    }
    for (const FileSummaryPtr& child : files.of(table.kind)) {
      const auto found = known_.find(child->entry.path);
      KnownFile* known = found == known_.end() ? nullptr : &found->second;
      if (known != nullptr ? known->is_settled : ledger_->HasSeen(*child)) {
        continue;
      }
      // It was judged, under whatever name it stood then.
      Presence* const presence = known == nullptr ? nullptr : known->presence;
      const bool is_judged =
          ledger_->HasSeen(*child) || (presence != nullptr && presence->is_judged);
      std::vector<FileSummaryPtr> late;
      if (child->num_rows() > 0 && !is_judged) {
        late = LateFor(*child, known == nullptr ? 1 : known->first_seen, files, sent);
      }
      const bool is_left_out = !late.empty() && follow_.late_children == LateChildren::kName;
      if (!late.empty()) {
        if (is_left_out) {
          NameLate(*child, files.partition);
        } else if (!Resend(*child, late, files.partition)) {
          const Time when = clock_() + kBusyDelay;
          preparation->BecomesReady(when);
          if (!is_following()) {
            preparation->again = std::min(preparation->again.value_or(when), when);
          }
          continue;
        }
      }
      if (known != nullptr) {
        known->is_settled = true;
      }
      if (presence != nullptr) {
        presence->is_judged = true;
      }
      // What is left out is named by later processes too, until one sends it.
      if (!is_left_out) {
        seen.push_back(child.get());
      }
    }
  }
  for (const FileSummary* child : seen) {
    ledger_->See(*child);
  }
}

/// Needs the lock.
void WorkList::NameLate(const FileSummary& child, const std::string& partition) {
  report_.late_rows += child.num_rows();
  report_.Add(MakeError(
      ErrorKind::kMissingFile,
      fmt::format("the file came after records that its {} rows may belong to had been sent; they "
                  "were not sent with these (late_children: resend sends the records once more)",
                  child.num_rows()),
      {.partition = partition,
       .table = std::string(otap::GetTable(child.kind).directory),
       .file = child.entry.path}));
}

/// Has the records sent once more that the rows of a child file may belong to; false while some of
/// them are in flight. Needs the lock.
bool WorkList::Resend(const FileSummary& child, const std::vector<FileSummaryPtr>& roots,
                      const std::string& partition) {
  int64_t num_records = 0;
  int64_t num_files = 0;
  for (const FileSummaryPtr& root : roots) {
    const std::optional<int64_t> num_sent = ledger_->Reopen(IdOf(*root, partition), listed_);
    if (!num_sent.has_value()) {
      continue;
    }
    num_records += *num_sent;
    ++num_files;
    if (const auto found = sent_.find(partition); found != sent_.end()) {
      std::erase_if(found->second, [&](const Sent& sent) { return sent.root == root; });
    }
    if (const auto known = known_.find(root->entry.path); known != known_.end()) {
      known->second.is_settled = false;
      KnownContent* content = known->second.content;
      if (content != nullptr && content->num_sent > 0) {
        --content->num_sent;
      }
    }
  }
  if (num_files > 0) {
    report_.AddNotice(
        MakeError(ErrorKind::kMissingFile,
                  fmt::format("the file came after records that its {} rows may belong to had been "
                              "sent: {} records of {} files are sent once more, with them",
                              child.num_rows(), num_records, num_files),
                  {.partition = partition,
                   .table = std::string(otap::GetTable(child.kind).directory),
                   .file = child.entry.path}));
  }
  return num_files == std::ssize(roots);
}

}  // namespace df::lake
