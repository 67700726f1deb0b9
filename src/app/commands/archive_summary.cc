#include "app/commands/archive_summary.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "app/commands/records.h"
#include "app/commands/time_windows.h"
#include "lake/catalog/file_summary.h"
#include "lake/format/leaf.h"
#include "lake/format/table_file.h"
#include "otap/any_value.h"
#include "select/selector.h"

namespace df::app {
namespace {

using otap::Signal;
using otap::TableKind;

void Widen(std::optional<lake::EventTimeRange>* range, const lake::EventTimeRange& other) {
  if (!range->has_value()) {
    *range = other;
    return;
  }
  (*range)->least = std::min((*range)->least, other.least);
  (*range)->most = std::max((*range)->most, other.most);
}

/// The signal whose items the rows of a table are, if they are any.
std::optional<Signal> SignalOfItems(TableKind table) {
  switch (table) {
    case TableKind::kLogs:
      return Signal::kLogs;
    case TableKind::kSpans:
      return Signal::kTraces;
    case TableKind::kNumberDataPoints:
    case TableKind::kSummaryDataPoints:
    case TableKind::kHistogramDataPoints:
    case TableKind::kExpHistogramDataPoints:
      return Signal::kMetrics;
    default:
      return std::nullopt;
  }
}

/// The only signal that a table is of; nothing for those that all signals share.
std::optional<Signal> OnlySignal(const otap::TableInfo& table) {
  std::optional<Signal> only;
  for (const Signal signal : otap::kAllSignals) {
    if (table.has_signal(signal)) {
      if (only.has_value()) {
        return std::nullopt;
      }
      only = signal;
    }
  }
  return only;
}

std::string WriterOf(const lake::FileSummary& file) {
  return !file.file_set.empty() ? "df_engine"
         : file.is_parquet_rs   ? "parquet-rs (upstream's exporter)"
                                : "another writer";
}

/// Adds up one archive.
class Summer {
 public:
  explicit Summer(const Archive& archive) : archive_(archive) {}

  ArchiveSummary Run() {
    for (const Signal signal : archive_.options().signals) {
      signals_[signal].signal = signal;
    }
    for (const lake::PartitionWork& work : archive_.partitions()) {
      AddPartition(*work.files);
    }
    for (auto& [signal, summary] : signals_) {
      if (summary.num_files > 0) {
        summary_.signals.push_back(summary);
      }
    }
    for (auto& [table, summary] : tables_) {
      summary_.tables.push_back(std::move(summary));
    }
    return std::move(summary_);
  }

 private:
  void AddPartition(const lake::PartitionFiles& files) {
    PartitionSummary partition{.partition = files.partition};
    std::set<Signal> present;
    for (const otap::TableInfo& table : otap::AllTables()) {
      for (const lake::FileSummaryPtr& file : files.of(table.kind)) {
        AddFile(table, *file, &partition);
        if (const auto only = OnlySignal(table); only.has_value() && signals_.contains(*only)) {
          present.insert(*only);
        }
      }
    }
    for (const Signal signal : present) {
      ++signals_[signal].num_partitions;
    }
    summary_.num_files += partition.num_files;
    summary_.num_bytes += partition.num_bytes;
    summary_.partitions.push_back(std::move(partition));
  }

  void AddFile(const otap::TableInfo& info, const lake::FileSummary& file,
               PartitionSummary* partition) {
    const int64_t num_rows = file.num_rows();
    partition->num_files += 1;
    partition->num_bytes += file.entry.size_bytes;
    TableSummary& table = tables_[otap::TableIndex(info.kind)];
    table.table = info.kind;
    table.num_rows += num_rows;
    table.num_files += 1;
    table.num_bytes += file.entry.size_bytes;
    table.num_row_groups += static_cast<int64_t>(file.row_groups.size());
    if (file.schema != nullptr) {
      ++table.schemas[file.schema->fingerprint];
    }
    if (info.is_root()) {
      ++summary_.writers[WriterOf(file)];
    }
    const auto only = OnlySignal(info);
    if (!only.has_value() || !signals_.contains(*only)) {
      return;
    }
    SignalSummary& signal = signals_[*only];
    signal.num_files += 1;
    signal.num_bytes += file.entry.size_bytes;
    signal.num_records += info.is_root() ? num_rows : 0;
    if (SignalOfItems(info.kind) != only) {
      return;
    }
    signal.num_items += num_rows;
    partition->items[*only] += num_rows;
    for (const lake::RowGroupSummary& group : file.row_groups) {
      if (group.times.has_value()) {
        AddTimes(*group.times, &signal, partition);
      }
    }
  }

  /// A time of 0 stands for none; how early the others of its row group are is not known.
  static void AddTimes(lake::EventTimeRange times, SignalSummary* signal,
                       PartitionSummary* partition) {
    if (times.least == 0) {
      signal->has_no_time = true;
      times.least = times.most;
    }
    if (times.most != 0) {
      Widen(&signal->times, times);
      Widen(&partition->times, times);
    }
  }

