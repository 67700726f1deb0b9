#include "otap/concat.h"

#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "otap/column_concat.h"
#include "otap/id_remap.h"

namespace df::otap {
namespace {

using TablePtr = std::shared_ptr<arrow::RecordBatch>;
using ArrayPtr = std::shared_ptr<arrow::Array>;

/// Finds for the ids of one kind in every batch where they go. Null stands for a batch without.
std::vector<IdRemap> PlanRemaps(const std::vector<ArrayPtr>& ids, int bits) {
  const uint64_t limit = uint64_t{1} << bits;
  std::vector<IdRemap> remaps(ids.size());
  uint64_t next = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] != nullptr && ids[i]->null_count() != ids[i]->length()) {
      remaps[i] = IdRemap::Shift(static_cast<uint32_t>(next));
      next += uint64_t{LargestId(*ids[i])} + 1;
    }
  }
  if (next <= limit) {
    return remaps;
  }
  next = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] != nullptr) {
      remaps[i] = IdRemap::Renumber(*ids[i], static_cast<uint32_t>(next));
      next += NumberIds(*ids[i]).size();
    }
  }
  return remaps;
}

/// The tables of one batch on their way to the joint numbers.
using Tables = std::array<TablePtr, kTableCount>;

class Joiner {
 public:
  explicit Joiner(std::span<const BatchPtr> batches) : signal_(batches.front()->signal()) {
    for (const BatchPtr& batch : batches) {
      Tables& tables = batches_.emplace_back();
      for (const TableInfo& info : AllTables()) {
        tables[TableIndex(info.kind)] = batch->table(info.kind);
      }
    }
  }

  Status RemapIds() {
    for (const TableInfo& info : AllTables()) {
      if (info.id_bits == 0 || !info.has_signal(signal_)) {
        continue;
      }
      std::vector<ArrayPtr> ids;
      for (const Tables& tables : batches_) {
        ids.push_back(FindArray(tables[TableIndex(info.kind)], "id"));
      }
      const std::vector<IdRemap> remaps = PlanRemaps(ids, info.id_bits);
      for (size_t i = 0; i < batches_.size(); ++i) {
        ARROW_RETURN_NOT_OK(RemapColumn(&batches_[i], info, "id", info.id_bits, remaps[i]));
        for (const TableInfo& child : AllTables()) {
          if (child.parent == info.kind) {
            ARROW_RETURN_NOT_OK(
                RemapColumn(&batches_[i], child, "parent_id", child.parent_id_bits, remaps[i]));
          }
        }
      }
    }
    return Status::OK();
  }

  Status RemapGroups() {
    const TableKind root = RootTable(signal_);
    for (const GroupTable& group : kGroupTables) {
      std::vector<ArrayPtr> ids;
      // As they are stored, so that no attribute loses the row that stands for it.
      for (const Tables& tables : batches_) {
        ids.push_back(StoredGroupIds(tables[TableIndex(root)], group.group));
      }
      const TableInfo& attributes = GetTable(group.attributes);
      const std::vector<IdRemap> remaps = PlanRemaps(ids, attributes.parent_id_bits);
      for (size_t i = 0; i < batches_.size(); ++i) {
        if (ids[i] == nullptr || remaps[i].is_identity()) {
          continue;
        }
        ARROW_ASSIGN_OR_RAISE(ArrayPtr remapped,
                              remaps[i].Apply(ids[i], attributes.parent_id_bits));
        TablePtr& table = batches_[i][TableIndex(root)];
        ARROW_ASSIGN_OR_RAISE(table,
                              WithGroupIds(root, table, group.group, std::move(remapped), false));
        ARROW_RETURN_NOT_OK(RemapColumn(&batches_[i], attributes, "parent_id",
                                        attributes.parent_id_bits, remaps[i]));
      }
    }
    return Status::OK();
  }

  Result<BatchPtr> Join() const {
    BatchBuilder builder(signal_);
    for (const TableInfo& info : AllTables()) {
      std::vector<TablePtr> parts;
      for (const Tables& tables : batches_) {
        if (tables[TableIndex(info.kind)] != nullptr) {
          parts.push_back(tables[TableIndex(info.kind)]);
        }
      }
      if (!parts.empty()) {
        ARROW_ASSIGN_OR_RAISE(TablePtr table, ConcatTables(info.kind, parts));
        ARROW_RETURN_NOT_OK(builder.Set(info.kind, std::move(table)));
      }
    }
    return builder.Build();
  }

 private:
  static Status RemapColumn(Tables* tables, const TableInfo& info, std::string_view name, int bits,
                            const IdRemap& remap) {
    TablePtr& table = (*tables)[TableIndex(info.kind)];
    const ArrayPtr ids = FindArray(table, name);
    if (ids == nullptr || remap.is_identity()) {
      return Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(ArrayPtr remapped, remap.Apply(ids, bits));
    ARROW_ASSIGN_OR_RAISE(table, WithColumn(info.kind, table, name, std::move(remapped)));
    return Status::OK();
  }

  Signal signal_;
  std::vector<Tables> batches_;
};

}  // namespace

size_t CountFitting(std::span<const BatchPtr> batches) {
  int64_t rows = 0;
  size_t count = 0;
  for (const BatchPtr& batch : batches) {
    rows += batch->num_root_rows();
    if (rows > kMaxRootRows && count > 0) {
      break;
    }
    ++count;
  }
  return count;
}

arrow::Result<BatchPtr> Concat(std::span<const BatchPtr> batches) {
  if (batches.empty()) {
    return Status::Invalid("found no batch, expected at least one");
  }
  for (const BatchPtr& batch : batches) {
    if (batch->signal() != batches.front()->signal()) {
      return Status::Invalid(fmt::format("found batches of {} and of {}, expected one signal",
                                         Name(batches.front()->signal()), Name(batch->signal())));
    }
  }
  if (const size_t fitting = CountFitting(batches); fitting != batches.size()) {
    return Status::Invalid(
        fmt::format("the first {} of {} batches fit into one of at most {} root rows", fitting,
                    batches.size(), kMaxRootRows));
  }
  if (batches.size() == 1) {
    return batches.front();
  }
  Joiner joiner(batches);
  ARROW_RETURN_NOT_OK(joiner.RemapIds());
  ARROW_RETURN_NOT_OK(joiner.RemapGroups());
  return joiner.Join();
}

}  // namespace df::otap
