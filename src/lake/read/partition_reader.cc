#include "lake/read/partition_reader.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"
#include "lake/catalog/readiness.h"
#include "lake/format/parquet_exceptions.h"
#include "lake/read/ambiguous_rows.h"
#include "lake/read/assemble.h"
#include "lake/read/duplicate_ids.h"
#include "lake/read/expected_children.h"
#include "lake/read/lost_nested_ids.h"
#include "lake/read/misplaced_points.h"
#include "lake/read/nested_ids.h"
#include "lake/read/payload_selection.h"
#include "lake/read/prefetch_task.h"
#include "lake/read/root_cursor.h"
#include "lake/read/set_reader.h"
#include "lake/read/set_tasks.h"
#include "lake/read/time_cut.h"
#include "lake/read/told_ids.h"
#include "lake/scan/id_map.h"
#include "lake/scan/prefetcher.h"
#include "lake/scan/rows_given_twice.h"
#include "lake/scan/table_cursor.h"
#include "otap/validate.h"
#include "select/selector.h"

namespace df::lake {
namespace {

/// A slice aims at this share of the memory limit: a partition holds one of the root and one or two
/// of each child table.
constexpr int64_t kSlicesInBudget = 48;

/// Values, dictionaries and the children of a record may take these shares of the memory limit,
/// even where many readers share it: what is read must not depend on the number of cores.
constexpr int64_t kValuesInLimit = 3;
constexpr int64_t kRecordsInLimit = 2;
constexpr int64_t kLeastRecordBytes = 8_MiB;

/// Larger pages than this share of what a reader may hold are read in pieces.
constexpr int64_t kPagesInBudget = 16;

/// So much is held by open row groups before idle ones are closed, whatever the limit: a few of
/// each table are read in turns.
constexpr int64_t kLeastStreamBytes = 64_MiB;

/// Reads the children of one signal level by level.
class PartitionReaderImpl final : public PartitionReader {
 public:
  PartitionReaderImpl(storage::Store* store, std::string base, PartitionTask task,
                      const ReadOptions& options, MemoryBudget* budget, ReadReport* report,
                      TableAssembler assemble)
      : task_(std::move(task)),
        options_(options),
        root_(otap::RootTable(task_.signal)),
        assemble_(std::move(assemble)),
        context_{.store = store,
                 .base = std::move(base),
                 .partition = task_.files->partition,
                 .budget = budget,
                 .report = report,
                 .slice_bytes = 0,
                 .is_partial = task_.is_partial,
                 .make_room = nullptr},
        told_ids_(*task_.files, root_, &context_),
        ambiguous_rows_(root_),
        expected_(root_),
        selection_(options_.selector, task_.signal),
        time_cut_(options_.payload_span) {
    context_.slice_bytes =
        std::clamp<int64_t>(budget->limit_bytes() / kSlicesInBudget, 64_KiB, 8_MiB);
    context_.is_selecting =
        selection_.is_selecting() && (options_.selector->CanScreen(task_.signal) ||
                                      !options_.selector->NeedsOf(task_.signal).empty() ||
                                      !options_.selector->wishes().time.is_everything());
    if (context_.is_selecting && task_.signal == otap::Signal::kMetrics) {
      context_.needs_points = [this](const EventTimeRange& times) {
        return options_.selector->wishes().time.MayHave(times.least, times.most);
      };
    }
    context_.make_room = [this] { MakeRoom(); };
    const int64_t limit_bytes = budget->limit_bytes();
    context_.limits = {
        .pages = {.piece_bytes = std::max<int64_t>(limit_bytes / kPagesInBudget, 4_MiB),
                  .page_bytes =
                      std::max<int64_t>(options.memory_limit_bytes / kValuesInLimit, 4_MiB)},
        .slice_bytes = context_.slice_bytes * 4};
    context_.close_idle = [this] { CloseIdle(); };
    context_.max_stream_bytes = std::max(limit_bytes, kLeastStreamBytes);
    context_.max_charged_bytes = limit_bytes / 2;
    max_record_bytes_ =
        std::max<int64_t>(options.memory_limit_bytes / kRecordsInLimit, kLeastRecordBytes);
    max_held_bytes_ = std::max(limit_bytes * 2, options.memory_limit_bytes / 4);
    prefetcher_ = PrefetchTask(task_, context_);
    context_.prefetcher = prefetcher_.get();
    roots_ = std::make_unique<RootCursor>(task_, options_, &context_);
    expected_.UseFiles(*task_.files);
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

  Result<std::optional<Payload>> Next() override {
    while (true) {
      Result<std::optional<RootRows>> rows = roots_->Next();
      if (!rows.ok()) {
        roots_->DropRest(DropReason::kRefused);
        Finish();
        return rows.status();
      }
      if (!rows->has_value()) {
        Finish();
        return std::nullopt;
      }
      if (!selection_.MayWant(**rows, assemble_)) {
        Payload nothing{.batch = nullptr, .origin = OriginOf(**rows)};
        nothing.origin.num_selected_out = nothing.origin.num_rows;
        roots_->LeaveOut(**rows, nothing.origin);
        ++context_.report->payloads_skipped;
        ReleaseUnneeded();
        return nothing;
      }
      Result<Payload> payload = AssembleWithinLimit(&**rows);
      if (payload.ok()) {
        Status status = misplaced_.Take(&*payload);
        status = status.ok() ? selection_.Take(&*payload) : status;
        if (!status.ok()) {
          payload = status;
        }
      }
      if (payload.ok()) {
        Commit(**rows, *payload);
        ReleaseUnneeded();
        return payload;
      }
      if (is_forbidden_) {  // the rest of the partition is
        roots_->Drop(**rows, DropReason::kRefused, payload.status());
        roots_->DropRest(DropReason::kRefused);
        Finish();
        return payload.status();
      }
      Drop(**rows, payload.status());
      ReleaseUnneeded();
    }
  }

  const std::vector<RootOutcome>& outcomes() const override { return roots_->outcomes(); }

  void Limit(int64_t batch_size, std::optional<PayloadSpan> span) override {
    roots_->Limit(batch_size);
    time_cut_.Limit(span);
  }

 private:
  TableCursor* cursor(otap::TableKind kind) { return cursors_[otap::TableIndex(kind)].get(); }
  TableCounts& counts(otap::TableKind kind) { return context_.report->table(kind); }

  Location LocationOf(const RootRows& rows) const {
    return {.partition = context_.partition,
            .table = std::string(otap::GetTable(root_).directory),
            .file = rows.file->entry.path,
            .row_group = rows.row_group};
  }

  /// Takes fewer rows where their children do not fit; a single row that has too many is an error.
  Result<Payload> AssembleWithinLimit(RootRows* rows) {
    roots_->Shorten(rows, std::min(rows->num_rows, most_rows_));
    while (true) {
      const bool is_single = rows->num_rows == 1;
      context_.max_payload_bytes =
          is_single ? max_record_bytes_ : context_.budget->limit_bytes() / 2;
      context_.payload_bytes = 0;
      context_.is_payload_too_large = false;
      Result<Payload> payload = CatchParquet({}, [&] { return Assemble(*rows); });
      context_.budget->Release(std::exchange(context_.copied_bytes, 0));
      const int64_t num_within = RowsWithinTime(*rows, payload);
      if ((!context_.is_payload_too_large && num_within == rows->num_rows) || is_single) {
        most_rows_ = std::max(most_rows_, rows->num_rows + rows->num_rows / 4 + 1);
        told_ids_.Commit();
        lost_ids_.Commit();
        duplicates_.Commit(context_.report);
        for (const auto& [kind, rows_of] : built_) {
          if (payload.ok()) {
            given_twice_.try_emplace(kind, kind).first->second.Add(rows_of);
          }
        }
        built_.clear();
        return payload;
      }
      built_.clear();
      told_ids_.Rollback();
      duplicates_.Rollback();
      lost_ids_.Rollback();
      is_forbidden_ = false;
      for (auto& table : cursors_) {
        if (table != nullptr) {
          table->Rollback();
        }
      }
      most_rows_ = context_.is_payload_too_large ? rows->num_rows / 2 : num_within;
      roots_->Shorten(rows, most_rows_);
    }
  }

  int64_t RowsWithinTime(const RootRows& rows, const Result<Payload>& payload) {
    const bool is_cut = time_cut_.cuts() && payload.ok() && !context_.is_payload_too_large;
    return is_cut ? time_cut_.RowsWithin(*payload->batch) : rows.num_rows;
  }

  /// After an error the rows of every table are collected all the same: they are lost with their
  /// root rows, and would pass for orphans later on.
  Result<Payload> Assemble(const RootRows& rows) {
    otap::BatchBuilder builder(task_.signal);
    Status status;
    auto note = [&status](const Status& error) { status = status.ok() ? error : status; };
    auto nested = NestedIds::Make(rows, root_);
    note(nested.status());
    num_ambiguous_rows_ = nested.ok() ? nested->num_ambiguous_rows() : 0;
    if (num_ambiguous_rows_ > 0 && options_.resource_join == ResourceJoin::kFail) {
      is_forbidden_ = true;
      note(MakeError(ErrorKind::kReconstruction,
                     fmt::format("resource_join is 'fail' and the resources or scopes of {} rows "
                                 "are ambiguous",
                                 num_ambiguous_rows_),
                     {.partition = context_.partition,
                      .table = std::string(otap::GetTable(root_).directory),
                      .file = rows.file->entry.path,
                      .row_group = rows.row_group}));
    }
    if (nested.ok()) {
      lost_ids_.Note(rows, *nested);
      note(AddGroups(&builder, *nested));
    }
    AddIds(rows);
    if (status.ok()) {
      note(AddRoot(&builder, rows, *nested));
    }
    AddChildren(&builder, rows, &status);
    if (context_.is_payload_too_large) {
      note(MakeError(ErrorKind::kReconstruction,
                     fmt::format("found children of more than {} bytes, expected at most so many "
                                 "of one record (a share of memory_limit)",
                                 context_.max_payload_bytes)));
    }
    ARROW_RETURN_NOT_OK(status);

    Payload payload;
    payload.batch = builder.Build();
    payload.origin = OriginOf(rows);
    return payload;
  }

  Origin OriginOf(const RootRows& rows) const {
    return {.partition = context_.partition,
            .file = rows.file->entry.path,
            .row_group = rows.row_group,
            .first_row = rows.first_row_of_group,
            .num_rows = rows.num_rows};
  }

  void Commit(const RootRows& rows, const Payload& payload) {
    if (payload.batch == nullptr) {
      roots_->LeaveOut(rows, payload.origin);
    } else {
      roots_->Commit(rows, payload.origin);
    }
    for (auto& table : cursors_) {
      if (table != nullptr) {
        table->Commit();
      }
    }
    misplaced_.Commit(context_.report);
    selection_.Commit(context_.report);
    expected_.Commit();
    time_cut_.Commit();
    if (payload.batch == nullptr) {
      if (selection_.ReadsGroupAttributes()) {
        ambiguous_rows_.AddLeftOut(num_ambiguous_rows_);
      }
      return;
    }
    ++context_.report->payloads;
    context_.report->items += payload.batch->num_items();
    context_.report->rows_without_resource += num_ambiguous_rows_;
    ambiguous_rows_.AddEmitted(num_ambiguous_rows_);
    if (options_.validate_relations) {
      context_.report->AddUnlessOk(WithContext(otap::Validate(*payload.batch),
                                               ErrorKind::kReconstruction, LocationOf(rows)));
    }
  }

  void Drop(const RootRows& rows, const Status& error) {
    const IdRange ids = IdsOf(rows);
    const std::string text =
        fmt::format("rows {} to {}{} cannot be put into a batch: {}", rows.first_row_of_group,
                    rows.first_row_of_group + rows.num_rows - 1,
                    ids.min > ids.max ? "" : fmt::format(" ({})", ToText(ids)), error.message());
    roots_->Drop(rows, DropReason::kUnreadable, MakeError(KindOf(error), text, LocationOf(rows)));
    for (auto& table : cursors_) {
      if (table != nullptr) {
        table->Drop(DropReason::kLostParent);
      }
    }
  }

  Status AddGroups(otap::BatchBuilder* builder, const NestedIds& nested) {
    for (const otap::TableKind kind :
         {otap::TableKind::kResourceAttrs, otap::TableKind::kScopeAttrs}) {
      TableCursor* groups = cursor(kind);
      if (groups == nullptr) {
        continue;
      }
      const bool is_resource = kind == otap::TableKind::kResourceAttrs;
      const auto collect = [&] {
        return is_resource ? nested.CollectResources(groups) : nested.CollectScopes(groups);
      };
      const auto refer = [&](const ChildRows& rows) {
        return is_resource ? nested.ResourceReferences(rows) : nested.ScopeReferences(rows);
      };
      ARROW_ASSIGN_OR_RAISE(ChildRows rows, collect());
      std::vector<AttributeReference> references = refer(rows);
      // Statistics are no proof that a resource has no attributes.
      if (!std::all_of(references.begin(), references.end(),
                       [](const AttributeReference& one) { return one.has_attributes; }) &&
          groups->CheckSkipped()) {
        groups->Rollback();
        ARROW_ASSIGN_OR_RAISE(rows, collect());
        references = refer(rows);
      }
      expected_.SetReferences(kind, std::move(references));
      ARROW_RETURN_NOT_OK(AddTable(builder, kind, std::move(rows)));
    }
    return Status::OK();
  }

  /// Learns the ids of the root rows.
  void AddIds(const RootRows& rows) {
    IdMap& map = maps_[otap::TableIndex(root_)];
    map = told_ids_.MapRoots(rows);
    duplicates_.Note(root_, map, LocationOf(rows));
    expected_.Begin(rows, map);
  }

  Status AddRoot(otap::BatchBuilder* builder, const RootRows& rows, const NestedIds& nested) {
    const IdMap& map = maps_[otap::TableIndex(root_)];
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
    ARROW_ASSIGN_OR_RAISE(auto table, assemble_(root_, std::span(&piece, 1), new_ids));
    return builder->Set(root_, std::move(table));
  }

  /// Walks the tables below the root; a parent always stands before its children in the registry.
  /// Nothing is built any more once `status` is an error.
  void AddChildren(otap::BatchBuilder* builder, const RootRows& root_rows, Status* status) {
    for (const otap::TableInfo& table : otap::AllTables()) {
      if (!table.parent.has_value() || !table.has_signal(task_.signal)) {
        continue;
      }
      const IdMap& parents = maps_[otap::TableIndex(*table.parent)];
      ChildRows rows = CollectChildren(table, parents);
      if (table.id_bits != 0) {
        const size_t index = otap::TableIndex(table.kind);
        maps_[index] = MakeChildMap(table.kind, rows, LocationOf(root_rows));
        old_ids_[index] = std::move(rows.ids);
        expected_.SetParents(table.kind, old_ids_[index], maps_[index]);
      }
      if (status->ok() && !context_.is_payload_too_large) {
        *status = AddTable(builder, table.kind, std::move(rows));
      }
    }
  }

  ChildRows CollectChildren(const otap::TableInfo& table, const IdMap& parents) {
    TableCursor* children = cursor(table.kind);
    ChildRows rows;
    if (children != nullptr) {
      rows = children->Collect(parents);
      if (children->has_left_out()) {
        return rows;  // whether all are there is not known
      }
    }
    if (expected_.Mark(table.kind, rows.parents) > 0 && children != nullptr) {
      children->LookBehindStatistics(parents, &rows);
      expected_.Mark(table.kind, rows.parents);
    }
    return rows;
  }

  Status AddTable(otap::BatchBuilder* builder, otap::TableKind kind, ChildRows rows) {
    if (rows.num_rows() == 0) {
      return Status::OK();
    }
    const otap::TableInfo& table = otap::GetTable(kind);
    NewIds new_ids;
    if (table.id_bits != 0) {
      const IdMap& map = maps_[otap::TableIndex(kind)];
      ARROW_ASSIGN_OR_RAISE(new_ids.id,
                            MakeIdArray(std::span<const int32_t>(map.by_row()), table.id_bits));
    }
    ARROW_ASSIGN_OR_RAISE(new_ids.parent_id, MakeIdArray(std::span<const uint32_t>(rows.parents),
                                                         table.parent_id_bits));
    ARROW_ASSIGN_OR_RAISE(auto batch, assemble_(kind, rows.pieces, new_ids));
    built_.emplace_back(kind, std::move(rows));
    return builder->Set(kind, std::move(batch));
  }

  IdMap MakeChildMap(otap::TableKind kind, const ChildRows& rows, Location location) {
    IdMap map = told_ids_.MapChildren(kind, rows);
    location = {.partition = location.partition,
                .table = std::string(otap::GetTable(kind).directory),
                .file = ""};
    duplicates_.Note(kind, map, location);
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
    // The ids of a row group that is closed are read again: only where they are much.
    if (context_.budget->used_bytes() > max_held_bytes_) {
      CloseIdle();
      for (auto& table : cursors_) {
        if (table != nullptr) {
          table->ParkIdle();
        }
      }
    }
  }

  void CloseIdle() {
    for (auto& table : cursors_) {
      if (table != nullptr) {
        table->CloseIdle();
      }
    }
  }

  void Finish() {
    if (is_finished_) {
      return;
    }
    is_finished_ = true;
    ambiguous_rows_.Name(context_.partition, context_.report);
    selection_.Name(context_.partition, context_.report);
    told_ids_.Name();
    for (const auto& [kind, rows] : given_twice_) {
      if (const Status status = rows.Describe(context_.partition, !selection_.is_selecting());
          !status.ok()) {
        context_.report->Add(status);
      }
    }
    CheckSets();
    FinishTables();
    lost_ids_.Name(task_, options_.signals, context_);
    context_.report->peak_bytes =
        std::max(context_.report->peak_bytes, context_.budget->peak_bytes());
  }

  /// Compares the sets of files of the root files with what is there.
  void CheckSets() {
    const SetCensus census(*task_.files);
    std::set<std::string_view> seen;
    for (const size_t index : task_.root_files) {
      const FileSummary& root = *task_.files->of(root_)[index];
      if (seen.insert(root.file_set).second) {
        CheckSet(root, *task_.files, census, context_.report);
      }
    }
  }

  /// Counts what is left in each table, a parent before its children.
  void FinishTables() {
    std::array<bool, otap::kTableCount> is_unreadable = task_.files->has_unreadable;
    for (const otap::TableInfo& table : otap::AllTables()) {
      TableCursor* children = cursor(table.kind);
      if (children == nullptr) {
        continue;
      }
      const otap::TableKind parent = table.parent.value_or(root_);
      const TableCursor* parents = parent == root_ ? nullptr : cursor(parent);
      ParentRows none{.kind = parent, .has_files = false, .read = {}, .lost = {}};
      if (task_.files->has_unreadable[otap::TableIndex(parent)]) {
        none.has_files = true;
        none.lost.AddEverything();
      }
      if (parent == root_) {
        children->Finish(roots_->rows());
      } else {
        children->Finish(parents == nullptr ? none : parents->rows());
      }
      bool& is_table_unreadable = is_unreadable[otap::TableIndex(table.kind)];
      is_table_unreadable = is_table_unreadable || children->has_failed();
    }
    expected_.Name(context_.partition, is_unreadable, context_.report);
    misplaced_.Name(context_.partition, context_.report);
    cursors_ = {};
  }

  PartitionTask task_;
  ReadOptions options_;
  otap::TableKind root_;
  TableAssembler assemble_;
  ReadContext context_;
  std::unique_ptr<Prefetcher> prefetcher_;
  std::unique_ptr<RootCursor> roots_;
  std::array<std::unique_ptr<TableCursor>, otap::kTableCount> cursors_;
  std::array<IdMap, otap::kTableCount> maps_;
  ToldIds told_ids_;
  std::map<otap::TableKind, RowsGivenTwice> given_twice_;
  std::vector<std::pair<otap::TableKind, ChildRows>> built_;      ///< of the payload in hand
  std::array<std::vector<uint32_t>, otap::kTableCount> old_ids_;  ///< of the payload in hand
  AmbiguousRows ambiguous_rows_;
  ExpectedChildren expected_;
  PayloadSelection selection_;
  TimeCut time_cut_;
  LostNestedIds lost_ids_;
  int64_t num_ambiguous_rows_ = 0;  ///< of the payload in hand
  int64_t max_held_bytes_ = 0;
  int64_t max_record_bytes_ = 0;
  int64_t most_rows_ = 65'535;  ///< of a payload, so that it fits
  DuplicateIds duplicates_;
  MisplacedPoints misplaced_;
  bool is_forbidden_ = false;  ///< resource_join is 'fail', and that has rows of this kind
  bool is_finished_ = false;
};

}  // namespace

Result<std::unique_ptr<PartitionReader>> PartitionReader::Make(
    storage::Store* store, std::string base, PartitionTask task, const ReadOptions& options,
    MemoryBudget* budget, ReadReport* report, TableAssembler assemble) {
  std::vector<PartitionTask> tasks = SplitBySets(store, base, std::move(task), report);
  auto open = [=](PartitionTask one) -> std::unique_ptr<PartitionReader> {
    // Rows that no wanted record asks for are not read, so what they point to is not known. Where
    // there is no root file they point nowhere.
    const bool has_roots = !one.files->of(otap::RootTable(one.signal)).empty();
    one.is_partial = one.is_partial || (has_roots && options.selector != nullptr &&
                                        !options.selector->TakesAll(one.signal));
    return std::make_unique<PartitionReaderImpl>(store, base, std::move(one), options, budget,
                                                 report, assemble);
  };
  if (tasks.size() == 1) {
    return open(std::move(tasks.front()));
  }
  return ReadOneByOne(std::move(tasks), std::move(open));
}

}  // namespace df::lake
