#include "lake/queue/seal_check.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace df::lake {
namespace {

/// Tells whether a partition has files of tables that no other signal has.
bool HasFilesOf(const PartitionListing& partition, otap::Signal signal) {
  return std::any_of(otap::AllTables().begin(), otap::AllTables().end(),
                     [&](const otap::TableInfo& table) {
                       return table.signals == 1U << static_cast<unsigned>(signal) &&
                              !partition.tables[otap::TableIndex(table.kind)].empty();
                     });
}

}  // namespace

void SealCheck::OnListed(const LakeListing& listing, const std::vector<otap::Signal>& signals,
                         const std::function<bool(const std::string&)>& wants_partition) {
  // A follower lists again and again, and most seals were counted long ago.
  const auto is_read = [&](const SealEntry& seal) {
    return std::find(signals.begin(), signals.end(), seal.signal) != signals.end();
  };
  const auto is_done = [&](const SealEntry& seal) {
    const auto known = done_.find(Key(seal.signal, seal.level));
    return known != done_.end() && known->second == seal.millis;
  };
  std::map<std::string_view, std::vector<const PartitionListing*>> by_level;
  for (const SealEntry& seal : listing.seals) {
    if (is_read(seal) && !is_done(seal)) {
      by_level[seal.level];
    }
  }
  for (size_t i = 0; !by_level.empty() && i < listing.partitions.size(); ++i) {
    const PartitionListing& partition = listing.partitions[i];
    if (const auto level = by_level.find(LevelOfPartition(partition.partition));
        level != by_level.end()) {
      level->second.push_back(&partition);
    }
  }
  std::map<Key, Count> open;
  std::map<Key, int64_t> done;
  for (const SealEntry& seal : listing.seals) {
    if (!is_read(seal)) {
      continue;
    }
    Key key(seal.signal, seal.level);
    if (is_done(seal)) {
      done.emplace(std::move(key), seal.millis);
      continue;
    }
    Count count;
    count.level.seal = seal;
    for (const PartitionListing* const partition : by_level[seal.level]) {
      if (IsInLevel(partition->partition) && HasFilesOf(*partition, seal.signal) &&
          (!wants_partition || wants_partition(partition->partition))) {
        count.partitions.emplace(partition->partition, false);
      }
    }
    count.num_left = count.partitions.size();
    if (count.num_left == 0) {
      done.emplace(key, seal.millis);
      counted_.push_back(std::move(count.level));
      continue;
    }
    const auto earlier = open_.find(key);
    const bool goes_on =
        earlier != open_.end() && earlier->second.level.seal.millis == seal.millis &&
        std::equal(count.partitions.begin(), count.partitions.end(),
                   earlier->second.partitions.begin(), earlier->second.partitions.end(),
                   [](const auto& a, const auto& b) { return a.first == b.first; });
    open.emplace(std::move(key), goes_on ? std::move(earlier->second) : std::move(count));
  }
  open_ = std::move(open);
  done_ = std::move(done);
}

bool SealCheck::Wants(const std::string& partition) const {
  if (open_.empty()) {
    return false;
  }
  const std::string level(LevelOfPartition(partition));
  return std::any_of(otap::kAllSignals.begin(), otap::kAllSignals.end(), [&](otap::Signal signal) {
    const auto open = open_.find(Key(signal, level));
    if (open == open_.end()) {
      return false;
    }
    const auto listed = open->second.partitions.find(partition);
    return listed != open->second.partitions.end() && !listed->second;
  });
}

void SealCheck::Add(const PartitionListing& listing, const PartitionFiles& files, bool is_whole) {
  const std::string level(LevelOfPartition(listing.partition));
  for (const otap::Signal signal : otap::kAllSignals) {
    const auto open = open_.find(Key(signal, level));
    if (open == open_.end()) {
      continue;
    }
    Count& count = open->second;
    const auto listed = count.partitions.find(listing.partition);
    if (listed == count.partitions.end() || std::exchange(listed->second, true)) {
      continue;
    }
    const std::string name(NameInLevel(listing.partition));
    AddSealedRows(signal, listing, files, &count.level.partitions[name]);
    if (!is_whole) {
      count.level.unknown.insert(name);
    }
    if (--count.num_left == 0) {
      done_.insert_or_assign(open->first, count.level.seal.millis);
      counted_.push_back(std::move(count.level));
      open_.erase(open);
    }
  }
}

std::vector<CountedLevel> SealCheck::TakeCounted() { return std::exchange(counted_, {}); }

void CompareWithSeal(storage::Store& store, const std::string& base, const CountedLevel& level,
                     const std::function<bool(const std::string&)>& wants_partition,
                     std::vector<Status>* problems, std::vector<Status>* notices) {
  const Result<LevelSeal> seal = ReadSealFile(store, base, level.seal, notices);
  if (!seal.ok()) {
    return;
  }
  TableRows more{};
  const auto compare = [&](const std::string& name, const TableRows& found,
                           const TableRows& sealed) {
    const std::string partition = fmt::format("{}/{}", level.seal.level, name);
    if (level.unknown.contains(name) || (wants_partition && !wants_partition(partition))) {
      return;
    }
    const bool is_gone = found == TableRows{};
    for (const otap::TableInfo& table : otap::AllTables()) {
      const size_t index = otap::TableIndex(table.kind);
      more[index] += std::max<int64_t>(found[index] - sealed[index], 0);
      // Of a partition that is gone as a whole one line is enough.
      if (found[index] < sealed[index] &&
          (!is_gone || table.kind == otap::RootTable(level.seal.signal))) {
        problems->push_back(MakeError(
            ErrorKind::kMissingFile,
            fmt::format("found {} rows, expected {}, as sealed: {}", found[index], sealed[index],
                        is_gone ? "the files of the partition are missing" : "files are missing"),
            {.partition = partition,
             .table = std::string(table.directory),
             .file = level.seal.path}));
      }
    }
  };
  for (const auto& [name, sealed] : seal->partitions) {
    const auto found = level.partitions.find(name);
    compare(name, found == level.partitions.end() ? TableRows{} : found->second, sealed);
  }
  for (const auto& [name, found] : level.partitions) {
    if (!seal->partitions.contains(name)) {
      compare(name, found, {});
    }
  }
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (const int64_t rows = more[otap::TableIndex(table.kind)]; rows > 0) {
      notices->push_back(MakeError(ErrorKind::kFileDiscovery,
                                   fmt::format("found {} rows more than were sealed", rows),
                                   {.partition = level.seal.level,
                                    .table = std::string(table.directory),
                                    .file = level.seal.path}));
    }
  }
}

}  // namespace df::lake
