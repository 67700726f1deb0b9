#include "app/commands/archive.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>

#include "lake/catalog/base_folder.h"
#include "lake/queue/trace_search.h"
#include "lake/read/partition_reader.h"
#include "lake/scan/memory_budget.h"
#include "select/fields.h"
#include "storage/store_uri.h"

namespace df::app {
namespace {

using std::chrono::system_clock;

/// Share of the memory limit that ids of traces may take.
constexpr int64_t kTracesPercent = 25;

/// The tables whose rows are the items of a signal.
std::vector<otap::TableKind> ItemTables(otap::Signal signal) {
  using enum otap::TableKind;
  return signal == otap::Signal::kMetrics
             ? std::vector{kNumberDataPoints, kSummaryDataPoints, kHistogramDataPoints,
                           kExpHistogramDataPoints}
             : std::vector{otap::RootTable(signal)};
}

bool MayHaveTimes(const lake::FileSummary& file, const select::TimeRange& time) {
  return std::any_of(
      file.row_groups.begin(), file.row_groups.end(), [&](const lake::RowGroupSummary& group) {
        return !group.times.has_value() || time.MayHave(group.times->least, group.times->most);
      });
}

/// Runs `work` on so many threads, and waits for all. Returns the first error.
Status RunThreads(int num_threads, const std::function<Status(size_t thread)>& work) {
  std::mutex mutex;
  Status first;
  const auto run = [&](size_t thread) {
    Status status;
    try {
      status = work(thread);
    } catch (const std::exception& error) {
      status = Status::UnknownError("reading ended early: ", error.what());
    }
    const std::lock_guard lock(mutex);
    first = first.ok() ? status : first;
  };
  std::vector<std::jthread> threads;
  for (int i = 1; i < num_threads; ++i) {
    threads.emplace_back(run, static_cast<size_t>(i));
  }
  run(0);
  threads.clear();
  return first;
}

}  // namespace

std::string DefaultCacheFolder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
    return std::string(cache) + "/df_engine";
  }
  const char* home = std::getenv("HOME");
  return home != nullptr && *home == '/' ? std::string(home) + "/.cache/df_engine" : "";
}

Result<std::unique_ptr<Archive>> Archive::Open(ArchiveOptions options) {
  ARROW_RETURN_NOT_OK(arrow::compute::Initialize());
  std::unique_ptr<Archive> archive(new Archive(std::move(options)));
  ARROW_RETURN_NOT_OK(archive->MakeList());
  ARROW_RETURN_NOT_OK(archive->TakeAll());
  ARROW_RETURN_NOT_OK(archive->FindTraces());
  archive->NameBareTasks();
  return archive;
}

Archive::~Archive() {
  if (store_ != nullptr) {
    store_->Stop();
  }
}

Status Archive::MakeList() {
  ARROW_ASSIGN_OR_RAISE(storage::StoreUri uri, storage::ParseStoreUri(options_.path.base));
  ARROW_ASSIGN_OR_RAISE(store_, storage::Store::Make(std::move(uri)));
  if (options_.holds_base) {
    hold_.emplace(*store_, base());  // before anything is listed
  }
  wishes_ = options_.wishes;
  read_.signals = options_.signals;
  read_.memory_limit_bytes = options_.memory_limit_bytes;
  read_.selector = std::make_shared<const select::Selector>(wishes_);
  if (!options_.path.partitions.empty()) {
    read_.wants_partition = [settings = select::PartitionSettings{options_.path.partitions, {}}](
                                const std::string& partition) { return settings.Wants(partition); };
  }
  list_ = std::make_unique<lake::WorkList>(store_, base(), read_, lake::FollowOptions{},
                                           [] { return system_clock::now(); });
  if (!options_.cache.empty()) {
    std::string notice;
    auto cache = lake::FooterCache::Open(
        options_.cache, lake::CanonicalBase(store_->uri()), [] { return system_clock::now(); },
        &notice);
    // A cache makes reading faster, and nothing else: without one it goes on, and says so.
    cache_notice_ = cache.ok() ? notice : cache.status().message();
    if (cache.ok()) {
      cache_ = *std::move(cache);
      ARROW_RETURN_NOT_OK(list_->UseCache(cache_, lake::UnknownSchemas::kAccept));
    }
  }
  return Status::OK();
}

