// What a work list says of itself, and what it is given back.
#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "lake/queue/work_list.h"

namespace df::lake {
namespace {

/// A clock that is this far behind another one is set well enough.
constexpr std::chrono::seconds kClockSlack(2);

}  // namespace

void WorkList::GiveBack(PartitionWork work, bool is_lost) {
  Returned returned{.work = std::move(work), .records = {}, .is_lost = is_lost};
  for (PartitionTask& task : returned.work.tasks) {
    std::vector<FileRecordPtr>& records = returned.records.emplace_back();
    for (const auto& claim : task.claims) {
      records.push_back(claim->record());
    }
    task.claims.clear();  // another list may take what is left
    task.taken.clear();
  }
  const std::lock_guard lock(mutex_);
  returned_.push_back(std::move(returned));
}

/// Gives out what is left of a work that was given back, where nobody else has it by now.
std::optional<PartitionWork> WorkList::TakeReturned() {
  while (!returned_.empty()) {
    const Returned returned = std::move(returned_.front());
    returned_.pop_front();
    if (ledger_->leases() != nullptr) {
      // The leases went with the claims: the files are taken as if they had just been found.
      for (size_t i = 0; i < returned.work.tasks.size(); ++i) {
        OfferFiles(returned.work.tasks[i], returned.records[i]);
      }
      continue;
    }
    PartitionWork work{.files = returned.work.files, .tasks = {}};
    for (size_t i = 0; i < returned.work.tasks.size(); ++i) {
      const PartitionTask& old = returned.work.tasks[i];
      PartitionTask task{.signal = old.signal, .files = old.files, .is_partial = old.is_partial};
      for (size_t j = 0; j < old.root_files.size(); ++j) {
        const FileSummary& root = *old.files->of(otap::RootTable(old.signal))[old.root_files[j]];
        bool is_busy = false;
        auto claim = ClaimRecord(returned.records[i][j], root, &is_busy);
        if (claim == nullptr) {
          task.is_partial = true;
          continue;
        }
        task.root_files.push_back(old.root_files[j]);
        task.taken.push_back(claim->Taken());
        task.is_partial = task.is_partial || !task.taken.back().empty();
        task.claims.push_back(std::move(claim));
      }
      if (!task.root_files.empty() || old.root_files.empty()) {
        work.tasks.push_back(std::move(task));
      }
    }
    if (!work.tasks.empty()) {
      return work;
    }
  }
  return std::nullopt;
}

/// Whether anything of it has not been delivered, by whomever.
bool WorkList::IsLeft(const Returned& returned) const {
  return std::any_of(returned.records.begin(), returned.records.end(), [&](const auto& records) {
    return records.empty() || std::any_of(records.begin(), records.end(), [&](const auto& record) {
             return !ledger_->IsDelivered(record);
           });
  });
}

int64_t WorkList::num_returned() const {
  const std::lock_guard lock(mutex_);
  return std::count_if(returned_.begin(), returned_.end(),
                       [this](const Returned& returned) { return IsLeft(returned); });
}

int64_t WorkList::num_lost() const {
  const std::lock_guard lock(mutex_);
  return std::count_if(returned_.begin(), returned_.end(), [this](const Returned& returned) {
    return returned.is_lost && IsLeft(returned);
  });
}

void WorkList::CountBareChildren(const PartitionFiles& files) {
  std::vector<BareTable> bare;
  for (const otap::TableInfo& table : otap::AllTables()) {
    BareTable counts{.table = table.kind};
    for (const FileSummaryPtr& file : files.of(table.kind)) {
      counts.first_file = counts.num_files++ == 0 ? file->entry.path : counts.first_file;
      counts.num_rows += file->num_rows();
    }
    if (counts.num_files > 0) {
      bare.push_back(std::move(counts));
    }
  }
  const std::lock_guard lock(mutex_);
  bare_[files.partition] = std::move(bare);
}

ReadReport WorkList::Report() const {
  const std::lock_guard lock(mutex_);
  ReadReport report = report_;
  for (const auto& [path, problem] : open_problems_) {
    report.AddUnlisted(problem);
  }
  for (const auto& [partition, tables] : bare_) {
    for (const BareTable& bare : tables) {
      if (bare.num_rows > 0) {
        TableCounts& counts = report.table(bare.table);
        counts.rows_listed += bare.num_rows;
        counts.AddDropped(DropReason::kOrphan, bare.num_rows);
        report.Add(MakeError(
            ErrorKind::kMissingFile,
            fmt::format("{} rows in {} files, and the partition has no file of the records that "
                        "they belong to",
                        bare.num_rows, bare.num_files),
            {.partition = partition,
             .table = std::string(otap::GetTable(bare.table).directory),
             .file = bare.first_file}));
      }
    }
  }
  ReportQuiet(&report);
  return report;
}

std::vector<std::string> WorkList::AbsentTables() const {
  const std::lock_guard lock(mutex_);
  return absent_tables_;
}

int64_t WorkList::num_held_back() const {
  const std::lock_guard lock(mutex_);
  return std::accumulate(held_back_.begin(), held_back_.end(), int64_t{0},
                         [](int64_t sum, const auto& partition) { return sum + partition.second; });
}

int64_t WorkList::num_unwanted() const {
  const std::lock_guard lock(mutex_);
  return num_unwanted_;
}

int64_t WorkList::num_folders_skipped() const {
  const std::lock_guard lock(mutex_);
  return num_folders_skipped_;
}

int64_t WorkList::num_delivered_before() const {
  const std::lock_guard lock(mutex_);
  return num_delivered_before_;
}

int64_t WorkList::num_waiting() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(queue_.size() + later_.size() + lanes_.size());
}

