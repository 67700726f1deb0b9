// What the work list makes of files that take the place of others: their records are not new.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "lake/queue/work_list.h"

namespace df::lake {
namespace {

/// Returns the root files of some signals.
std::vector<std::string> RootsOf(const std::vector<std::string>& files,
                                 const std::vector<otap::Signal>& signals) {
  std::vector<std::string> roots;
  for (const std::string& file : files) {
    const std::string_view directory = std::string_view(file).substr(0, file.find('/'));
    if (file.ends_with(".parquet") &&
        std::any_of(signals.begin(), signals.end(), [&](otap::Signal signal) {
          return directory == otap::GetTable(otap::RootTable(signal)).directory;
        })) {
      roots.push_back(file);
    }
  }
  return roots;
}

/// Says that records are sent once more since they stand in new files beside others.
Status DescribeRepeated(const std::vector<std::string>& new_roots, size_t num_old,
                        int64_t num_delivered) {
  return MakeError(
      ErrorKind::kFileDiscovery,
      fmt::format("a compaction has put {} files in the place of {}, of which {} were delivered: "
                  "records of these are sent once more",
                  new_roots.size(), num_old, num_delivered),
      {.file = new_roots.front()});
}

}  // namespace

/// Says which files of a replay that goes on from an earlier one hold what that has delivered: how
/// much of them cannot be told. Needs the lock.
void WorkList::NameCompactedSince(const LakeListing& listing) {
  const std::set<std::string> delivered = ledger_->DeliveredPaths();
  if (delivered.empty() || listing.compactions.empty()) {
    return;
  }
  for (const std::string& name : listing.compactions) {
    const auto compaction = ReadCompactionFile(*store_, base_, name);
    if (!compaction.ok()) {
      continue;
    }
    const std::vector<std::string> new_roots = RootsOf(compaction->new_files, read_.signals);
    const std::vector<std::string> old_roots = RootsOf(compaction->old_files, read_.signals);
    const auto num_delivered =
        std::count_if(old_roots.begin(), old_roots.end(),
                      [&](const std::string& path) { return delivered.contains(path); });
    // What was followed at the time is known to be delivered under its new name.
    const bool is_known =
        std::all_of(new_roots.begin(), new_roots.end(),
                    [&](const std::string& path) { return delivered.contains(path); });
    if (num_delivered > 0 && !is_known) {
      report_.Add(DescribeRepeated(new_roots, old_roots.size(), num_delivered));
    }
  }
}

/// Reads those that have begun since the listing before. What was there at the first is of no
/// concern: files are what they are then.
void WorkList::ReadCompactions(const LakeListing& listing) {
  const bool is_first = !has_listed();
  // Their names are in the order in which they began: what one has made another may take.
  std::set<std::string> listed;
  for (const std::string& name : listing.compactions) {
    const CompactionNameParts parts = *ParseCompactionName(name);
    listed.insert(parts.id);
    // While it is moving the old files count, and nothing has changed yet.
    if (!is_first && parts.stage == CompactionStage::kMoving) {
      continue;
    }
    if (!compactions_seen_.insert(parts.id).second || is_first) {
      continue;
    }
    auto compaction = ReadCompactionFile(*store_, base_, name);
    if (!compaction.ok()) {
      // One that has gone on by now is of the next listing.
      compactions_seen_.erase(parts.id);
      continue;
    }
    compactions_new_.push_back(*std::move(compaction));
  }
  std::erase_if(compactions_seen_, [&](const std::string& id) { return !listed.contains(id); });
}

/// Tells whether all records of a file that is gone have been delivered. Needs the lock, and what
/// is known of the listing before.
bool WorkList::IsDeliveredAs(const std::string& path) const {
  if (delivered_as_others_.contains(path)) {
    return true;  // a compaction before has made it of what was delivered
  }
  const auto known = known_.find(path);
  if (known == known_.end() || known->second.summary == nullptr) {
    return false;
  }
  const KnownFile& file = known->second;
  const size_t begin = path.find('/') + 1;
  const size_t end = std::max(path.rfind('/'), begin);
  const std::string& key = file.content_key;
  const FileRecordPtr record = ledger_->Recognise(
      {.table = file.summary->kind,
       .partition = path.substr(begin, end - begin),
       .path = path,
       .digest = file.summary->digest,
       .size_bytes = file.entry.size_bytes,
       .modified_nanos = file.entry.modified_nanos,
       .number = file.entry.number,
       .content = key.empty() ? std::nullopt : std::optional(key.substr(key.rfind('/') + 1))},
      file.summary->num_rows(), listed_);
  return ledger_->IsDelivered(record);
}

/// Has files that hold nothing but what was delivered in others passed over. Files of which some
/// others were not delivered are sent whole, which is named. Needs the lock; before what is known
/// of the listing before is forgotten.
void WorkList::FollowCompactions() {
  for (const Compaction& compaction : std::exchange(compactions_new_, {})) {
    const std::vector<std::string> old_roots = RootsOf(compaction.old_files, read_.signals);
    const std::vector<std::string> new_roots = RootsOf(compaction.new_files, read_.signals);
    const auto num_delivered =
        std::count_if(old_roots.begin(), old_roots.end(),
                      [this](const std::string& path) { return IsDeliveredAs(path); });
    if (new_roots.empty() || num_delivered == 0) {
      continue;
    }
    if (std::cmp_equal(num_delivered, old_roots.size())) {
      delivered_as_others_.insert(new_roots.begin(), new_roots.end());
      continue;
    }
    report_.Add(DescribeRepeated(new_roots, old_roots.size(), num_delivered));
  }
}

}  // namespace df::lake
