#include "lake/write/levelled_set.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace df::lake {

LevelledSet::LevelledSet(FileStore* store, const WriteOptions& options, otap::Signal signal,
                         std::string partition, int64_t unix_millis, StagingArea* staging)
    : store_(store),
      options_(options),
      signal_(signal),
      partition_(std::move(partition)),
      unix_millis_(unix_millis),
      staging_(staging) {}

bool LevelledSet::HasRoomFor(const std::vector<LevelPart>& parts) const {
  const auto new_levels = std::count_if(parts.begin(), parts.end(), [&](const LevelPart& part) {
    return part.level.has_value() && !sets_.contains(part.level);
  });
  const size_t num_open = sets_.size() - (sets_.contains(std::nullopt) ? 1 : 0);
  return num_open + static_cast<size_t>(new_levels) <= kMostLevels;
}

Status LevelledSet::Add(const std::vector<LevelPart>& parts, uint32_t first_id) {
  std::vector<FileSet::Prepared> prepared;
  for (const LevelPart& part : parts) {
    ARROW_ASSIGN_OR_RAISE(auto rows, FileSet::Prepare(*part.batch, first_id));
    prepared.push_back(std::move(rows));
    first_id += LargestId(*part.batch) + 1;
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    auto found = sets_.find(parts[i].level);
    if (found == sets_.end()) {
      const std::string levels = LevelPath(parts[i].level, options_.time_levels);
      const std::string folder =
          levels.empty() ? partition_ : fmt::format("{}/{}", levels, partition_);
      found = sets_
                  .try_emplace(parts[i].level, store_, options_, signal_, folder, unix_millis_,
                               /*has_time_levels=*/!levels.empty(), staging_)
                  .first;
    }
    found->second.Add(std::move(prepared[i]));
  }
  return Status::OK();
}

Status LevelledSet::Encode() {
  for (auto& [level, set] : sets_) {
    ARROW_RETURN_NOT_OK(set.Encode());
  }
  return Status::OK();
}

Status LevelledSet::Publish() {
  const Status status = PublishSets();
  if (!status.ok()) {
    for (auto& [level, set] : sets_) {
      set.Remove();
    }
  }
  return status;
}

Status LevelledSet::PublishSets() {
  for (auto& [level, set] : sets_) {
    ARROW_RETURN_NOT_OK(set.Sync());
  }
  for (auto& [level, set] : sets_) {
    ARROW_RETURN_NOT_OK(set.Show());
  }
  return Status::OK();
}

std::vector<StagedSet> LevelledSet::staged() const {
  std::vector<StagedSet> staged;
  for (const auto& [level, set] : sets_) {
    if (auto described = set.staged(); described.has_value()) {
      staged.push_back(*std::move(described));
    }
  }
  return staged;
}

int64_t LevelledSet::num_root_rows() const {
  int64_t sum = 0;
  for (const auto& [level, set] : sets_) {
    sum += set.num_root_rows();
  }
  return sum;
}

int64_t LevelledSet::pending_bytes() const {
  int64_t sum = 0;
  for (const auto& [level, set] : sets_) {
    sum += set.pending_bytes();
  }
  return sum;
}

int64_t LevelledSet::largest_pending_rows() const {
  int64_t largest = 0;
  for (const auto& [level, set] : sets_) {
    largest = std::max(largest, set.largest_pending_rows());
  }
  return largest;
}

int64_t LevelledSet::largest_file_bytes() const {
  int64_t largest = 0;
  for (const auto& [level, set] : sets_) {
    largest = std::max(largest, set.largest_file_bytes());
  }
  return largest;
}

FileCounts LevelledSet::counts() const {
  FileCounts counts;
  for (const auto& [level, set] : sets_) {
    const FileCounts more = set.counts();
    counts.files += more.files;
    counts.rows += more.rows;
    counts.bytes += more.bytes;
  }
  return counts;
}

uint64_t CountIds(const std::vector<LevelPart>& parts) {
  uint64_t sum = 0;
  for (const LevelPart& part : parts) {
    sum += uint64_t{LargestId(*part.batch)} + 1;
  }
  return sum;
}

}  // namespace df::lake
