#include "lake/partition_reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"
#include "lake/assemble.h"
#include "lake/id_map.h"
#include "lake/nested_ids.h"
#include "lake/root_cursor.h"
#include "lake/table_cursor.h"
#include "otap/validate.h"

namespace df::lake {
namespace {

/// A slice aims at this share of the memory limit: a partition holds one of the root and one or two
/// of each child table.
constexpr int64_t kSlicesInBudget = 48;

/// Reads the children of one signal level by level.
class PartitionReaderImpl final : public PartitionReader {
 public:
  PartitionReaderImpl(arrow::fs::FileSystem* file_system, std::string base, PartitionTask task,
                      const ReadOptions& options, MemoryBudget* budget, ReadReport* report)
      : task_(std::move(task)), options_(options), root_(otap::RootTable(task_.signal)) {
    context_.file_system = file_system;
    context_.base = std::move(base);
    context_.partition = task_.files->partition;
    context_.budget = budget;
    context_.report = report;
    context_.is_partial = task_.is_partial;
    context_.slice_bytes =
        std::clamp<int64_t>(budget->limit_bytes() / kSlicesInBudget, 64_KiB, 8_MiB);
    context_.make_room = [this] { MakeRoom(); };
    roots_ = std::make_unique<RootCursor>(task_, options_, &context_);
    for (const otap::TableInfo& table : otap::AllTables()) {
      const bool is_nested = table.kind == otap::TableKind::kResourceAttrs ||
                             table.kind == otap::TableKind::kScopeAttrs;
      if (table.has_signal(task_.signal) && (is_nested || table.parent.has_value()) &&
          !task_.files->of(table.kind).empty()) {
        cursors_[otap::TableIndex(table.kind)] = std::make_unique<TableCursor>(
            table.kind, task_.files->of(table.kind), &context_, is_nested);
      }
    }
  }

  ~PartitionReaderImpl() override {
    // Left in the middle: children that were read and not asked for are no orphans.
    context_.is_partial = context_.is_partial || !is_finished_;
  }

  Result<std::optional<Payload>> Next() override {
    ARROW_ASSIGN_OR_RAISE(const std::optional<RootRows> rows, roots_->Next());
    if (!rows.has_value()) {
      Finish();
      return std::nullopt;
    }
    ARROW_ASSIGN_OR_RAISE(Payload payload, Assemble(*rows));
    ReleaseUnneeded();
    return payload;
  }

  const std::vector<RootOutcome>& outcomes() const override { return roots_->outcomes(); }

 private:
  TableCursor* cursor(otap::TableKind kind) { return cursors_[otap::TableIndex(kind)].get(); }
  TableCounts& counts(otap::TableKind kind) { return context_.report->table(kind); }

  Result<Payload> Assemble(const RootRows& rows) {
    otap::BatchBuilder builder(task_.signal);
    ARROW_ASSIGN_OR_RAISE(const NestedIds nested, NestedIds::Make(rows, root_));
    context_.report->rows_without_resource += nested.num_ambiguous_rows();
    ambiguous_rows_ += nested.num_ambiguous_rows();
    if (TableCursor* resources = cursor(otap::TableKind::kResourceAttrs); resources != nullptr) {
      ARROW_ASSIGN_OR_RAISE(const ChildRows children, nested.CollectResources(resources));
      ARROW_RETURN_NOT_OK(AddTable(&builder, otap::TableKind::kResourceAttrs, children, nullptr));
    }
    if (TableCursor* scopes = cursor(otap::TableKind::kScopeAttrs); scopes != nullptr) {
      ARROW_ASSIGN_OR_RAISE(const ChildRows children, nested.CollectScopes(scopes));
      ARROW_RETURN_NOT_OK(AddTable(&builder, otap::TableKind::kScopeAttrs, children, nullptr));
    }
    ARROW_RETURN_NOT_OK(AddRoot(&builder, rows, nested));
    ARROW_RETURN_NOT_OK(AddChildren(&builder));

    Payload payload;
    payload.batch = builder.Build();
    payload.origin = {.partition = context_.partition,
                      .file = rows.file->entry.path,
                      .row_group = rows.row_group,
                      .first_row = rows.first_row_of_group,
                      .num_rows = rows.num_rows};
    ++context_.report->payloads;
    context_.report->items += payload.batch->num_items();
    if (options_.validate_relations) {
      context_.report->AddUnlessOk(
          WithContext(otap::Validate(*payload.batch), ErrorKind::kReconstruction,
                      {.partition = context_.partition,
                       .table = std::string(otap::GetTable(root_).directory),
                       .file = rows.file->entry.path,
                       .row_group = rows.row_group}));
    }
    return payload;
  }

