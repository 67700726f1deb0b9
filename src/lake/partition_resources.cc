#include "lake/partition_resources.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace df::lake {
namespace {

constexpr std::array kAttributeTables = {otap::TableKind::kResourceAttrs,
                                         otap::TableKind::kScopeAttrs};

bool HasFiles(const PartitionFiles& files, otap::TableKind kind, bool has_key) {
  const auto& list = files.of(kind);
  return std::any_of(list.begin(), list.end(), [&](const FileSummaryPtr& file) {
    return file->num_rows() > 0 && file->has_partition_scope_ids == has_key;
  });
}

/// Largest ids of row groups, by their statistics: ids that may be the last of a batch.
std::vector<uint32_t> LargestIds(const PartitionFiles& files) {
  std::vector<uint32_t> largest;
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileSummaryPtr& file : files.of(table.kind)) {
      for (const RowGroupSummary& group : file->row_groups) {
        if (table.id_bits != 0 && group.ids.has_value() && group.ids->min <= group.ids->max) {
          largest.push_back(group.ids->max);
        }
      }
    }
  }
  std::sort(largest.begin(), largest.end());
  return largest;
}

}  // namespace

PartitionResources::PartitionResources(const PartitionFiles& files, otap::Signal signal,
                                       ResourceJoin policy, ReadContext* context)
    : files_(files), signal_(signal), policy_(policy), context_(context) {}