Status Archive::TakeAll() {
  std::mutex mutex;
  ARROW_RETURN_NOT_OK(RunThreads(options_.num_threads, [&](size_t) -> Status {
    while (true) {
      ARROW_ASSIGN_OR_RAISE(lake::WorkList::Taken taken, list_->Take());
      if (taken.work.has_value()) {
        for (lake::PartitionTask& task : taken.work->tasks) {
          task.claims.clear();
          task.taken.clear();
        }
        if (!options_.path.file.empty()) {
          KeepFile(&*taken.work);
        }
        const std::lock_guard lock(mutex);
        partitions_.push_back(std::move(*taken.work));
      } else if (taken.wait_until.has_value()) {
        std::this_thread::sleep_until(*taken.wait_until);
      } else {
        return Status::OK();
      }
    }
  }));
  std::sort(partitions_.begin(), partitions_.end(),
            [](const lake::PartitionWork& a, const lake::PartitionWork& b) {
              return a.files->partition < b.files->partition;
            });
  return Status::OK();
}

/// Leaves only the file that the path names.
void Archive::KeepFile(lake::PartitionWork* work) const {
  for (lake::PartitionTask& task : work->tasks) {
    const auto& roots = task.files->of(otap::RootTable(task.signal));
    const size_t before = task.root_files.size();
    std::erase_if(task.root_files,
                  [&](size_t index) { return roots[index]->entry.path != options_.path.file; });
    task.is_partial = task.is_partial || task.root_files.size() < before;
  }
  std::erase_if(work->tasks, [](const auto& task) { return task.root_files.empty(); });
}

Status Archive::FindTraces() {
  if (!lake::TraceSearch::IsNeeded(read_)) {
    return Status::OK();
  }
  lake::TraceSearch search(
      store_, base(), read_,
      [this](const lake::ReadOptions& read) -> Result<std::unique_ptr<lake::WorkList>> {
        auto list = std::make_unique<lake::WorkList>(store_, base(), read, lake::FollowOptions{},
                                                     [] { return system_clock::now(); });
        ARROW_RETURN_NOT_OK(list->UseCache(cache_, lake::UnknownSchemas::kAccept));
        return list;
      },
      options_.memory_limit_bytes* kTracesPercent / 100);
  const int64_t budget = options_.memory_limit_bytes / options_.num_threads;
  ARROW_RETURN_NOT_OK(RunThreads(options_.num_threads,
                                 [&](size_t) { return search.Run(budget, [] { return false; }); }));
  wishes_ = search.selector()->wishes();
  list_->Done({}, search.Problems());
  return Status::OK();
}

void Archive::NameBareTasks() {
  // A selection asks for less than all, so what it does not find need not be missing.
  const bool is_everything =
      std::all_of(read_.signals.begin(), read_.signals.end(),
                  [this](otap::Signal signal) { return read_.selector->TakesAll(signal); }) &&
      options_.path.file.empty();
  for (const lake::PartitionWork& work : partitions_) {
    lake::MemoryBudget budget(options_.memory_limit_bytes);
    lake::ReadReport report;
    for (const lake::PartitionTask& task : work.tasks) {
      if (!is_everything || !task.root_files.empty()) {
        continue;
      }
      auto reader =
          lake::PartitionReader::Make(store_.get(), base(), task, read_, &budget, &report);
      const Status ended = reader.ok() ? (*reader)->Next().status() : reader.status();
      report.AddUnlessOk(ended);
      if (reader.ok()) {
        reader->reset();  // the report is whole when it is gone
      }
      list_->Done({}, std::move(report));
      report = {};
    }
  }
}

std::vector<RowGroupTimes> Archive::RowGroupsOf(otap::Signal signal) const {
  std::vector<RowGroupTimes> found;
  const auto add = [&found](const lake::FileSummary& file) {
    for (const lake::RowGroupSummary& group : file.row_groups) {
      found.push_back({file.kind, group.num_rows, group.times});
    }
  };
  for (const lake::PartitionWork& work : partitions_) {
    for (const lake::PartitionTask& task : work.tasks) {
      if (task.signal != signal) {
        continue;
      }
      for (const otap::TableKind table : ItemTables(signal)) {
        const auto& files = task.files->of(table);
        if (table != otap::RootTable(signal)) {
          std::for_each(files.begin(), files.end(), [&](const auto& file) { add(*file); });
          continue;
        }
        for (const size_t index : task.root_files) {
          add(*files[index]);
        }
      }
    }
  }
  return found;
}

