#include "app/commands/seal_updates.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "app/commands/compaction_plan.h"
#include "base/durable_file.h"

namespace df::app {

namespace fs = std::filesystem;

void SealUpdates::Take(const std::string& level, const std::vector<std::string>& old_partitions,
                       const std::vector<lake::PartitionWork>& new_partitions) {
  if (level.empty()) {
    return;
  }
  for (const otap::Signal signal : otap::kAllSignals) {
    TakeSignal(signal, level, old_partitions, new_partitions);
  }
}

const SealUpdates::Found& SealUpdates::FindSeals(otap::Signal signal, const std::string& level) {
  const auto [entry, is_new] = found_.try_emplace({signal, level});
  Found& found = entry->second;
  if (!is_new) {
    return found;
  }
  const std::string folder =
      fmt::format("{}/{}", otap::GetTable(otap::RootTable(signal)).directory, level);
  lake::SealEntry newest{.signal = signal, .level = level, .path = "", .older = {}};
  std::error_code error;
  fs::directory_iterator entries(fs::path(base_) / folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (const int64_t millis = lake::SealMillis(name); millis >= 0) {
      found.files.push_back(folder + "/" + name);
      if (newest.path.empty() || millis > newest.millis) {
        newest.millis = millis;
        newest.path = found.files.back();
      }
    }
  }
  if (!newest.path.empty()) {
    std::vector<Status> errors;
    if (auto seal = lake::ReadSealFile(store_, base_, newest, &errors); seal.ok()) {
      found.newest = *std::move(seal);
    }
  }
  return found;
}

/// Adds the rows of a signal that a partition has, as a seal counts them. Returns false where it
/// has no records of the signal.
bool SealUpdates::AddRows(otap::Signal signal, const lake::PartitionWork& partition,
                          lake::TableRows* rows) {
  lake::PartitionListing listing{
      .partition = partition.files->partition, .tables = {}, .is_incomplete = {}};
  for (const lake::FileSummaryPtr& file : FilesOf(partition)) {
    listing.tables[otap::TableIndex(file->kind)].push_back(file->entry);
  }
  if (listing.tables[otap::TableIndex(otap::RootTable(signal))].empty()) {
    return false;
  }
  lake::AddSealedRows(signal, listing, *partition.files, rows);
  return true;
}

std::string SealUpdates::WhyShort(const lake::PartitionWork& partition) {
  const std::string& path = partition.files->partition;
  const std::string level(lake::LevelOfPartition(path));
  if (level.empty()) {
    return "";
  }
  for (const otap::Signal signal : otap::kAllSignals) {
    const Found& found = FindSeals(signal, level);
    if (!found.newest.has_value()) {
      continue;
    }
    const auto sealed = found.newest->partitions.find(std::string(lake::NameInLevel(path)));
    if (sealed == found.newest->partitions.end()) {
      continue;
    }
    lake::TableRows rows{};
    AddRows(signal, partition, &rows);
    for (const otap::TableInfo& table : otap::AllTables()) {
      const size_t index = otap::TableIndex(table.kind);
      if (rows[index] < sealed->second[index]) {
        return fmt::format("{}: found {} rows, expected {}, as sealed", table.directory,
                           rows[index], sealed->second[index]);
      }
    }
  }
  return "";
}

void SealUpdates::TakeSignal(otap::Signal signal, const std::string& level,
                             const std::vector<std::string>& old_partitions,
                             const std::vector<lake::PartitionWork>& new_partitions) {
  const Found& found = FindSeals(signal, level);
  files_.insert(files_.end(), found.files.begin(), found.files.end());
  if (!found.newest.has_value()) {
    return;
  }
  lake::LevelSeal seal = *found.newest;
  for (const std::string& partition : old_partitions) {
    if (lake::LevelOfPartition(partition) == level) {
      seal.partitions.erase(std::string(lake::NameInLevel(partition)));
    }
  }
  for (const lake::PartitionWork& partition : new_partitions) {
    const std::string& path = partition.files->partition;
    lake::TableRows rows{};
    if (lake::LevelOfPartition(path) == level && AddRows(signal, partition, &rows)) {
      seal.partitions[std::string(lake::NameInLevel(path))] = rows;
    }
  }
  updates_.push_back(
      {signal, fmt::format("{}/{}", otap::GetTable(otap::RootTable(signal)).directory, level),
       std::move(seal)});
}

Status SealUpdates::Write(int64_t now_nanos) {
  for (Update& update : updates_) {
    if (update.seal.partitions.empty()) {
      continue;  // nothing is left that could be complete
    }
    update.seal.sealed_nanos = now_nanos;
    const fs::path path = fs::path(base_) / update.folder / lake::SealName(now_nanos);
    ARROW_RETURN_NOT_OK(
        ReplaceFile(&SystemFileCalls(), path, lake::WriteSeal(update.seal, update.signal)));
  }
  return Status::OK();
}

}  // namespace df::app