void PartitionResources::ReadParents(otap::TableKind kind, Attributes* attributes) {
  is_complete_ = is_complete_ && !files_.has_unreadable[otap::TableIndex(kind)];
  std::array<std::vector<uint32_t>, 2> ids;
  for (const FileSummaryPtr& summary : files_.of(kind)) {
    const Location location{.partition = context_->partition,
                            .table = std::string(otap::GetTable(kind).directory),
                            .file = summary->entry.path};
    std::vector<uint32_t>& found = ids[summary->has_partition_scope_ids ? 0 : 1];
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
          if (parents.is_valid(row) && (found.empty() || found.back() != id)) {
            found.push_back(id);
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
  attributes->keyed = ParentIdSet(std::move(ids[0]));
  attributes->unkeyed = ParentIdSet(std::move(ids[1]));
  attributes->has_unkeyed_files = HasFiles(files_, kind, false);
}

void PartitionResources::LoadParents() {
  if (!std::exchange(is_loaded_, true)) {
    for (size_t i = 0; i < kAttributeTables.size(); ++i) {
      ReadParents(kAttributeTables[i], &attributes_[i]);
    }
  }
}

/// Root files without the key, in the order of their ids; a file without ids stays behind the one
/// in front of it.
std::vector<size_t> PartitionResources::FilesById(otap::Signal signal) const {
  const auto& roots = files_.of(otap::RootTable(signal));
  std::vector<std::pair<uint64_t, size_t>> order;
  uint64_t last = 0;
  for (size_t i = 0; i < roots.size(); ++i) {
    const std::optional<IdRange> ids = IdsOf(*roots[i]);
    last = ids.has_value() ? ids->min : last;
    if (!roots[i]->has_partition_scope_ids && roots[i]->num_rows() > 0) {
      order.emplace_back(last, i);
    }
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<size_t> files;
  for (const auto& [id, file] : order) {
    files.push_back(file);
  }
  return files;
}

RootFileSource PartitionResources::SourceOf(otap::Signal signal, size_t file_index) {
  const otap::TableKind root = otap::RootTable(signal);
  const FileSummaryPtr& summary = files_.of(root)[file_index];
  RootFileSource source{.num_row_groups = static_cast<int>(summary->row_groups.size()),
                        .starts_batch = summary->is_parquet_rs,
                        .read = nullptr};
  auto opened = std::make_shared<std::shared_ptr<TableFile>>();
  const int num_groups = source.num_row_groups;
  source.read = [this, signal, root, file_index, summary, opened,
                 num_groups](int group) -> Result<RootIds> {
    auto read = [&]() -> Result<RootIds> {
      if (*opened == nullptr) {
        ARROW_ASSIGN_OR_RAISE(*opened,
                              TableFile::Open(*context_->file_system,
                                              FullPath(context_->base, summary->entry.path), root,
                                              {.partition = context_->partition,
                                               .table = std::string(otap::GetTable(root).directory),
                                               .file = summary->entry.path}));
      }
      const std::shared_ptr<TableFile> file = *opened;
      if (group + 1 >= num_groups) {
        *opened = nullptr;  // no file stays open behind its last row group
      }
      RootIds ids;
      ARROW_ASSIGN_OR_RAISE(ids.ids, file->ReadIds(group, LeafIndex(root, "id")));
      ARROW_ASSIGN_OR_RAISE(ids.resource_ids,
                            file->ReadIds(group, LeafIndex(root, "resource", "id")));
      ARROW_ASSIGN_OR_RAISE(ids.scope_ids, file->ReadIds(group, LeafIndex(root, "scope", "id")));
      return ids;
    };
    Result<RootIds> ids = read();
    if (!ids.ok()) {  // named when the file itself is read
      errors_.emplace(std::pair(signal, file_index), ids.status());
      return RootIds{};
    }
    return ids;
  };
  return source;
}

/// Attribute files with the key stand beside root files without it where somebody wrote the root
/// files anew. That they belong together is proved when the ids of the root rows, as they stand,
/// lead to every attribute row.
void PartitionResources::ProveStored() {
  std::array<std::vector<bool>, 2> is_referred;
  for (size_t t = 0; t < attributes_.size(); ++t) {
    if (!attributes_[t].keyed.empty() && !attributes_[t].has_unkeyed_files && is_complete_) {
      is_referred[t].assign(attributes_[t].keyed.ids().size(), false);
    }
  }
  if (is_referred[0].empty() && is_referred[1].empty()) {
    return;
  }
  for (const otap::Signal signal : otap::kAllSignals) {
    for (size_t file = 0; file < files_.of(otap::RootTable(signal)).size(); ++file) {
      const RootFileSource source = SourceOf(signal, file);
      for (int group = 0; group < source.num_row_groups; ++group) {
        const Result<RootIds> rows = source.read(group);
        if (!rows.ok()) {
          return;
        }
        for (size_t t = 0; t < is_referred.size(); ++t) {
          const IdColumn& ids = t == 0 ? rows->resource_ids : rows->scope_ids;
          for (int64_t row = 0; row < rows->num_rows() && !is_referred[t].empty(); ++row) {
            const uint32_t id = ids.values[static_cast<size_t>(row)];
            if (ids.is_valid(row) && attributes_[t].keyed.Has(id)) {
              is_referred[t][attributes_[t].keyed.IndexOf(id)] = true;
            }
          }
        }
      }
    }
  }
  for (size_t t = 0; t < attributes_.size(); ++t) {
    attributes_[t].joins_as_stored =
        !is_referred[t].empty() &&
        std::find(is_referred[t].begin(), is_referred[t].end(), false) == is_referred[t].end();
  }
}

Status PartitionResources::Infer() {
  if (std::exchange(is_inferred_, true)) {
    return Status::OK();
  }
  ResolverInput input;
  input.resources = &attributes_[0].unkeyed;
  input.scopes = &attributes_[1].unkeyed;
  input.is_evidence_complete = is_complete_;
  input.is_only_signal = true;
  for (const otap::Signal signal : otap::kAllSignals) {
    const otap::TableKind root = otap::RootTable(signal);
    const auto& roots = files_.of(root);
    const bool has_rows = std::any_of(roots.begin(), roots.end(), [](const FileSummaryPtr& file) {
      return file->num_rows() > 0;
    });
    if (files_.has_unreadable[otap::TableIndex(root)] || (signal != signal_ && has_rows)) {
      input.is_only_signal = false;
    }
    std::vector<RootFileSource> sources;
    for (const size_t file : FilesById(signal)) {
      if (signal == signal_) {
        place_of_[file] = sources.size();
      }
      sources.push_back(SourceOf(signal, file));
    }
    input.signals.push_back(std::move(sources));
  }
  input.ends_batch = [largest = LargestIds(files_)](uint32_t id) {
    return std::binary_search(largest.begin(), largest.end(), id);
  };
  ProveStored();
  ARROW_ASSIGN_OR_RAISE(joins_, ResourceJoins::Make(input));
  return Status::OK();
}

Result<std::vector<ResourceStretch>> PartitionResources::Resolve(const TableFile& file,
                                                                 size_t file_index) {
  ResourceStretch whole;
  if (file.has_partition_scope_ids()) {
    whole.join = StretchJoin::kAsStored;
    if (HasFiles(files_, kAttributeTables[0], false) ||
        HasFiles(files_, kAttributeTables[1], false)) {
      LoadParents();
    }
    return std::vector{whole};
  }
  if (policy_ == ResourceJoin::kDrop) {
    whole.join = StretchJoin::kUnknown;
    return std::vector{whole};
  }
  LoadParents();
  const bool has_attributes =
      std::any_of(attributes_.begin(), attributes_.end(), [](const Attributes& attributes) {
        return !attributes.keyed.empty() || !attributes.unkeyed.empty();
      });
  if (!has_attributes && is_complete_) {
    return std::vector{whole};  // nothing to join
  }
  ARROW_RETURN_NOT_OK(Infer());
  if (attributes_[0].joins_as_stored || attributes_[1].joins_as_stored) {
    whole.join = StretchJoin::kProved;
    return std::vector{whole};
  }
  if (const auto error = errors_.find({signal_, file_index}); error != errors_.end()) {
    return error->second;
  }
  const auto place = place_of_.find(file_index);
  if (place == place_of_.end()) {
    return std::vector{whole};  // no rows
  }
  const auto signal =
      static_cast<size_t>(std::find(otap::kAllSignals.begin(), otap::kAllSignals.end(), signal_) -
                          otap::kAllSignals.begin());
  std::vector<ResourceStretch> stretches = joins_->stretches(signal, place->second);
  if (stretches.empty()) {
    stretches.push_back(whole);
  }
  return stretches;
}

bool PartitionResources::IsKnown(AttributeKind kind, const ResourceStretch& stretch,
                                 uint32_t nested_id) const {
  const Attributes& attributes = attributes_[static_cast<size_t>(kind)];
  switch (stretch.join) {
    case StretchJoin::kUnknown:
      return false;
    case StretchJoin::kAsStored:
      return !attributes.unkeyed.Has(nested_id);  // those may be of another writer
    case StretchJoin::kProved:
      return attributes.joins_as_stored || (attributes.keyed.empty() && attributes.unkeyed.empty());
    case StretchJoin::kInferred:
      break;
  }
  if (!attributes.keyed.empty() &&
      (!attributes.has_unkeyed_files ||
       attributes.keyed.HasAnyIn(uint64_t{stretch.least_offset} + nested_id,
                                 uint64_t{stretch.offset} + nested_id))) {
    return false;  // attribute rows of another writer, or of this one without its key
  }
  return !joins_.has_value() || joins_->IsKnown(kind, stretch, nested_id);
}

}  // namespace df::lake