void WorkList::NameClockAhead(const PartitionListing& partition) {
  const auto limit = std::chrono::nanoseconds((clock_() + kClockSlack).time_since_epoch()).count();
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileEntry& entry : partition.tables[otap::TableIndex(table.kind)]) {
      if (entry.modified_nanos > limit &&
          reported_.insert(fmt::format("ahead {}/{}", table.directory, partition.partition))
              .second) {
        report_.AddNotice(MakeError(
            ErrorKind::kFileDiscovery,
            fmt::format("modified {} s ahead of the clock of this machine; the age of such files "
                        "counts from when they are seen first",
                        (entry.modified_nanos - limit) / 1'000'000'000 + kClockSlack.count()),
            {.partition = partition.partition,
             .table = std::string(table.directory),
             .file = entry.path}));
      }
    }
  }
}

void WorkList::Enqueue(PartitionListing listing) {
  const int64_t size_bytes = SizeOf(listing);
  sizes_.found_bytes += size_bytes;
  sizes_.waiting_bytes += size_bytes;
  listing.look = scan_number_;
  queue_.push_back(std::move(listing));
}

PartitionListing WorkList::Dequeue() {
  PartitionListing listing = std::move(queue_.front());
  queue_.pop_front();
  sizes_.waiting_bytes -= SizeOf(listing);
  return listing;
}

WorkList::Sizes WorkList::sizes() const {
  const std::lock_guard lock(mutex_);
  return sizes_;
}

void WorkList::VisitWaiting(const std::function<void(const PartitionListing&)>& visit) const {
  const std::lock_guard lock(mutex_);
  for (const PartitionListing& listing : queue_) {
    visit(listing);
  }
  for (const Later& later : later_) {
    visit(later.listing);
  }
  VisitLanes(visit);
}

bool WorkList::has_found_files() const {
  const std::lock_guard lock(mutex_);
  return has_found_files_;
}

bool WorkList::has_listed() const {
  const std::lock_guard lock(mutex_);
  return has_scanned_;
}

}  // namespace df::lake