  Status AddRoot(otap::BatchBuilder* builder, const RootRows& rows, const NestedIds& nested) {
    const IdColumn& ids = *rows.ids;
    const int64_t first = rows.first_row_of_group;
    IdMap map = IdMap::Make(ids.values.data() + first, rows.num_rows,
                            [&](int64_t row) { return ids.is_valid(first + row); });
    counts(root_).duplicate_ids += map.num_duplicates();
    if (map.num_duplicates() > 0) {
      context_.report->Add(MakeError(
          ErrorKind::kReconstruction,
          fmt::format("{} rows repeat the id of an earlier row and go out without children",
                      map.num_duplicates()),
          {.partition = context_.partition,
           .table = std::string(otap::GetTable(root_).directory),
           .file = rows.file->entry.path,
           .row_group = rows.row_group}));
    }
    NewIds new_ids;
    std::vector<int32_t> by_row = map.by_row();
    if (otap::FindColumn(otap::GetTable(root_).columns, "id")->required) {
      // The model wants an id in every row: rows without one get a free one.
      auto next = static_cast<int32_t>(map.num_ids());
      for (int32_t& id : by_row) {
        id = id < 0 ? next++ : id;
      }
    }
    ARROW_ASSIGN_OR_RAISE(new_ids.id, MakeIdArray(std::span<const int32_t>(by_row), 16));
    new_ids.resource_id = nested.resource_ids();
    new_ids.scope_id = nested.scope_ids();
    const Piece piece{
        .slice = rows.slice, .offset = rows.offset, .length = rows.num_rows, .selection = nullptr};
    ARROW_ASSIGN_OR_RAISE(auto table, AssembleTable(root_, std::span(&piece, 1), new_ids));
    counts(root_).rows_emitted += rows.num_rows;
    maps_[otap::TableIndex(root_)] = std::move(map);
    return builder->Set(root_, std::move(table));
  }

  /// Walks the tables below the root; a parent always stands before its children in the registry.
  Status AddChildren(otap::BatchBuilder* builder) {
    for (const otap::TableInfo& table : otap::AllTables()) {
      TableCursor* children = cursor(table.kind);
      if (children == nullptr || !table.parent.has_value()) {
        continue;
      }
      ARROW_ASSIGN_OR_RAISE(const ChildRows rows,
                            children->Collect(maps_[otap::TableIndex(*table.parent)]));
      IdMap* map = table.id_bits == 0 ? nullptr : &maps_[otap::TableIndex(table.kind)];
      ARROW_RETURN_NOT_OK(AddTable(builder, table.kind, rows, map));
      if (table.kind == otap::TableKind::kLogAttrs && options_.validate_relations) {
        CountLogsWithoutAttributes(rows);
      }
    }
    return Status::OK();
  }

  /// Exporters number only the logs that have attributes: a number that no attribute row points to
  /// tells of a missing or unreadable file.
  void CountLogsWithoutAttributes(const ChildRows& rows) {
    const IdMap& logs = maps_[otap::TableIndex(root_)];
    std::vector<bool> has_attributes(static_cast<size_t>(logs.num_ids()), false);
    for (const uint32_t parent : rows.parents) {
      has_attributes[parent] = true;
    }
    logs_without_attributes_ += std::count(has_attributes.begin(), has_attributes.end(), false);
  }

