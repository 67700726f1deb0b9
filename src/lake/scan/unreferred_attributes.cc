#include "lake/scan/unreferred_attributes.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "lake/format/id_ranges.h"
#include "lake/scan/parent_id_set.h"
#include "lake/scan/reservation.h"

namespace df::lake {
namespace {

constexpr size_t kLooseIds = 16 << 10;

/// Distinct ids in no more room than twice their number, or a little.
class IdCollector {
 public:
  void Add(uint32_t id) {
    if (!ids_.empty() && ids_.back() == id) {
      return;
    }
    if (ids_.size() >= 2 * num_distinct_ + kLooseIds) {
      ids_ = ParentIdSet(std::move(ids_)).ids();
      num_distinct_ = ids_.size();
    }
    ids_.push_back(id);
  }
  int64_t size_bytes() const { return static_cast<int64_t>(ids_.capacity() * sizeof(uint32_t)); }
  ParentIdSet Finish() { return ParentIdSet(std::move(ids_)); }

 private:
  std::vector<uint32_t> ids_;
  size_t num_distinct_ = 0;  ///< at the front, ascending
};

/// Reads an id column and charges it as long as the next one is not read.
class IdReader {
 public:
  explicit IdReader(const ReadContext& context) : context_(context), held_(context.budget) {}

  Result<IdColumn> Read(TableFile* file, int row_group, int leaf) {
    const int64_t size_bytes = file->num_rows(row_group) * static_cast<int64_t>(sizeof(uint32_t));
    held_.Set(0);
    if (!context_.budget->Fits(size_bytes) && context_.make_room) {
      context_.make_room();
    }
    held_.Set(size_bytes);
    return file->ReadIds(row_group, leaf);
  }

 private:
  const ReadContext& context_;
  Reservation held_;
};

/// The attribute ids that the root rows of a partition may refer to.
class References {
 public:
  References(otap::TableKind kind, const ReadContext& context)
      : struct_(kind == otap::TableKind::kResourceAttrs ? "resource" : "scope"),
        context_(context),
        reader_(context),
        held_(context.budget) {}

  /// Adds the rows of a root file.
  Status Add(const std::string& path, otap::TableKind root) {
    ARROW_ASSIGN_OR_RAISE(const auto file,
                          TableFile::Open(*context_.store, FullPath(context_.base, path), root,
                                          {.partition = context_.partition,
                                           .table = std::string(otap::GetTable(root).directory),
                                           .file = path}));
    IdRange own = kEmptyIdRange;
    IdRange nested = kEmptyIdRange;
    for (int group = 0; group < file->num_row_groups(); ++group) {
      ARROW_RETURN_NOT_OK(AddNested(file.get(), group, root, &nested));
      if (!file->has_partition_scope_ids()) {
        ARROW_ASSIGN_OR_RAISE(const IdColumn roots,
                              reader_.Read(file.get(), group, LeafIndex(root, "id")));
        Extend(&own, RangeOf(roots, 0, file->num_rows(group)));
      }
    }
    if (!file->has_partition_scope_ids() && nested.min <= nested.max) {
      const uint64_t last = uint64_t{own.max} + nested.max;
      shifted_.Add(own.min > own.max ? IdRange{0, UINT32_MAX}
                                     : IdRange{own.min, static_cast<uint32_t>(
                                                            std::min<uint64_t>(last, UINT32_MAX))});
    }
    return Status::OK();
  }

  void Finish() {
    keyed_set_ = keyed_.Finish();
    all_set_ = all_.Finish();
    held_.Set(
        static_cast<int64_t>((keyed_set_.ids().size() + all_set_.ids().size()) * sizeof(uint32_t)));
  }

  /// Tells whether some root row may refer to attribute rows of a file with the key or without it.
  bool Has(uint32_t parent, bool has_key) const {
    return (has_key ? all_set_ : keyed_set_).Has(parent) ||
           (!has_key && shifted_.Overlaps({parent, parent}));
  }

 private:
  Status AddNested(TableFile* file, int group, otap::TableKind root, IdRange* nested) {
    ARROW_ASSIGN_OR_RAISE(const IdColumn ids,
                          reader_.Read(file, group, LeafIndex(root, struct_, "id")));
    Extend(nested, RangeOf(ids, 0, file->num_rows(group)));
    for (int64_t row = 0; row < file->num_rows(group); ++row) {
      if (ids.is_valid(row)) {
        const uint32_t id = ids.values[static_cast<size_t>(row)];
        all_.Add(id);
        if (file->has_partition_scope_ids()) {
          keyed_.Add(id);
        }
      }
    }
    held_.Set(all_.size_bytes() + keyed_.size_bytes());
    return Status::OK();
  }

