#include "lake/scan/repeated_ids.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"
#include "lake/format/table_file.h"
#include "lake/scan/own_repeats.h"

namespace df::lake {
namespace {

constexpr int64_t kShareOfBudget = 8;
constexpr int64_t kLeastBytes = 1_MiB;

struct Group {
  IdRange ids;
  size_t file = 0;
  int row_group = 0;
  int64_t num_rows = 0;
  bool has_failed = false;
};

int64_t DivideUp(int64_t value, int64_t by) { return (value + by - 1) / by; }

std::string_view WithoutLocation(std::string_view message) {
  const size_t where = message.rfind(" [");
  return message.ends_with(']') ? message.substr(0, where) : message;
}

/// Reads the ids of row groups, one at a time.
class GroupReader {
 public:
  GroupReader(otap::TableKind kind, const std::vector<FileSummaryPtr>& files, ReadContext* context)
      : kind_(kind), files_(files), context_(context), held_(context->budget) {}

  /// Returns the ids, or null after an error, which is reported.
  const IdColumn* Read(Group* group) {
    ids_ = {};
    held_.Set(0);
    if (group->has_failed) {
      return nullptr;
    }
    const int64_t size_bytes = group->num_rows * static_cast<int64_t>(sizeof(uint32_t));
    if (!context_->budget->Fits(size_bytes) && context_->make_room) {
      context_->make_room();
    }
    held_.Set(size_bytes);
    const Status status = Load(*group);
    if (!status.ok()) {
      group->has_failed = true;
      const std::string text =
          fmt::format("whether other rows have the ids of its rows too cannot be told: {}",
                      WithoutLocation(status.message()));
      context_->report->Add(MakeError(KindOf(status), text, LocationOf(*group)));
      return nullptr;
    }
    return &ids_;
  }

 private:
  Location LocationOf(const Group& group) const {
    return {.partition = context_->partition,
            .table = std::string(otap::GetTable(kind_).directory),
            .file = files_[group.file]->entry.path,
            .row_group = group.row_group};
  }

  Status Load(const Group& group) {
    if (file_ == nullptr || file_index_ != group.file) {
      Location location = LocationOf(group);
      location.row_group = -1;
      const FileSummary& summary = *files_[group.file];
      file_ = nullptr;
      ARROW_ASSIGN_OR_RAISE(file_,
                            OpenSummarised(*context_->store, context_->base, summary, location));
      file_index_ = group.file;
    }
    ARROW_ASSIGN_OR_RAISE(ids_, file_->ReadIds(group.row_group, LeafIndex(kind_, "id")));
    DropFilledZeros(kind_, &ids_);
    return Status::OK();
  }

  otap::TableKind kind_;
  const std::vector<FileSummaryPtr>& files_;
  ReadContext* context_;
  std::shared_ptr<TableFile> file_;  ///< the one read last
  size_t file_index_ = 0;
  IdColumn ids_;
  Reservation held_;
};

/// Returns the row groups that have ids, by their smallest.
std::vector<Group> GroupsOf(const std::vector<FileSummaryPtr>& files, GroupReader* reader) {
  std::vector<Group> groups;
  std::vector<Group> unknown;
  for (size_t file = 0; file < files.size(); ++file) {
    for (size_t i = 0; i < files[file]->row_groups.size(); ++i) {
      const RowGroupSummary& facts = files[file]->row_groups[i];
      const bool is_known = facts.ids.has_value() && !files[file]->has_wrong_id_statistics;
      const Group group{.ids = is_known ? *facts.ids : kEmptyIdRange,
                        .file = file,
                        .row_group = static_cast<int>(i),
                        .num_rows = facts.num_rows};
      if (!is_known && facts.num_rows > 0) {
        unknown.push_back(group);
      } else if (group.ids.min <= group.ids.max) {
        groups.push_back(group);
      }
    }
  }
  for (size_t i = 0; i < unknown.size() && groups.size() + unknown.size() > 1; ++i) {
    if (const IdColumn* ids = reader->Read(&unknown[i]); ids != nullptr) {
      unknown[i].ids = RangeOf(*ids, 0, unknown[i].num_rows);
    }
    if (unknown[i].ids.min <= unknown[i].ids.max) {
      groups.push_back(unknown[i]);
    }
  }
  std::sort(groups.begin(), groups.end(),
            [](const Group& a, const Group& b) { return a.ids.min < b.ids.min; });
  return groups;
}

/// Ids that are compared together: those of a window, or a share of all.
struct Pass {
  IdRange window;
  uint32_t share = 0;
  uint32_t num_shares = 1;

