#include "lake/resources/partition_joins.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "lake/format/id_ranges.h"

namespace df::lake {
namespace {

constexpr std::array kAttributeTables = {otap::TableKind::kResourceAttrs,
                                         otap::TableKind::kScopeAttrs};

/// Root files without the key, in the order of their ids; a file without ids stays behind the one
/// in front of it.
std::vector<size_t> FilesById(const PartitionFiles& files, otap::Signal signal) {
  const auto& roots = files.of(otap::RootTable(signal));
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
  std::vector<size_t> by_id;
  for (const auto& [id, file] : order) {
    by_id.push_back(file);
  }
  return by_id;
}

/// What tells files of one writer from those of another: their set, else each is one.
const std::string& SetOrPath(const FileSummary& file) {
  return file.file_set.empty() ? file.entry.path : file.file_set;
}

/// Adds the ids that come more than once.
void AddRepeated(std::vector<uint32_t> ids, std::vector<uint32_t>* repeated) {
  std::sort(ids.begin(), ids.end());
  for (size_t i = 1; i < ids.size(); ++i) {
    if (ids[i] == ids[i - 1]) {
      repeated->push_back(ids[i]);
    }
  }
}

/// Returns the ids that are in more than one of the lists.
ParentIdSet InSeveral(std::map<std::string, std::vector<uint32_t>> lists) {
  std::vector<uint32_t> all;
  for (auto& [name, list] : lists) {
    const ParentIdSet distinct(std::move(list));
    all.insert(all.end(), distinct.ids().begin(), distinct.ids().end());
  }
  std::vector<uint32_t> several;
  AddRepeated(std::move(all), &several);
  return ParentIdSet(std::move(several));
}

/// Returns the most ids that two sets of files of a root table have in common in one column, as far
/// as statistics say. Files without the key do not count.
int64_t MostInCommon(const std::vector<FileSummaryPtr>& roots,
                     std::optional<IdRange> RowGroupSummary::* column) {
  std::map<std::string, IdRange> by_set;
  for (const FileSummaryPtr& file : roots) {
    if (file->has_partition_scope_ids) {
      IdRange& range = by_set.emplace(SetOrPath(*file), kEmptyIdRange).first->second;
      for (const RowGroupSummary& group : file->row_groups) {
        Extend(&range, (group.*column).value_or(kEmptyIdRange));
      }
    }
  }
  std::vector<IdRange> ranges;
  for (const auto& [name, range] : by_set) {
    if (range.min <= range.max) {
      ranges.push_back(range);
    }
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const IdRange& a, const IdRange& b) { return a.min < b.min; });
  int64_t most = 0;
  int64_t last = -1;  // of those before
  for (const IdRange& range : ranges) {
    most = std::max(most, std::min<int64_t>(last, range.max) - range.min + 1);
    last = std::max<int64_t>(last, range.max);
  }
  return most;
}

}  // namespace

bool KeyedRootsShareIds(const PartitionFiles& files) {
  return std::any_of(otap::kAllSignals.begin(), otap::kAllSignals.end(),
                     [&](const otap::Signal signal) {
                       const auto& roots = files.of(otap::RootTable(signal));
                       return MostInCommon(roots, &RowGroupSummary::ids) > 0 ||
                              MostInCommon(roots, &RowGroupSummary::resource_ids) > 1 ||
                              MostInCommon(roots, &RowGroupSummary::scope_ids) > 1;
                     });
}

void PartitionJoins::ReadParents(otap::TableKind kind, const PartitionFiles& files,
                                 ReadContext* context) {
  Attributes& attributes = attributes_[kind == otap::TableKind::kResourceAttrs ? 0 : 1];
  is_complete_ = is_complete_ && !files.has_unreadable[otap::TableIndex(kind)];
  std::array<std::vector<uint32_t>, 2> ids;
  std::vector<uint32_t> several;  // in succession, with and without the key
  std::map<std::string, std::vector<uint32_t>> by_set;
  const bool may_have_writers = !files.of(kind).empty() && KeyedRootsShareIds(files);
  for (const FileSummaryPtr& summary : files.of(kind)) {
    const Location location{.partition = context->partition,
                            .table = std::string(otap::GetTable(kind).directory),
                            .file = summary->entry.path};
    std::vector<uint32_t> found;
    IdRange range = kEmptyIdRange;
    auto read = [&]() -> Status {
      ARROW_ASSIGN_OR_RAISE(const auto file,
                            OpenSummarised(*context->store, context->base, *summary, location));
      for (int group = 0; group < file->num_row_groups(); ++group) {
        ARROW_ASSIGN_OR_RAISE(const IdColumn parents,
                              file->ReadIds(group, LeafIndex(kind, "parent_id")));
        for (int64_t row = 0; row < file->num_rows(group); ++row) {
          const uint32_t id = parents.values[static_cast<size_t>(row)];
          if (!parents.is_valid(row)) {
            continue;
          }
          if (found.empty() || found.back() != id) {
            found.push_back(id);
            Extend(&range, id);
          } else if (several.empty() || several.back() != id) {
            several.push_back(id);
          }
        }
      }
      return Status::OK();
    };
    const Status status = read();
    std::vector<uint32_t>& all = ids[summary->has_partition_scope_ids ? 0 : 1];
    if (may_have_writers && summary->has_partition_scope_ids) {
      std::vector<uint32_t>& of_set = by_set[SetOrPath(*summary)];
      of_set.insert(of_set.end(), found.begin(), found.end());
    }
    if (all.empty()) {
      all = std::move(found);
    } else {
      all.insert(all.end(), found.begin(), found.end());
    }
    if (!status.ok()) {
      context->report->Add(status);
      is_complete_ = false;
      has_failed_ = true;
    }
    if (!summary->has_partition_scope_ids) {
      attributes.unkeyed_files.Add(range);
    }
    attributes.has_unkeyed_files = attributes.has_unkeyed_files ||
                                   (summary->num_rows() > 0 && !summary->has_partition_scope_ids);
  }
  attributes.keyed_twice = InSeveral(std::move(by_set));
  attributes.keyed = ParentIdSet(std::move(ids[0]));
  AddRepeated(ids[1], &several);
  attributes.unkeyed_several = ParentIdSet(std::move(several));
  attributes.unkeyed = ParentIdSet(std::move(ids[1]));
}