/// Tells whether a task may have wanted records.
bool Archive::IsWanted(const lake::PartitionTask& task, const lake::ReadOptions& read) {
  const select::TimeRange& time = read.selector->wishes().time;
  if (std::find(read.signals.begin(), read.signals.end(), task.signal) == read.signals.end()) {
    return false;
  }
  // Metrics without data points have no time, and no table that could have one.
  if (time.is_everything() && !task.root_files.empty()) {
    return true;
  }
  for (const otap::TableKind table : ItemTables(task.signal)) {
    for (const lake::FileSummaryPtr& file : task.files->of(table)) {
      if (MayHaveTimes(*file, time)) {
        return true;
      }
    }
  }
  return false;
}

Status Archive::Read(const select::TimeRange& time, const Visit& visit,
                     const std::vector<otap::Signal>& signals) {
  lake::ReadOptions read = read_;
  if (!signals.empty()) {
    read.signals = signals;
  }
  select::Wishes wishes = wishes_;
  const auto later = [](std::optional<int64_t> a, std::optional<int64_t> b) {
    return a.has_value() && b.has_value() ? std::max(a, b) : a.has_value() ? a : b;
  };
  const auto earlier = [](std::optional<int64_t> a, std::optional<int64_t> b) {
    return a.has_value() && b.has_value() ? std::min(a, b) : a.has_value() ? a : b;
  };
  wishes.time = {later(wishes.time.from, time.from), earlier(wishes.time.to, time.to)};
  read.selector = std::make_shared<const select::Selector>(std::move(wishes));
  std::vector<const lake::PartitionWork*> works;
  for (const lake::PartitionWork& work : partitions_) {
    if (std::any_of(work.tasks.begin(), work.tasks.end(),
                    [&](const lake::PartitionTask& task) { return IsWanted(task, read); })) {
      works.push_back(&work);
    }
  }
  std::atomic<size_t> next = 0;
  std::atomic<bool> has_failed = false;
  const int num_threads =
      std::clamp(static_cast<int>(works.size()), 1, std::max(options_.num_threads, 1));
  return RunThreads(num_threads, [&](size_t thread) -> Status {
    for (size_t i = next++; i < works.size() && !has_failed; i = next++) {
      const Status status = ReadPartition(*works[i], read, visit, thread);
      if (!status.ok()) {
        has_failed = true;
        return status;
      }
    }
    return Status::OK();
  });
}

void Archive::ForEachPartition(
    const std::function<void(const lake::PartitionFiles&)>& visit) const {
  std::atomic<size_t> next = 0;
  const Status ended = RunThreads(options_.num_threads, [&](size_t) {
    for (size_t i = next++; i < partitions_.size(); i = next++) {
      visit(*partitions_[i].files);
    }
    return Status::OK();
  });
}

Status Archive::ReadTask(const lake::PartitionTask& task, const lake::ReadOptions& read,
                         const std::function<Status(const lake::Payload&)>& visit,
                         lake::MemoryBudget* budget, lake::ReadReport* report) {
  const auto reader = lake::PartitionReader::Make(store_.get(), base(), task, read, budget, report);
  if (!reader.ok()) {
    report->Add(reader.status());
    return Status::OK();
  }
  while (true) {
    const auto payload = (*reader)->Next();
    if (!payload.ok()) {
      report->Add(payload.status());
      return Status::OK();
    }
    if (!payload->has_value()) {
      return Status::OK();
    }
    if ((**payload).batch != nullptr) {
      ARROW_RETURN_NOT_OK(visit(**payload));
    }
  }
}

Status Archive::ReadPartition(const lake::PartitionWork& work, const lake::ReadOptions& read,
                              const Visit& visit, size_t thread) {
  lake::MemoryBudget budget(options_.memory_limit_bytes / options_.num_threads);
  lake::ReadReport report;
  Status visited;
  for (const lake::PartitionTask& task : work.tasks) {
    if (visited.ok() && IsWanted(task, read)) {
      visited = ReadTask(
          task, read, [&](const lake::Payload& payload) { return visit(payload, thread); }, &budget,
          &report);
    }
  }
  list_->Done({}, std::move(report));
  return visited;
}

Status Archive::ReadAll(const lake::PartitionWork& partition, otap::Signal signal,
                        const std::function<Status(const otap::BatchPtr&)>& visit,
                        lake::ReadReport* report) {
  lake::MemoryBudget budget(options_.memory_limit_bytes);
  for (const lake::PartitionTask& task : partition.tasks) {
    if (task.signal == signal) {
      ARROW_RETURN_NOT_OK(ReadTask(
          task, read_, [&](const lake::Payload& payload) { return visit(payload.batch); }, &budget,
          report));
    }
  }
  return Status::OK();
}

}  // namespace df::app
