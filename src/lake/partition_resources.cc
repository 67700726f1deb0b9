#include "lake/partition_resources.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace df::lake {
namespace {

/// Range of the ids of a file over its row groups; nothing when statistics are missing or no row
/// has an id.
std::optional<IdRange> IdsOf(const FileSummary& file) {
  IdRange range = kEmptyIdRange;
  for (const RowGroupSummary& group : file.row_groups) {
    if (!group.ids.has_value()) {
      return std::nullopt;
    }
    range = {std::min(range.min, group.ids->min), std::max(range.max, group.ids->max)};
  }
  return range.min > range.max ? std::nullopt : std::optional(range);
}

}  // namespace

PartitionResources::PartitionResources(const PartitionFiles& files, otap::Signal signal,
                                       ResourceJoin policy, ReadContext* context)
    : files_(files), signal_(signal), policy_(policy), context_(context) {}

ParentIdSet PartitionResources::ReadParents(otap::TableKind kind) {
  std::vector<uint32_t> ids;
  for (const FileSummaryPtr& summary : files_.of(kind)) {
    const Location location{.partition = context_->partition,
                            .table = std::string(otap::GetTable(kind).directory),
                            .file = summary->entry.path};
    auto read = [&]() -> Status {
      ARROW_ASSIGN_OR_RAISE(
          const auto file,
          TableFile::Open(*context_->file_system, FullPath(context_->base, summary->entry.path),
                          kind, location));
      for (int group = 0; group < file->num_row_groups(); ++group) {
        ARROW_ASSIGN_OR_RAISE(const IdColumn parents,
                              file->ReadIds(group, LeafIndex(kind, "parent_id")));
        for (int64_t row = 0; row < file->num_rows(group); ++row) {
          const uint32_t id = parents.values[static_cast<size_t>(row)];
          if (parents.is_valid(row) && (ids.empty() || ids.back() != id)) {
            ids.push_back(id);
          }
        }
      }
      return Status::OK();
    };
    const Status status = read();
    if (!status.ok()) {
      context_->report->Add(status);
      is_complete_ = false;
    }
  }
  return ParentIdSet(std::move(ids));
}

void PartitionResources::LoadParents() {
  if (is_loaded_) {
    return;
  }
  is_loaded_ = true;
  resources_ = ReadParents(otap::TableKind::kResourceAttrs);
  scopes_ = ReadParents(otap::TableKind::kScopeAttrs);
  is_literal_ = IsLiteral();
}

/// Files of other writers may hold ids that join as stored although they are narrow: so it is when
/// the nested ids reach every attribute row as they stand. In shifted files the attribute rows lie
/// past all nested ids.
bool PartitionResources::IsLiteral() const {
  if (resources_.empty() && scopes_.empty()) {
    return false;
  }
  IdRange resources = kEmptyIdRange;
  IdRange scopes = kEmptyIdRange;
  for (const otap::Signal signal : otap::kAllSignals) {
    for (const FileSummaryPtr& file : files_.of(otap::RootTable(signal))) {
      if (file->is_parquet_rs) {
        return false;
      }
      for (const RowGroupSummary& group : file->row_groups) {
        if (!group.resource_ids.has_value() && !group.scope_ids.has_value()) {
          return false;
        }
        resources.max = std::max(resources.max, group.resource_ids.value_or(kEmptyIdRange).max);
        scopes.max = std::max(scopes.max, group.scope_ids.value_or(kEmptyIdRange).max);
      }
    }
  }
  return (resources_.empty() || resources_.max() <= resources.max) &&
         (scopes_.empty() || scopes_.max() <= scopes.max);
}

ResolverContext PartitionResources::MakeContext(size_t file_index) const {
  const auto& roots = files_.of(otap::RootTable(signal_));
  ResolverContext context;
  context.resources = &resources_;
  context.scopes = &scopes_;
  context.is_evidence_complete = is_complete_;
  context.file_starts_batch = roots[file_index]->is_parquet_rs;
  const std::optional<IdRange> own = IdsOf(*roots[file_index]);
  for (size_t i = 0; i < roots.size(); ++i) {
    const std::optional<IdRange> other = IdsOf(*roots[i]);
    if (i == file_index || !other.has_value()) {
      continue;
    }
    const bool is_before = own.has_value() ? other->max < own->min : i < file_index;
    if (is_before) {
      context.previous_last_id = std::max(context.previous_last_id.value_or(0), other->max);
    } else {
      context.next_first_id = std::min(context.next_first_id.value_or(UINT32_MAX), other->min);
    }
  }
  context.is_only_signal = true;
  std::vector<IdRange> others;
  for (const otap::Signal signal : otap::kAllSignals) {
    for (const FileSummaryPtr& file : files_.of(otap::RootTable(signal))) {
      if (signal != signal_ && file->num_rows() > 0) {
        context.is_only_signal = false;
        others.push_back(IdsOf(*file).value_or(IdRange{0, UINT32_MAX}));
      }
    }
  }
  context.may_be_other_signal = [others = std::move(others)](uint32_t id) {
    return std::any_of(others.begin(), others.end(),
                       [id](const IdRange& range) { return range.min <= id && id <= range.max; });
  };
  return context;
}

Result<std::vector<ResourceStretch>> PartitionResources::Resolve(TableFile* file,
                                                                 size_t file_index) {
  if (file->has_partition_scope_ids()) {
    return std::vector<ResourceStretch>{{}};
  }
  if (policy_ == ResourceJoin::kDrop) {
    return std::vector<ResourceStretch>{{.first_row = 0, .offset = 0, .is_ambiguous = true}};
  }
  LoadParents();
  if (is_literal_) {
    return std::vector<ResourceStretch>{{}};
  }
  if (resources_.empty() && scopes_.empty() && is_complete_) {
    return std::vector<ResourceStretch>{{}};  // nothing to join
  }
  const otap::TableKind root = otap::RootTable(signal_);
  auto read = [&](int group) -> Result<RootIds> {
    RootIds ids;
    ARROW_ASSIGN_OR_RAISE(ids.ids, file->ReadIds(group, LeafIndex(root, "id")));
    ARROW_ASSIGN_OR_RAISE(ids.resource_ids,
                          file->ReadIds(group, LeafIndex(root, "resource", "id")));
    ARROW_ASSIGN_OR_RAISE(ids.scope_ids, file->ReadIds(group, LeafIndex(root, "scope", "id")));
    return ids;
  };
  ARROW_ASSIGN_OR_RAISE(auto stretches,
                        ResolveResources(file->num_row_groups(), read, MakeContext(file_index)));
  if (stretches.empty()) {
    stretches.push_back({});
  }
  const auto ambiguous =
      std::count_if(stretches.begin(), stretches.end(),
                    [](const ResourceStretch& stretch) { return stretch.is_ambiguous; });
  if (ambiguous > 0 && policy_ == ResourceJoin::kFail) {
    return MakeError(
        ErrorKind::kReconstruction,
        fmt::format(
            "resource_join is 'fail' and the resources of {} stretches of rows are ambiguous",
            ambiguous),
        file->location());
  }
  return stretches;
}

}  // namespace df::lake