void PartitionJoins::LoadParents(const PartitionFiles& files, ReadContext* context) {
  if (!std::exchange(is_loaded_, true)) {
    for (const otap::TableKind kind : kAttributeTables) {
      ReadParents(kind, files, context);
    }
  }
}

RootFileSource PartitionJoins::SourceOf(FileOfSignal which, const PartitionFiles& files,
                                        ReadContext* context) {
  const otap::TableKind root = otap::RootTable(which.first);
  const FileSummaryPtr& summary = files.of(root)[which.second];
  RootFileSource source{.num_row_groups = static_cast<int>(summary->row_groups.size()),
                        .starts_batch = summary->is_parquet_rs,
                        .read = nullptr};
  auto opened = std::make_shared<std::shared_ptr<TableFile>>();
  const int num_groups = source.num_row_groups;
  source.read = [this, which, root, context, summary, opened,
                 num_groups](int group) -> Result<RootIds> {
    auto read = [&]() -> Result<RootIds> {
      if (*opened == nullptr) {
        ARROW_ASSIGN_OR_RAISE(*opened,
                              OpenSummarised(*context->store, context->base, *summary,
                                             {.partition = context->partition,
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
      errors_.emplace(which, ids.status());
      has_failed_ = true;
      return RootIds{};
    }
    return ids;
  };
  return source;
}

/// Attribute files with the key stand beside root files without it where somebody wrote the root
/// files anew. That they belong together is proved when the ids of the root rows, as they stand,
/// lead to every attribute row.
void PartitionJoins::ProveStored(const PartitionFiles& files, ReadContext* context) {
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
    for (size_t file = 0; file < files.of(otap::RootTable(signal)).size(); ++file) {
      const RootFileSource source = SourceOf({signal, file}, files, context);
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

Status PartitionJoins::Infer(const PartitionFiles& files, ReadContext* context) {
  if (is_inferred_) {
    return Status::OK();
  }
  ResolverInput input;
  input.resources = &attributes_[0].unkeyed;
  input.scopes = &attributes_[1].unkeyed;
  if (is_complete_) {
    input.several_resources = &attributes_[0].unkeyed_several;
    input.several_scopes = &attributes_[1].unkeyed_several;
  }
  input.is_evidence_complete = is_complete_;
  input.resource_files = attributes_[0].unkeyed_files;
  int num_signals = 0;  // that have rows
  bool has_unreadable = false;
  for (const otap::Signal signal : otap::kAllSignals) {
    const otap::TableKind root = otap::RootTable(signal);
    const auto& roots = files.of(root);
    num_signals += std::any_of(roots.begin(), roots.end(),
                               [](const FileSummaryPtr& file) { return file->num_rows() > 0; });
    has_unreadable = has_unreadable || files.has_unreadable[otap::TableIndex(root)];
    std::vector<RootFileSource> sources;
    for (const size_t file : FilesById(files, signal)) {
      place_of_[{signal, file}] = sources.size();
      sources.push_back(SourceOf({signal, file}, files, context));
    }
    input.signals.push_back(std::move(sources));
  }
  input.is_only_signal = num_signals <= 1 && !has_unreadable;
  ProveStored(files, context);
  ARROW_ASSIGN_OR_RAISE(joins_, ResourceJoins::Make(input));
  is_inferred_ = true;
  return Status::OK();
}

Status PartitionJoins::ErrorOf(otap::Signal signal, size_t file) const {
  const auto error = errors_.find({signal, file});
  return error == errors_.end() ? Status::OK() : error->second;
}

std::vector<ResourceStretch> PartitionJoins::StretchesOf(otap::Signal signal, size_t file) const {
  const auto place = place_of_.find({signal, file});
  if (place == place_of_.end()) {
    return {};
  }
  const auto number =
      static_cast<size_t>(std::find(otap::kAllSignals.begin(), otap::kAllSignals.end(), signal) -
                          otap::kAllSignals.begin());
  return joins_->stretches(number, place->second);
}

}  // namespace df::lake
