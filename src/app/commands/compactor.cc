#include "app/commands/compactor.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "app/commands/archive_rewrite.h"
#include "app/commands/item_source.h"
#include "app/commands/seal_updates.h"
#include "app/commands/signal_names.h"
#include "lake/catalog/level_seal.h"
#include "lake/write/signal_writer.h"
#include "lake/write/time_sorter.h"
#include "otlp/encode.h"

namespace df::app {
namespace {

constexpr size_t kNumSignals = otap::kAllSignals.size();

/// Rows that are sorted together at most.
constexpr int64_t kMostSortedRows = 1'000'000;

/// Hears that files could not be written.
class FirstError final : public lake::WriteListener {
 public:
  void OnEncoded(std::span<const uint64_t> /*batches*/) override {}
  void OnClosed(std::span<const uint64_t> /*batches*/, lake::CloseReason /*reason*/,
                const lake::FileCounts& /*counts*/, const Status& status) override {
    status_ = status_.ok() ? status : status_;
  }
  void OnRefused(uint64_t /*batch*/, const Status& status) override {
    status_ = status_.ok() ? status : status_;
  }
  const Status& status() const { return status_; }

 private:
  Status status_;
};

/// Says what a reader could not give out as it is in the files; "" for nothing.
std::string FaultOf(const lake::ReadReport& report) {
  for (const lake::ProblemList* list : {&report.problems, &report.notices}) {
    if (!list->empty()) {
      return list->front().message;
    }
  }
  if (report.rows_without_resource > 0) {
    return fmt::format("whose resource {} records have is not known", report.rows_without_resource);
  }
  for (const otap::TableInfo& table : otap::AllTables()) {
    const lake::TableCounts& counts = report.table(table.kind);
    if (counts.num_dropped() > 0 || counts.duplicate_ids > 0 || counts.replaced_texts > 0) {
      return fmt::format(
          "{}: {} rows belong to no record, {} have an id that another row has, {} texts are not "
          "UTF-8",
          table.directory, counts.num_dropped(), counts.duplicate_ids, counts.replaced_texts);
    }
  }
  const Status sums = report.CheckConservation();
  return sums.ok() ? "" : sums.message();
}

std::vector<otlp::ItemDigest> EmptyDigests() {
  std::vector<otlp::ItemDigest> digests;
  for (const otap::Signal signal : otap::kAllSignals) {
    digests.emplace_back(signal);
  }
  return digests;
}

int64_t RootRowsOf(const lake::PartitionFiles& files, otap::Signal signal) {
  int64_t rows = 0;
  for (const lake::FileSummaryPtr& file : files.of(otap::RootTable(signal))) {
    rows += file->num_rows();
  }
  return rows;
}

}  // namespace

/// One try at a group.
struct Compactor::Attempt {
  std::string id;
  std::vector<const lake::PartitionWork*> partitions;
  lake::TimeLevels by = lake::TimeLevels::kNone;
  std::string level;
  std::vector<otlp::ItemDigest> digests = EmptyDigests();
  std::array<int64_t, kNumSignals> root_rows{};
  std::unique_ptr<Archive> written;
  CompactedGroup result;
};

Result<std::optional<CompactedGroup>> Compactor::Run(const CompactionGroup& group,
                                                     std::vector<PartitionLeft>* left) {
  std::set<size_t> excluded;
  SealUpdates seals(&archive_.store(), settings_.base);
  // What is not whole shows when it is read: then the others are read once more.
  for (int round = 0; round < 2; ++round) {
    Attempt attempt;
    attempt.id = NewCompactionId(settings_.now_nanos());
    attempt.by = group.by;
    attempt.level = group.level;
    for (const size_t index : group.partitions) {
      const lake::PartitionWork& partition = archive_.partitions()[index];
      if (excluded.contains(index)) {
        continue;
      }
      if (std::string why = WhyInUse(settings_.base, partition); !why.empty()) {
        left->push_back({partition.files->partition, std::move(why), /*is_fault=*/false});
        excluded.insert(index);
        continue;
      }
      if (std::string why = seals.WhyShort(partition); !why.empty()) {
        left->push_back({partition.files->partition, std::move(why), /*is_fault=*/true});
        excluded.insert(index);
        continue;
      }
      attempt.partitions.push_back(&partition);
    }
    // One alone gains nothing, unless it was to be put in order alone.
    if (attempt.partitions.empty() ||
        (attempt.partitions.size() == 1 && group.partitions.size() > 1)) {
      return std::nullopt;
    }
    std::vector<PartitionLeft> faulty;
    Status status = Write(&attempt, &faulty);
    if (status.ok() && faulty.empty()) {
      status = Check(&attempt);
      if (status.ok()) {
        status = Replace(&attempt);
      }
      attempt.written.reset();
      if (!status.ok()) {
        journal_.Discard(attempt.id);
        return status;
      }
      return std::optional(std::move(attempt.result));
    }
    journal_.Discard(attempt.id);
    ARROW_RETURN_NOT_OK(status);
    for (const size_t index : group.partitions) {
      const std::string& name = archive_.partitions()[index].files->partition;
      if (std::any_of(faulty.begin(), faulty.end(),
                      [&](const PartitionLeft& one) { return one.partition == name; })) {
        excluded.insert(index);
      }
    }
    left->insert(left->end(), faulty.begin(), faulty.end());
  }
  return std::nullopt;
}

/// Writes all records to the staging folder. Partitions that are not whole are put into `left`.
Status Compactor::Write(Attempt* attempt, std::vector<PartitionLeft>* left) {
  for (const otap::Signal signal : otap::kAllSignals) {
    ARROW_RETURN_NOT_OK(WriteSignal(signal, attempt, left));
  }
  return Status::OK();
}

Status Compactor::WriteSignal(otap::Signal signal, Attempt* attempt,
                              std::vector<PartitionLeft>* left) {
  const auto index = static_cast<size_t>(signal);
  const auto store = lake::MakeLocalStore(journal_.StagingOf(attempt->id).string());
  FirstError listener;
  lake::SignalWriter::Settings settings;
  settings.options.time_levels = attempt->by;
  settings.options.row_group_bytes =
      std::min(settings.options.row_group_bytes, settings_.memory_limit_bytes / 4);
  settings.limits.bytes = settings_.target_bytes;
  settings.unix_millis = [this] { return settings_.now_nanos() / 1'000'000; };
  lake::SignalWriter writer(store.get(), signal, std::move(settings), &listener);
  lake::TimeSorter sorter;
  uint64_t number = 0;
  const auto write_sorted = [&]() -> Status {
    ARROW_ASSIGN_OR_RAISE(const auto sorted, sorter.Take());
    for (const otap::BatchPtr& batch : sorted) {
      writer.Add(batch, number++);
    }
    return listener.status();
  };
  for (const lake::PartitionWork* partition : attempt->partitions) {
    lake::ReadReport report;
    ARROW_RETURN_NOT_OK(archive_.ReadAll(
        *partition, signal,
        [&](const otap::BatchPtr& batch) -> Status {
          ARROW_ASSIGN_OR_RAISE(const std::string request, otlp::EncodeRequest(*batch));
          ARROW_RETURN_NOT_OK(attempt->digests[index].Add(request));
          if (!left->empty()) {
            return Status::OK();  // it is all for nothing: only what is not whole is looked for
          }
          sorter.Add(batch);
          return sorter.size_bytes() >= settings_.memory_limit_bytes / 4 ||
                         sorter.num_rows() >= kMostSortedRows
                     ? write_sorted()
                     : Status::OK();
        },
        &report));
    if (std::string fault = FaultOf(report); !fault.empty()) {
      left->push_back({partition->files->partition, std::move(fault), /*is_fault=*/true});
    }
    attempt->root_rows[index] += RootRowsOf(*partition->files, signal);
  }
  if (!left->empty()) {
    return Status::OK();
  }
  ARROW_RETURN_NOT_OK(write_sorted());
  writer.Close(lake::CloseReason::kEnd);
  return listener.status();
}

/// Reads what was written, and compares it with what was read, item by item.
Status Compactor::Check(Attempt* attempt) const {
  ArchiveOptions options{.path = {.base = journal_.StagingOf(attempt->id).string()},
                         .signals = {otap::kAllSignals.begin(), otap::kAllSignals.end()},
                         .wishes = {},
                         .cache = ""};
  options.num_threads = archive_.options().num_threads;
  options.memory_limit_bytes = settings_.memory_limit_bytes;
  ARROW_ASSIGN_OR_RAISE(attempt->written, Archive::Open(options));
  const auto source = MakeArchiveSource(attempt->written.get());
  ARROW_ASSIGN_OR_RAISE(const auto digests, DigestItems(source.get(), options.signals));
  const auto fail = [](const std::string& what) {
    return MakeError(
        ErrorKind::kIo,
        fmt::format("the new files are not what the old ones are, and were removed: {}", what));
  };
  if (const std::string fault = FaultOf(attempt->written->Report()); !fault.empty()) {
    return fail(fault);
  }
  for (const otap::Signal signal : otap::kAllSignals) {
    const auto index = static_cast<size_t>(signal);
    const otlp::ItemSum expected = attempt->digests[index].Sum();
    const otlp::ItemSum found = digests[index].Sum();
    int64_t root_rows = 0;
    for (const lake::PartitionWork& partition : attempt->written->partitions()) {
      root_rows += RootRowsOf(*partition.files, signal);
    }
    // A metric stands in each day or hour that it has points of.
    const bool may_grow =
        signal == otap::Signal::kMetrics && attempt->by != lake::TimeLevels::kNone;
    const bool has_all_rows =
        may_grow ? root_rows >= attempt->root_rows[index] : root_rows == attempt->root_rows[index];
    if (found != expected || !has_all_rows) {
      return fail(
          fmt::format("found {} {} with the digest {} in {} rows, expected {} with {} in {}",
                      found.count, ItemsName(signal), found.Hex(), root_rows, expected.count,
                      expected.Hex(), attempt->root_rows[index]));
    }
    attempt->result.items[index] = expected;
  }
  return Status::OK();
}

Status Compactor::Replace(Attempt* attempt) {
  lake::Compaction compaction{.id = attempt->id,
                              .reason = "compact",
                              .begun_nanos = settings_.now_nanos(),
                              .keeps_old = settings_.keeps_old};
  CompactedGroup& result = attempt->result;
  std::set<std::string> levels;
  for (const lake::PartitionWork* partition : attempt->partitions) {
    if (const std::string why = WhyInUse(settings_.base, *partition); !why.empty()) {
      return MakeError(ErrorKind::kIo,
                       fmt::format("it was changed while it was compacted, and stays: {}", why),
                       {.partition = partition->files->partition}, /*retryable=*/true);
    }
    result.old_partitions.push_back(partition->files->partition);
    levels.emplace(lake::LevelOfPartition(partition->files->partition));
  }
  std::vector<std::string> roots;
  std::vector<std::string> children;
  for (const lake::PartitionWork* partition : attempt->partitions) {
    for (const lake::FileSummaryPtr& file : FilesOf(*partition)) {
      (otap::GetTable(file->kind).is_root() ? roots : children).push_back(file->entry.path);
      ++result.old_files;
      result.old_bytes += file->entry.size_bytes;
    }
  }
  std::set<std::string> tables;
  std::vector<std::string> new_roots;
  for (const lake::PartitionWork& partition : attempt->written->partitions()) {
    result.new_partitions.push_back(partition.files->partition);
    levels.emplace(lake::LevelOfPartition(partition.files->partition));
    for (const lake::FileSummaryPtr& file : FilesOf(partition)) {
      const otap::TableInfo& table = otap::GetTable(file->kind);
      tables.emplace(table.directory);
      (table.is_root() ? new_roots : compaction.new_files).push_back(file->entry.path);
      ++result.new_files;
      result.new_bytes += file->entry.size_bytes;
    }
  }
  // Those who know nothing of compactions see no record without its children.
  compaction.new_files.insert(compaction.new_files.end(), new_roots.begin(), new_roots.end());
  SealUpdates seals(&archive_.store(), settings_.base);
  for (const std::string& level : levels) {
    seals.Take(level, result.old_partitions, attempt->written->partitions());
  }
  compaction.old_files = seals.files();
  compaction.old_files.insert(compaction.old_files.end(), roots.begin(), roots.end());
  compaction.old_files.insert(compaction.old_files.end(), children.begin(), children.end());
  if (attempt->by != lake::TimeLevels::kNone) {
    for (const std::string& table : tables) {
      ARROW_RETURN_NOT_OK(store_.MarkTimeLevels(table));
    }
  }
  ARROW_RETURN_NOT_OK(journal_.Run(std::move(compaction)));
  return seals.Write(settings_.now_nanos());
}

}  // namespace df::app