  const Archive& archive_;
  ArchiveSummary summary_;
  std::map<Signal, SignalSummary> signals_;
  std::map<size_t, TableSummary> tables_;
};

/// The first or last time of the items of a signal; nothing where none has any.
std::optional<int64_t> EdgeOfTimes(Archive* archive, Signal signal, TimeOrder order) {
  constexpr int64_t kFirstRows = 1'000;
  constexpr int64_t kGrowth = 4;
  TimeWindows windows(archive->RowGroupsOf(signal), {}, order);
  std::mutex mutex;
  std::optional<int64_t> edge;
  for (int64_t num_rows = kFirstRows; !edge.has_value(); num_rows *= kGrowth) {
    const auto window = windows.Next(num_rows);
    if (!window.has_value()) {
      break;
    }
    const auto visit = [&](const lake::Payload& payload, size_t) {
      for (const TableKind table : ItemTablesOf(*payload.batch)) {
        for (const int64_t time : select::EventTimes(*payload.batch->table(table), table)) {
          const std::lock_guard lock(mutex);
          const bool is_better =
              !edge.has_value() || (order == TimeOrder::kOldestFirst ? time < *edge : time > *edge);
          edge = time != 0 && is_better ? time : edge;
        }
      }
      return Status::OK();
    };
    if (!archive->Read(*window, visit, {signal}).ok()) {
      break;  // nothing here fails; what cannot be read is in the report
    }
  }
  return edge;
}

/// Adds the values of service.name in one file.
Status AddServices(Archive* archive, const std::string& partition, const lake::FileSummary& summary,
                   std::set<std::string>* services) {
  constexpr auto kKind = TableKind::kResourceAttrs;
  constexpr int64_t kRows = 65'536;
  const Location location{.partition = partition,
                          .table = std::string(otap::GetTable(kKind).directory),
                          .file = summary.entry.path};
  ARROW_ASSIGN_OR_RAISE(const auto file,
                        lake::OpenSummarised(archive->store(), archive->base(), summary, location));
  const int key = lake::LeafIndex(kKind, "key");
  const int type = lake::LeafIndex(kKind, "type");
  const int text = lake::LeafIndex(kKind, "str");
  std::vector<bool> wanted(lake::LeavesOf(kKind).size(), false);
  for (const int leaf : {key, type, text}) {
    wanted[static_cast<size_t>(leaf)] = true;
  }
  for (int group = 0; group < file->num_row_groups(); ++group) {
    if (!file->has_leaf(text) || !file->MayHaveText(group, key, "service.name")) {
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const auto stream, file->OpenRowGroup(group, wanted));
    for (int64_t left = file->num_rows(group); left > 0;) {
      ARROW_ASSIGN_OR_RAISE(const lake::DecodedRows rows, stream->Next(std::min(left, kRows)));
      left -= rows.num_rows;
      const otap::BytesColumn keys(rows.leaves[static_cast<size_t>(key)].values);
      const otap::BytesColumn texts(rows.leaves[static_cast<size_t>(text)].values);
      for (int64_t row = 0; row < rows.num_rows; ++row) {
        if (keys.At(row) == "service.name" && !texts.IsNull(row)) {
          services->emplace(texts.At(row));
        }
      }
    }
  }
  return Status::OK();
}

}  // namespace

ArchiveSummary SummariseArchive(const Archive& archive) { return Summer(archive).Run(); }

void ReadTimes(Archive* archive, ArchiveSummary* summary) {
  for (SignalSummary& signal : summary->signals) {
    const auto first = EdgeOfTimes(archive, signal.signal, TimeOrder::kOldestFirst);
    const auto last = EdgeOfTimes(archive, signal.signal, TimeOrder::kNewestFirst);
    signal.times = first.has_value() && last.has_value()
                       ? std::optional(lake::EventTimeRange{*first, *last})
                       : std::nullopt;
  }
}

void ReadServices(Archive* archive, int64_t max_files, ArchiveSummary* summary) {
  std::mutex mutex;
  int64_t num_files = 0;
  archive->ForEachPartition([&](const lake::PartitionFiles& files) {
    for (const lake::FileSummaryPtr& file : files.of(TableKind::kResourceAttrs)) {
      {
        const std::lock_guard lock(mutex);
        if (num_files++ >= max_files) {
          summary->has_all_services = false;
          return;
        }
      }
      std::set<std::string> services;
      const Status status = AddServices(archive, files.partition, *file, &services);
      const std::lock_guard lock(mutex);
      summary->has_all_services = summary->has_all_services && status.ok();
      summary->services.merge(services);
    }
  });
}

}  // namespace df::app
