#include "lake/scan/file_gaps.h"

#include <algorithm>
#include <cmath>

#include "lake/format/id_ranges.h"

namespace df::lake {
namespace {

/// Chance that rows in succession without children stand in some place between files although no
/// file is missing.
constexpr double kMostChance = 1e-5;
/// The same where every other root file has children: files come in pairs there.
constexpr double kMostChanceOfPairs = 0.05;

}  // namespace

FileGaps::FileGaps(const std::vector<FileSummaryPtr>& files) : files_(files) {
  for (const FileSummaryPtr& file : files) {
    IdRange range = kEmptyIdRange;
    for (const RowGroupSummary& group : file->row_groups) {
      is_known_ = is_known_ && (group.num_rows == 0 || group.parent_ids.has_value());
      Extend(&range, group.parent_ids.value_or(kEmptyIdRange));
    }
    if (range.min <= range.max) {
      covered_.push_back(range);
    }
  }
  std::sort(covered_.begin(), covered_.end(),
            [](const IdRange& a, const IdRange& b) { return a.min < b.min; });
  size_t num_apart = 0;
  for (const IdRange& range : covered_) {
    if (num_apart > 0 && range.min <= covered_[num_apart - 1].max) {
      Extend(&covered_[num_apart - 1], range);
    } else {
      covered_[num_apart++] = range;
    }
  }
  covered_.resize(num_apart);
  places_.resize(num_apart + 1);
}

size_t FileGaps::FilesUpTo(uint32_t id) const {
  const auto behind =
      std::upper_bound(covered_.begin(), covered_.end(), id,
                       [](uint32_t value, const IdRange& r) { return value < r.min; });
  return static_cast<size_t>(behind - covered_.begin());
}

void FileGaps::Add(const FileSummaryPtr& root, std::span<const uint32_t> ids, int64_t num_with,
                   bool are_new) {
  if (!is_known_ || ids.empty()) {
    return;
  }
  if (root != current_.root) {
    EndFile();
    current_ = {.root = root};
  }
  const auto num_rows = static_cast<int64_t>(ids.size());
  const auto [min, max] = std::minmax_element(ids.begin(), ids.end());
  current_.num_rows += num_rows;
  current_.num_with += num_with;
  Extend(&current_.ids, IdRange{*min, *max});
  if (are_new) {
    num_rows_ += num_rows;
    num_with_ += num_with;
  }
  size_t at = FilesUpTo(*min);
  if (at > 0 && *max <= covered_[at - 1].max) {
    return;  // a file goes past all of them
  }
  for (const uint32_t id : ids) {
    if (at < covered_.size() && id >= covered_[at].min) {
      at = FilesUpTo(id);
    } else if (at > 0 && id < covered_[at - 1].min) {
      at = FilesUpTo(id);
    }
    if (at > 0 && id <= covered_[at - 1].max) {
      continue;
    }
    ++current_.num_between;
    if (are_new) {
      ++places_[at].num_rows;
      Extend(&places_[at].ids, id);
    }
  }
}

void FileGaps::EndFile() {
  if (current_.num_rows == 0) {
    return;
  }
  num_files_with_ += current_.num_with > 0 ? 1 : 0;
  if (current_.num_with == 0) {
    bare_ = num_files_without_ == 0 ? current_ : bare_;
    ++num_files_without_;
  }
}

/// Chance that some place between files has so many rows without children, by the share of the
/// other rows that have some.
double FileGaps::Chance(int64_t num_rows) const {
  const auto others = static_cast<double>(num_rows_ - num_rows);
  const double share = (static_cast<double>(num_with_) + 1) / (others + 2);
  return static_cast<double>(places_.size()) * std::pow(1 - share, static_cast<double>(num_rows));
}

bool FileGaps::IsKnown() const {
  return is_known_ && std::none_of(files_.begin(), files_.end(), [](const FileSummaryPtr& file) {
           return file->parent_statistics == FileSummary::Trust::kWrong;
         });
}

std::optional<FileGaps::Gap> FileGaps::Find() const {
  if (num_with_ == 0 || !IsKnown()) {
    return std::nullopt;
  }
  Gap found;
  for (const Place& place : places_) {
    if (place.num_rows == 0 || Chance(place.num_rows) > kMostChance) {
      continue;
    }
    found.num_more += place.num_rows;
    if (place.num_rows > found.num_rows) {
      found.num_rows = place.num_rows;
      found.ids = place.ids;
    }
  }
  found.num_more -= found.num_rows;
  found.num_with = num_with_;
  found.num_others = num_rows_ - found.num_rows;
  return found.num_rows == 0 ? std::nullopt : std::optional(found);
}

std::optional<FileGaps::BareFile> FileGaps::FindBareFile(int64_t least_others) const {
  const bool has_current = current_.num_rows > 0;
  const bool is_current_bare = has_current && current_.num_with == 0;
  const RootFile& bare = num_files_without_ == 0 ? current_ : bare_;
  const int64_t num_bare = num_files_without_ + (is_current_bare ? 1 : 0);
  const int64_t num_others = num_files_with_ + (has_current && !is_current_bare ? 1 : 0);
  if (num_bare != 1 || num_others < 2 || bare.num_between < bare.num_rows || !IsKnown() ||
      (num_others < least_others && Chance(bare.num_rows) > kMostChanceOfPairs)) {
    return std::nullopt;
  }
  return BareFile{
      .root = bare.root, .num_rows = bare.num_rows, .ids = bare.ids, .num_others = num_others};
}

}  // namespace df::lake
