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

void SealUpdates::TakeSignal(otap::Signal signal, const std::string& level,
                             const std::vector<std::string>& old_partitions,
                             const std::vector<lake::PartitionWork>& new_partitions) {
  const std::string folder =
      fmt::format("{}/{}", otap::GetTable(otap::RootTable(signal)).directory, level);
  lake::SealEntry entry{.signal = signal, .level = level, .path = "", .older = {}};
  std::error_code error;
  fs::directory_iterator found(fs::path(base_) / folder, error);
  for (; !error && found != fs::directory_iterator(); found.increment(error)) {
    const std::string name = found->path().filename().string();
    if (const int64_t millis = lake::SealMillis(name); millis >= 0) {
      files_.push_back(folder + "/" + name);
      if (entry.path.empty() || millis > entry.millis) {
        entry.millis = millis;
        entry.path = files_.back();
      }
    }
  }
  if (entry.path.empty()) {
    return;
  }
  std::vector<Status> errors;
  auto seal = lake::ReadSealFile(store_, base_, entry, &errors);
  if (!seal.ok()) {
    return;
  }
  for (const std::string& partition : old_partitions) {
    if (lake::LevelOfPartition(partition) == level) {
      seal->partitions.erase(std::string(lake::NameInLevel(partition)));
    }
  }
  for (const lake::PartitionWork& partition : new_partitions) {
    const std::string& path = partition.files->partition;
    if (lake::LevelOfPartition(path) != level) {
      continue;
    }
    lake::PartitionListing listing{.partition = path, .tables = {}, .is_incomplete = {}};
    for (const lake::FileSummaryPtr& file : FilesOf(partition)) {
      listing.tables[otap::TableIndex(file->kind)].push_back(file->entry);
    }
    if (!listing.tables[otap::TableIndex(otap::RootTable(signal))].empty()) {
      lake::AddSealedRows(signal, listing, *partition.files,
                          &seal->partitions[std::string(lake::NameInLevel(path))]);
    }
  }
  updates_.push_back({signal, folder, *std::move(seal)});
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
