#include "lake/queue/seal_check.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <fmt/format.h>

#include "base/units.h"

namespace df::lake {
namespace {

/// Far more than a line for each table.
constexpr int64_t kMostSealBytes = 64_KiB;

Result<LevelSeal> Read(storage::Store& store, const std::string& base, const SealEntry& entry) {
  ARROW_ASSIGN_OR_RAISE(const auto file, store.OpenFile(FullPath(base, entry.path)));
  ARROW_ASSIGN_OR_RAISE(const int64_t size_bytes, file->GetSize());
  if (size_bytes > kMostSealBytes) {
    return Status::Invalid(
        fmt::format("found {} bytes, expected at most {}", size_bytes, kMostSealBytes));
  }
  ARROW_ASSIGN_OR_RAISE(const auto bytes, file->ReadAt(0, size_bytes));
  return ReadSeal(std::string_view(*bytes), entry.signal);
}

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
  std::map<std::string_view, std::vector<const PartitionListing*>> by_level;
  for (const SealEntry& seal : listing.seals) {
    by_level[seal.level];
  }
  for (const PartitionListing& partition : listing.partitions) {
    if (const auto level = by_level.find(LevelOfPartition(partition.partition));
        level != by_level.end()) {
      level->second.push_back(&partition);
    }
  }
  std::map<Key, Count> open;
  std::map<Key, int64_t> done;
  for (const SealEntry& seal : listing.seals) {
    if (std::find(signals.begin(), signals.end(), seal.signal) == signals.end()) {
      continue;
    }
    Key key(seal.signal, seal.level);
    if (const auto known = done_.find(key); known != done_.end() && known->second == seal.millis) {
      done.insert(*known);
      continue;
    }
    Count count{.level = {.seal = seal, .rows = {}}, .partitions = {}, .num_left = 0};
    bool is_wanted = true;
    for (const PartitionListing* const partition : by_level[seal.level]) {
      if (HasFilesOf(*partition, seal.signal)) {
        count.partitions.emplace(partition->partition, false);
        is_wanted = is_wanted && (!wants_partition || wants_partition(partition->partition));
      }
    }
    count.num_left = count.partitions.size();
    if (!is_wanted || count.num_left == 0) {
      done.emplace(key, seal.millis);
      if (is_wanted) {
        counted_.push_back(std::move(count.level));
      }
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
    AddSealedRows(signal, listing, files, &count.level.rows);
    if (is_whole && --count.num_left > 0) {
      continue;
    }
    done_.insert_or_assign(open->first, count.level.seal.millis);
    if (is_whole) {
      counted_.push_back(std::move(count.level));
    }
    open_.erase(open);
  }
}

std::vector<CountedLevel> SealCheck::TakeCounted() { return std::exchange(counted_, {}); }

void CompareWithSeal(storage::Store& store, const std::string& base, const CountedLevel& level,
                     std::vector<Status>* problems, std::vector<Status>* notices) {
  const Result<LevelSeal> seal = Read(store, base, level.seal);
  const otap::TableInfo& root = otap::GetTable(otap::RootTable(level.seal.signal));
  if (!seal.ok()) {
    notices->push_back(
        MakeError(ErrorKind::kFileDiscovery,
                  fmt::format("the seal cannot be read, and rows are not compared with it: {}",
                              seal.status().message()),
                  {.partition = level.seal.level,
                   .table = std::string(root.directory),
                   .file = level.seal.path}));
    return;
  }
  for (const otap::TableInfo& table : otap::AllTables()) {
    const int64_t found = level.rows[otap::TableIndex(table.kind)];
    const int64_t sealed = seal->rows[otap::TableIndex(table.kind)];
    if (found == sealed) {
      continue;
    }
    const Location location{.partition = level.seal.level,
                            .table = std::string(table.directory),
                            .file = level.seal.path};
    if (found < sealed) {
      problems->push_back(MakeError(
          ErrorKind::kMissingFile,
          fmt::format("found {} rows, expected {}, as sealed: files are missing", found, sealed),
          location));
    } else {
      notices->push_back(MakeError(
          ErrorKind::kFileDiscovery,
          fmt::format("found {} rows, {} of them since it was sealed", found, found - sealed),
          location));
    }
  }
}

}  // namespace df::lake