  Status AddTable(otap::BatchBuilder* builder, otap::TableKind kind, const ChildRows& rows,
                  IdMap* map) {
    const otap::TableInfo& table = otap::GetTable(kind);
    NewIds new_ids;
    if (map != nullptr) {
      *map = MakeChildMap(kind, rows);
      ARROW_ASSIGN_OR_RAISE(new_ids.id,
                            MakeIdArray(std::span<const int32_t>(map->by_row()), table.id_bits));
    }
    if (rows.num_rows() == 0) {
      return Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(new_ids.parent_id, MakeIdArray(std::span<const uint32_t>(rows.parents),
                                                         table.parent_id_bits));
    ARROW_ASSIGN_OR_RAISE(auto batch, AssembleTable(kind, rows.pieces, new_ids));
    return builder->Set(kind, std::move(batch));
  }

  IdMap MakeChildMap(otap::TableKind kind, const ChildRows& rows) {
    auto is_valid = [&](int64_t row) { return rows.id_is_valid[static_cast<size_t>(row)] != 0; };
    // Exporters fill a missing id column with zeros: such rows have no children.
    const bool is_filled = rows.num_rows() > 1 && std::all_of(rows.ids.begin(), rows.ids.end(),
                                                              [](uint32_t id) { return id == 0; });
    if (is_filled) {
      return IdMap::Make(rows.ids.data(), rows.num_rows(), [](int64_t) { return false; });
    }
    IdMap map = IdMap::Make(rows.ids.data(), rows.num_rows(), is_valid);
    if (map.num_duplicates() > 0) {
      counts(kind).duplicate_ids += map.num_duplicates();
      context_.report->Add(MakeError(
          ErrorKind::kReconstruction,
          fmt::format("{} rows repeat the id of an earlier row and go out without children",
                      map.num_duplicates()),
          {.partition = context_.partition,
           .table = std::string(otap::GetTable(kind).directory),
           .file = ""}));
    }
    return map;
  }

  /// Frees what no unread row can refer to, from the root down.
  void ReleaseUnneeded() {
    const uint32_t min_resource = roots_->MinUnreadResource();
    for (const otap::TableInfo& table : otap::AllTables()) {
      TableCursor* children = cursor(table.kind);
      if (children == nullptr) {
        continue;
      }
      if (!table.parent.has_value()) {
        children->ReleaseBefore(min_resource);
      } else if (*table.parent == root_) {
        children->ReleaseBefore(roots_->MinUnreadId());
      } else {
        TableCursor* parents = cursor(*table.parent);
        children->ReleaseBefore(parents == nullptr ? std::numeric_limits<uint32_t>::max()
                                                   : parents->MinUnreadId());
      }
    }
  }

  void MakeRoom() {
    for (auto& table : cursors_) {
      if (table != nullptr) {
        table->Evict();
      }
    }
  }

  void Finish() {
    if (is_finished_) {
      return;
    }
    is_finished_ = true;
    if (ambiguous_rows_ > 0) {
      context_.report->Add(MakeError(ErrorKind::kReconstruction,
                                     fmt::format("{} rows go out without resource and scope "
                                                 "attributes: which are theirs cannot be told",
                                                 ambiguous_rows_),
                                     {.partition = context_.partition,
                                      .table = std::string(otap::GetTable(root_).directory),
                                      .file = ""}));
    }
    if (logs_without_attributes_ > 0) {
      context_.report->Add(
          MakeError(ErrorKind::kMissingFile,
                    fmt::format("{} log records have an id but no attributes: a file of log_attrs "
                                "is missing or unreadable",
                                logs_without_attributes_),
                    {.partition = context_.partition, .table = "log_attrs", .file = ""}));
    }
    for (auto& table : cursors_) {
      if (table != nullptr) {
        table->Finish(roots_->read_ranges());
        table = nullptr;
      }
    }
    context_.report->peak_bytes =
        std::max(context_.report->peak_bytes, context_.budget->peak_bytes());
  }

  PartitionTask task_;
  ReadOptions options_;
  otap::TableKind root_;
  ReadContext context_;
  std::unique_ptr<RootCursor> roots_;
  std::array<std::unique_ptr<TableCursor>, otap::kTableCount> cursors_;
  std::array<IdMap, otap::kTableCount> maps_;
  int64_t ambiguous_rows_ = 0;
  int64_t logs_without_attributes_ = 0;
  bool is_finished_ = false;
};

}  // namespace

Result<std::unique_ptr<PartitionReader>> PartitionReader::Make(arrow::fs::FileSystem* file_system,
                                                               std::string base, PartitionTask task,
                                                               const ReadOptions& options,
                                                               MemoryBudget* budget,
                                                               ReadReport* report) {
  return std::make_unique<PartitionReaderImpl>(file_system, std::move(base), std::move(task),
                                               options, budget, report);
}

}  // namespace df::lake
