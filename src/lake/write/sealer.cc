#include "lake/write/sealer.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include <arrow/buffer.h>
#include <fmt/format.h>

#include "base/durable_file.h"
#include "base/logging.h"
#include "base/text.h"
#include "lake/catalog/compactions.h"
#include "lake/catalog/footer_announcer.h"
#include "lake/catalog/time_levels.h"

namespace df::lake {
namespace {

constexpr int64_t kHourNanos = int64_t{3'600} * 1'000'000'000;
/// Of every file that is counted, when it is.
constexpr std::chrono::nanoseconds kLeastAge = std::chrono::minutes(1);
/// Of messages about levels that could not be sealed.
constexpr size_t kMostLogged = 1'000;

/// Returns the times of folders "date=YYYY-MM-DD" or "date=YYYY-MM-DD/hour=HH".
std::optional<EventTimeRange> TimesOfLevel(std::string_view path) {
  const size_t slash = path.find('/');
  const auto day = DayOfFolder(path.substr(0, slash));
  return slash == std::string_view::npos || !day.has_value()
             ? day
             : HourOfFolder(path.substr(slash + 1), *day);
}

int64_t NewestOf(const FileEntry& entry) {
  return std::max(entry.modified_nanos, entry.changed_nanos);
}

}  // namespace

Sealer::Sealer(std::shared_ptr<storage::Store> store, std::chrono::nanoseconds after,
               FileCalls* calls)
    : store_(std::move(store)), after_nanos_(std::max(after, kLeastAge).count()), calls_(calls) {}

/// Whether the folders of a signal mean what their names say. Asked until it is so.
bool Sealer::IsVouchedFor(otap::Signal signal) {
  if (!vouched_.contains(signal)) {
    const std::string marker =
        fmt::format("{}/{}/{}", store_->uri().path,
                    otap::GetTable(otap::RootTable(signal)).directory, kTimeLevelsMarker);
    if (store_->Exists(marker).ValueOr(false)) {
      vouched_.insert(signal);
    }
  }
  return vouched_.contains(signal);
}

std::vector<Sealer::Level> Sealer::FindLevels(const LakeListing& listing) const {
  std::map<std::pair<otap::Signal, std::string>, Level> levels;
  for (const PartitionListing& partition : listing.partitions) {
    const std::string path(LevelOfPartition(partition.partition));
    const auto times = TimesOfLevel(path);
    for (const otap::Signal signal : otap::kAllSignals) {
      const size_t root = otap::TableIndex(otap::RootTable(signal));
      if (!times.has_value() || !IsInLevel(partition.partition) || partition.tables[root].empty()) {
        continue;
      }
      Level& level = levels[{signal, path}];
      level.signal = signal;
      level.path = path;
      level.end_nanos = times->most + 1;
      level.partitions.push_back(&partition);
      for (const otap::TableInfo& table : otap::AllTables()) {
        if (!table.has_signal(signal)) {
          continue;
        }
        const size_t index = otap::TableIndex(table.kind);
        level.is_incomplete = level.is_incomplete || partition.is_incomplete[index];
        for (const FileEntry& entry : partition.tables[index]) {
          level.newest_nanos = std::max(level.newest_nanos, NewestOf(entry));
        }
      }
    }
  }
  for (const SealEntry& seal : listing.seals) {
    if (const auto level = levels.find({seal.signal, seal.level}); level != levels.end()) {
      level->second.seal = &seal;
    }
  }
  std::vector<Level> found;
  for (auto& [key, level] : levels) {
    found.push_back(std::move(level));
  }
  return found;
}

Sealer::Outcome Sealer::Look(int64_t now_nanos, const std::function<bool()>& is_stopped) {
  // The hour that is going on ends then, and has files by then.
  Outcome outcome{.next_nanos = (now_nanos / kHourNanos + 1) * kHourNanos + after_nanos_};
  const auto fail = [&](const Status& status) {
    ++outcome.num_failed;
    outcome.next_nanos = std::min(outcome.next_nanos, now_nanos + after_nanos_);
    if (logged_.size() < kMostLogged && logged_.insert(status.message()).second) {
      LogWarning("not sealed: {}", status.message());
    }
  };
  auto compactions = FindCompactions();
  if (!compactions.ok()) {
    fail(compactions.status());
    return outcome;
  }
  compactions_ = *std::move(compactions);
  const auto listing =
      ListLake(*store_, store_->uri().path, {otap::kAllSignals.begin(), otap::kAllSignals.end()});
  if (!listing.ok()) {
    if (store_->Exists(store_->uri().path).ValueOr(true)) {
      fail(listing.status());
    }
    return outcome;
  }
  for (const Level& level : FindLevels(*listing)) {
    if (is_stopped()) {
      break;
    }
    // What was counted had been there for a minute at least, by whatever clock.
    const bool is_sealed = level.seal != nullptr &&
                           level.newest_nanos <= level.seal->millis * 1'000'000 - kLeastAge.count();
    if (is_sealed || !IsVouchedFor(level.signal)) {
      continue;
    }
    const int64_t due = std::max(level.end_nanos, level.newest_nanos) + after_nanos_;
    if (due > now_nanos) {
      outcome.next_nanos = std::min(outcome.next_nanos, due);
      continue;
    }
    const Status status = Seal(level, now_nanos, is_stopped);
    if (status.ok()) {
      ++outcome.num_sealed;
    } else if (!status.IsCancelled()) {
      fail(WithContext(status, ErrorKind::kIo,
                       {.partition = level.path, .table = std::string(otap::Name(level.signal))}));
    }
  }
  return outcome;
}

/// Partitions that are counted may be replaced meanwhile; stores have no compactions.
Result<std::set<std::string>> Sealer::FindCompactions() const {
  if (!store_->is_local()) {
    return std::set<std::string>();
  }
  storage::LocalDirectories directories;
  return ListCompactions(&directories, store_->uri().path);
}

Result<PartitionRows> Sealer::Count(const Level& level, const std::function<bool()>& is_stopped) {
  PartitionRows rows;
  for (const PartitionListing* const listing : level.partitions) {
    PartitionFiles files;
    files.partition = listing->partition;
    const auto has_signal = [&](const otap::TableInfo& table) {
      return table.has_signal(level.signal);
    };
    PartitionListing wanted{.partition = listing->partition, .tables = {}, .is_incomplete = {}};
    for (const otap::TableInfo& table : otap::AllTables()) {
      if (has_signal(table)) {
        wanted.tables[otap::TableIndex(table.kind)] = listing->tables[otap::TableIndex(table.kind)];
      }
    }
    FooterAnnouncer announcer(store_.get(), store_->uri().path, wanted,
                              [](const FileEntry&) { return true; });
    for (const otap::TableInfo& table : otap::AllTables()) {
      for (const FileEntry& entry : wanted.tables[otap::TableIndex(table.kind)]) {
        if (is_stopped()) {
          return Status::Cancelled("stopped");
        }
        announcer.Next(entry);
        ARROW_ASSIGN_OR_RAISE(auto summary, Summarise(*store_, store_->uri().path, entry,
                                                      table.kind, listing->partition));
        files.of(table.kind).push_back(std::move(summary));
      }
    }
    const std::string name(NameInLevel(listing->partition));
    if (!IsValidUtf8(name)) {
      return Status::Invalid("the name of a partition is not UTF-8, which a seal cannot say");
    }
    AddSealedRows(level.signal, wanted, files, &rows[name]);
  }
  return rows;
}

/// A level that has lost rows is not sealed anew: nobody would see that they are gone.
Status Sealer::CheckNothingIsGone(const Level& level, const PartitionRows& rows) {
  if (level.seal == nullptr) {
    return Status::OK();
  }
  std::vector<Status> errors;
  const Result<LevelSeal> earlier = ReadSealFile(*store_, store_->uri().path, *level.seal, &errors);
  if (!earlier.ok()) {
    return errors.front();
  }
  for (const auto& [partition, sealed] : earlier->partitions) {
    const auto known = rows.find(partition);
    const TableRows found = known == rows.end() ? TableRows{} : known->second;
    for (const otap::TableInfo& table : otap::AllTables()) {
      const size_t index = otap::TableIndex(table.kind);
      if (found[index] < sealed[index]) {
        return Status::Invalid(fmt::format(
            "files are missing since {} was made: found {} rows of {} in {}, expected at least {}; "
            "remove the seal to accept that",
            level.seal->path, found[index], table.directory, partition, sealed[index]));
      }
    }
  }
  return Status::OK();
}

Status Sealer::Seal(const Level& level, int64_t now_nanos,
                    const std::function<bool()>& is_stopped) {
  if (level.is_incomplete) {
    return Status::Invalid("folders of it could not be listed");
  }
  ARROW_ASSIGN_OR_RAISE(PartitionRows rows, Count(level, is_stopped));
  ARROW_RETURN_NOT_OK(CheckNothingIsGone(level, rows));
  const std::string text =
      WriteSeal({.sealed_nanos = now_nanos, .partitions = std::move(rows)}, level.signal);
  if (std::ssize(text) > kMostSealBytes) {
    return Status::Invalid(
        fmt::format("it has {} partitions, more than a seal can name", level.partitions.size()));
  }
  ARROW_ASSIGN_OR_RAISE(const auto compactions, FindCompactions());
  if (compactions != compactions_) {
    return Status::Invalid("a compaction replaced files while they were counted");
  }
  const std::string folder =
      fmt::format("{}/{}/{}", store_->uri().path,
                  otap::GetTable(otap::RootTable(level.signal)).directory, level.path);
  ARROW_RETURN_NOT_OK(Write(fmt::format("{}/{}", folder, SealName(now_nanos)), text));
  if (level.seal != nullptr) {
    std::vector<std::string> earlier = level.seal->older;
    earlier.push_back(level.seal->path);
    for (const std::string& path : earlier) {
      const Status removed = store_->RemoveFile(FullPath(store_->uri().path, path));
      if (!removed.ok()) {
        LogDebug("the seal before is left: {}", removed.message());  // the newest counts
      }
    }
  }
  return Status::OK();
}

Status Sealer::Write(const std::string& path, const std::string& text) {
  return store_->is_local() ? ReplaceFile(calls_, path, text)
                            : store_->WriteFile(path, arrow::Buffer::FromString(text));
}

}  // namespace df::lake
