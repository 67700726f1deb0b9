// Which child files were there when the records of a partition went out.
#include <algorithm>
#include <string>
#include <unordered_set>

#include <fmt/format.h>
#include <parquet/xxhasher.h>

#include "lake/ledger/file_ledger.h"

namespace df::lake {
namespace {

uint64_t HashOf(std::string_view text) { return parquet::XxHasher().Hash(text); }

uint64_t ContentOf(const FileSummary& child) {
  return HashOf(fmt::format("{} {}", child.entry.size_bytes, child.digest));
}

}  // namespace

void FileLedger::RestoreChildren(const std::vector<SeenChild>& children, int64_t first_number) {
  const std::lock_guard lock(mutex_);
  first_with_children_ = first_number;
  for (const SeenChild& child : children) {
    children_[child.path_hash] = child.content;
  }
}

bool FileLedger::HasSeen(const FileSummary& child) const {
  const std::lock_guard lock(mutex_);
  const auto found = children_.find(HashOf(child.entry.path));
  return found != children_.end() && found->second == ContentOf(child);
}

void FileLedger::See(const FileSummary& child) {
  const std::lock_guard lock(mutex_);
  const uint64_t path_hash = HashOf(child.entry.path);
  const uint64_t content = ContentOf(child);
  const auto [seen, is_new] = children_.try_emplace(path_hash, content);
  if (!is_new && seen->second == content) {
    return;
  }
  seen->second = content;
  if (keeps_changes_) {
    children_changed_.insert(path_hash);
  }
}

void FileLedger::ForgetChild(std::string_view path) {
  const std::lock_guard lock(mutex_);
  const uint64_t path_hash = HashOf(path);
  if (children_.erase(path_hash) > 0 && keeps_changes_) {
    children_changed_.insert(path_hash);
  }
}

void FileLedger::KeepChildren(const std::vector<std::string_view>& paths) {
  const std::lock_guard lock(mutex_);
  if (children_.size() <= 2 * std::max(paths.size(), kMinGone)) {
    return;
  }
  std::unordered_set<uint64_t> kept;
  for (const std::string_view path : paths) {
    kept.insert(HashOf(path));
  }
  std::erase_if(children_, [&](const auto& child) {
    if (kept.contains(child.first)) {
      return false;
    }
    if (keeps_changes_) {
      children_changed_.insert(child.first);
    }
    return true;
  });
}

bool FileLedger::WasSent(const FileId& id, const ListedFiles& listed) const {
  const std::lock_guard lock(mutex_);
  if (leases_ != nullptr) {
    return false;
  }
  const FileRecordPtr record = Find(id, listed);
  return record != nullptr && record->knows_children_ &&
         (record->is_whole_ || !record->acked_.empty());
}

std::optional<int64_t> FileLedger::Reopen(const FileId& id, const ListedFiles& listed) {
  const std::lock_guard lock(mutex_);
  const FileRecordPtr record = leases_ == nullptr ? Find(id, listed) : nullptr;
  if (record == nullptr || !record->claim_.expired()) {
    return std::nullopt;
  }
  const int64_t num_sent = record->is_whole_ ? record->num_rows_ - record->quarantined_.num_rows() -
                                                   record->dropped_.num_rows()
                                             : record->acked_.num_rows();
  record->is_whole_ = false;
  record->acked_ = {};
  record->knows_children_ = true;
  OnChange(record);
  return num_sent;
}

}  // namespace df::lake