  bool Has(uint32_t id) const {
    // Mixed: ids may come in steps.
    return window.min <= id && id <= window.max &&
           (num_shares == 1 || (id * 2'654'435'761U >> 12) % num_shares == share);
  }
};

/// Cuts what is compared to what the budget allows.
std::vector<Pass> PassesOf(IdRange ids, int64_t num_rows, int64_t allowed_bytes) {
  const int64_t width = int64_t{ids.max} - ids.min + 1;
  const int64_t num_windows = DivideUp(width / 4 + 1, allowed_bytes);
  const int64_t num_shares =
      DivideUp(num_rows * static_cast<int64_t>(sizeof(uint32_t)), allowed_bytes);
  std::vector<Pass> passes;
  if (num_shares < num_windows) {
    for (int64_t i = 0; i < num_shares; ++i) {
      passes.push_back({ids, static_cast<uint32_t>(i), static_cast<uint32_t>(num_shares)});
    }
    return passes;
  }
  const int64_t step = DivideUp(width, num_windows);
  for (int64_t first = ids.min; first <= ids.max; first += step) {
    passes.push_back({{static_cast<uint32_t>(first),
                       static_cast<uint32_t>(std::min<int64_t>(first + step - 1, ids.max))}});
  }
  return passes;
}

/// Adds the ids that come more than once in row groups whose ranges overlap.
void FindIn(std::span<Group> groups, GroupReader* reader, ReadContext* context,
            std::vector<uint32_t>* repeated, Reservation* held) {
  IdRange ids = kEmptyIdRange;
  int64_t num_rows = 0;
  for (const Group& group : groups) {
    Extend(&ids, group.ids);
    num_rows += group.num_rows;
  }
  std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    return std::tie(a.file, a.row_group) < std::tie(b.file, b.row_group);
  });
  const int64_t allowed_bytes =
      std::max(kLeastBytes, context->budget->limit_bytes() / kShareOfBudget);
  for (const Pass& pass : PassesOf(ids, num_rows, allowed_bytes)) {
    const int64_t num_ids = num_rows / pass.num_shares + 1;
    Reservation tally_held(context->budget);
    tally_held.Set(IdTally::SizeBytes(pass.window, num_ids));
    IdTally tally(pass.window, num_ids);
    for (Group& group : groups) {
      const IdColumn* column = reader->Read(&group);
      const size_t num_values = column == nullptr ? 0 : column->values.size();
      for (size_t row = 0; row < num_values; ++row) {
        if (column->is_valid(static_cast<int64_t>(row)) && pass.Has(column->values[row])) {
          tally.Add(column->values[row]);
        }
      }
    }
    const std::vector<uint32_t> found = tally.Repeated();
    repeated->insert(repeated->end(), found.begin(), found.end());
    held->Set(static_cast<int64_t>(repeated->size() * sizeof(uint32_t)));
  }
}

}  // namespace

RepeatedIds::RepeatedIds(otap::TableKind kind, const std::vector<FileSummaryPtr>& files,
                         ReadContext* context)
    : held_(context->budget) {
  GroupReader reader(kind, files, context);
  std::vector<Group> groups = GroupsOf(files, &reader);
  std::vector<uint32_t> repeated;
  for (size_t begin = 0; begin < groups.size();) {
    size_t end = begin + 1;
    uint32_t last = groups[begin].ids.max;
    while (end < groups.size() && groups[end].ids.min <= last) {
      last = std::max(last, groups[end].ids.max);
      ++end;
    }
    if (end - begin > 1) {
      const std::span<Group> overlapping = std::span(groups).subspan(begin, end - begin);
      FindIn(overlapping, &reader, context, &repeated, &held_);
      for (const Group& group : overlapping) {
        if (group.has_failed) {
          untold_.Add(group.ids);
        }
      }
    }
    begin = end;
  }
  ids_ = ParentIdSet(std::move(repeated));
  held_.Set(static_cast<int64_t>(ids_.ids().size() * sizeof(uint32_t)));
}

int64_t RepeatedIds::CountNewSince(const RepeatedIds& before) const {
  return std::count_if(ids_.ids().begin(), ids_.ids().end(),
                       [&](uint32_t id) { return !before.Has(id); });
}

void CheckIdStatistics(const FileSummary& file, int row_group, const IdColumn& ids) {
  const auto& said = file.row_groups[static_cast<size_t>(row_group)].ids;
  const IdRange found = RangeOf(ids, 0, static_cast<int64_t>(ids.values.size()));
  if (said.has_value() && found.min <= found.max &&
      (found.min < said->min || found.max > said->max)) {
    file.has_wrong_id_statistics = true;
  }
}

}  // namespace df::lake