  std::string_view struct_;
  const ReadContext& context_;
  IdReader reader_;
  Reservation held_;
  IdCollector keyed_;
  IdCollector all_;
  ParentIdSet keyed_set_;  ///< nested ids of root files with the key
  ParentIdSet all_set_;    ///< of all: files that lost it join as stored too
  IdRanges shifted_;       ///< of files without it: every sum of an id and a nested one
};

/// Adds the root files of a signal that nobody listed.
Status AddUnlisted(otap::TableKind root, const ReadContext& context, References* references) {
  const std::string table(otap::GetTable(root).directory);
  std::string directory = FullPath(context.base, table);
  directory += context.partition.empty() ? "" : "/" + context.partition;
  ARROW_ASSIGN_OR_RAISE(const auto found, context.store->ListFiles(directory));
  for (const std::string& path : found) {
    const size_t in_base = FullPath(context.base, "").size();
    if (path.ends_with(".parquet") && path.size() > in_base) {
      ARROW_RETURN_NOT_OK(references->Add(path.substr(in_base), root));
    }
  }
  return Status::OK();
}

}  // namespace

Result<UnreferredAttributes> FindUnreferredAttributes(const PartitionFiles& files,
                                                      otap::TableKind kind,
                                                      std::span<const otap::Signal> listed,
                                                      const ReadContext& context) {
  References references(kind, context);
  for (const otap::Signal signal : otap::kAllSignals) {
    const otap::TableKind root = otap::RootTable(signal);
    const Location location{.partition = context.partition,
                            .table = std::string(otap::GetTable(root).directory),
                            .file = ""};
    if (std::find(listed.begin(), listed.end(), signal) == listed.end()) {
      ARROW_RETURN_NOT_OK(AddUnlisted(root, context, &references));
      continue;
    }
    if (files.has_unreadable[otap::TableIndex(root)]) {
      return MakeError(ErrorKind::kIo, "a file of the table could not be read", location);
    }
    for (const FileSummaryPtr& file : files.of(root)) {
      ARROW_RETURN_NOT_OK(references.Add(file->entry.path, root));
    }
  }
  references.Finish();

  UnreferredAttributes unreferred;
  IdReader reader(context);
  const Location location{.partition = context.partition,
                          .table = std::string(otap::GetTable(kind).directory),
                          .file = ""};
  for (const FileSummaryPtr& summary : files.of(kind)) {
    auto opened = OpenSummarised(*context.store, context.base, *summary, location);
    for (int group = 0; opened.ok() && group < (**opened).num_row_groups(); ++group) {
      // What cannot be read is reported by the cursor of the table.
      const auto parents = reader.Read(opened->get(), group, LeafIndex(kind, "parent_id"));
      for (int64_t row = 0; parents.ok() && row < (**opened).num_rows(group); ++row) {
        const uint32_t parent = parents->values[static_cast<size_t>(row)];
        if (parents->is_valid(row) && !references.Has(parent, summary->has_partition_scope_ids)) {
          ++unreferred.num_rows;
          Extend(&unreferred.parents, parent);
        }
      }
    }
  }
  return unreferred;
}

Result<bool> HasNestedIds(const FileSummary& file, std::string_view name,
                          const ReadContext& context) {
  ARROW_ASSIGN_OR_RAISE(const auto opened,
                        OpenSummarised(*context.store, context.base, file,
                                       {.partition = context.partition,
                                        .table = std::string(otap::GetTable(file.kind).directory),
                                        .file = file.entry.path}));
  for (int group = 0; group < opened->num_row_groups(); ++group) {
    ARROW_ASSIGN_OR_RAISE(const IdColumn ids,
                          opened->ReadIds(group, LeafIndex(file.kind, name, "id")));
    for (int64_t row = 0; row < opened->num_rows(group); ++row) {
      if (ids.is_valid(row)) {
        return true;
      }
    }
  }
  return false;
}

Status DescribeLostIds(otap::TableKind kind, std::string_view where,
                       const UnreferredAttributes& unreferred, const Location& first) {
  return MakeError(
      ErrorKind::kReconstruction,
      fmt::format("column {}: found no value{}, and {} rows of {} ({}) that no row refers to: rows "
                  "go out without attributes that may be theirs",
                  kind == otap::TableKind::kResourceAttrs ? "resource.id" : "scope.id", where,
                  unreferred.num_rows, otap::GetTable(kind).directory, ToText(unreferred.parents)),
      first);
}

}  // namespace df::lake
