#include "lake/partition_resources.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace df::lake {
PartitionResources::PartitionResources(const PartitionFiles& files, otap::Signal signal,
                                       ResourceJoin policy, ReadContext* context)
    : files_(files), signal_(signal), policy_(policy), context_(context) {}

ParentIdSet PartitionResources::ReadParents(otap::TableKind kind) {
  is_complete_ = is_complete_ && !files_.has_unreadable[otap::TableIndex(kind)];
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
  LoadRanges();
}

/// Files of other writers may hold ids that join as stored although they are narrow: so it is when
/// the nested ids reach every attribute row as they stand. In shifted files the attribute rows lie
/// past all nested ids.
bool PartitionResources::IsLiteral() const {
  if (!is_complete_ || (resources_.empty() && scopes_.empty())) {
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

/// Learns the id ranges of all root files once: neighbours are looked up by binary search
/// afterwards.
void PartitionResources::LoadRanges() {
  const auto& roots = files_.of(otap::RootTable(signal_));
  previous_max_.assign(roots.size() + 1, std::nullopt);
  next_min_.assign(roots.size() + 1, std::nullopt);
  for (size_t i = 0; i < roots.size(); ++i) {
    const std::optional<IdRange> ids = IdsOf(*roots[i]);
    previous_max_[i + 1] = previous_max_[i];
    if (ids.has_value()) {
      previous_max_[i + 1] = std::max(previous_max_[i].value_or(0), ids->max);
      first_ids_.push_back(ids->min);
      last_ids_.push_back(ids->max);
    }
  }
  for (size_t i = roots.size(); i-- > 0;) {
    const std::optional<IdRange> ids = IdsOf(*roots[i]);
    next_min_[i] = next_min_[i + 1];
    if (ids.has_value()) {
      next_min_[i] = std::min(next_min_[i + 1].value_or(UINT32_MAX), ids->min);
    }
  }
  std::sort(first_ids_.begin(), first_ids_.end());
  std::sort(last_ids_.begin(), last_ids_.end());
  // What may have any id: root rows of other signals, and of files that could not be read.
  auto others = std::make_shared<std::vector<IdRange>>();
  for (const otap::Signal signal : otap::kAllSignals) {
    for (const FileSummaryPtr& file : files_.of(otap::RootTable(signal))) {
      if (signal != signal_ && file->num_rows() > 0) {
        others->push_back(IdsOf(*file).value_or(IdRange{0, UINT32_MAX}));
      }
    }
    if (files_.has_unreadable[otap::TableIndex(otap::RootTable(signal))]) {
      others->push_back({0, UINT32_MAX});
    }
  }
  other_signals_ = std::move(others);
}

ResolverContext PartitionResources::MakeContext(size_t file_index) const {
  const FileSummary& file = *files_.of(otap::RootTable(signal_))[file_index];
  ResolverContext context;
  context.resources = &resources_;
  context.scopes = &scopes_;
  context.is_evidence_complete = is_complete_;
  context.file_starts_batch = file.is_parquet_rs;
  if (const std::optional<IdRange> own = IdsOf(file); own.has_value()) {
    const auto before = std::lower_bound(last_ids_.begin(), last_ids_.end(), own->min);
    if (before != last_ids_.begin()) {
      context.previous_last_id = *(before - 1);
    }
    const auto behind = std::upper_bound(first_ids_.begin(), first_ids_.end(), own->max);
    if (behind != first_ids_.end()) {
      context.next_first_id = *behind;
    }
  } else {  // without ids, the order of files is all there is
    context.previous_last_id = previous_max_[file_index];
    context.next_first_id = next_min_[file_index + 1];
  }
  context.is_only_signal = other_signals_->empty();
  context.may_be_other_signal = [others = other_signals_](uint32_t id) {
    return std::any_of(others->begin(), others->end(),
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
