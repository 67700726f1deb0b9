#include "app/commands/archive_follower.h"

#include <map>
#include <utility>

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lake/queue/trace_search.h"
#include "lake/read/partition_reader.h"
#include "lake/scan/memory_budget.h"
#include "storage/inotify_watch.h"

namespace df::app {
namespace {

using std::chrono::system_clock;

/// The files of records that an archive has found, as those that have arrived.
std::vector<lake::DeliveredFile> KnownFilesOf(const Archive& archive) {
  std::vector<lake::DeliveredFile> known;
  for (const lake::PartitionWork& work : archive.partitions()) {
    for (const lake::PartitionTask& task : work.tasks) {
      const auto& roots = task.files->of(otap::RootTable(task.signal));
      for (const size_t index : task.root_files) {
        const lake::FileSummary& root = *roots[index];
        known.push_back({.id = {.table = root.kind,
                                .partition = task.files->partition,
                                .path = root.entry.path,
                                .digest = root.digest,
                                .size_bytes = root.entry.size_bytes,
                                .modified_nanos = root.entry.modified_nanos,
                                .number = root.entry.number,
                                .content = std::nullopt},
                         .num_rows = root.num_rows(),
                         .is_whole = true,
                         .rows = {}});
      }
    }
  }
  return known;
}

}  // namespace

Result<std::unique_ptr<ArchiveFollower>> ArchiveFollower::Make(Archive* archive,
                                                               std::chrono::nanoseconds interval) {
  if (!archive->options().path.file.empty()) {
    return Status::Invalid(
        "--follow: a single file does not change; expected an archive, a table "
        "or a partition");
  }
  if (lake::TraceSearch::IsNeeded(archive->read_options())) {
    return Status::Invalid(
        "--follow: a condition on whole traces (trace.any) needs all of their "
        "spans, and some are still to come");
  }
  std::unique_ptr<ArchiveFollower> follower(new ArchiveFollower(archive));
  auto ledger = std::make_shared<lake::FileLedger>();
  ledger->Restore(KnownFilesOf(*archive));
  follower->list_ = std::make_unique<lake::WorkList>(
      archive->shared_store(), archive->base(), archive->read_options(),
      lake::FollowOptions{.polling_interval = interval}, [] { return system_clock::now(); });
  follower->list_->UseLedger(std::move(ledger));
  follower->Watch();
  return follower;
}

ArchiveFollower::~ArchiveFollower() {
  list_.reset();  // its watch writes to the descriptor
  if (wakes_ >= 0) {
    close(wakes_);
  }
}

/// Has changes of a local archive told. Where that cannot be, looks every interval have to do.
void ArchiveFollower::Watch() {
  if (!archive_.store().is_local()) {
    return;
  }
  auto watch = storage::InotifyWatch::Make();
  wakes_ = watch.ok() ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
  if (wakes_ < 0) {
    return;
  }
  list_->OnWake([this] {
    const uint64_t one = 1;
    (void)!write(wakes_, &one, sizeof one);  // fails only where it can be read already
  });
  list_->UseWatch(*std::move(watch));
}

Result<system_clock::time_point> ArchiveFollower::ReadNew(
    const std::function<Status(const lake::Payload&)>& visit) {
  if (uint64_t num_wakes = 0; wakes_ >= 0) {
    (void)!read(wakes_, &num_wakes, sizeof num_wakes);  // of before this look
  }
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const lake::WorkList::Taken taken, list_->Take());
    if (!taken.work.has_value()) {
      return taken.wait_until.value_or(system_clock::now());
    }
    ARROW_RETURN_NOT_OK(Read(*taken.work, visit));
  }
}

Status ArchiveFollower::Read(const lake::PartitionWork& work,
                             const std::function<Status(const lake::Payload&)>& visit) {
  lake::MemoryBudget budget(archive_.options().memory_limit_bytes);
  lake::ReadReport report;
  std::vector<lake::RootOutcome> outcomes;
  Status visited;
  for (const lake::PartitionTask& task : work.tasks) {
    if (visited.ok()) {
      visited = ReadTask(task, visit, &budget, &report, &outcomes);
    }
  }
  list_->Done(outcomes, std::move(report));
  return visited;
}

Status ArchiveFollower::ReadTask(const lake::PartitionTask& task,
                                 const std::function<Status(const lake::Payload&)>& visit,
                                 lake::MemoryBudget* budget, lake::ReadReport* report,
                                 std::vector<lake::RootOutcome>* outcomes) {
  auto reader = lake::PartitionReader::Make(&archive_.store(), archive_.base(), task,
                                            archive_.read_options(), budget, report);
  if (!reader.ok()) {
    report->Add(reader.status());
    return Status::OK();
  }
  std::map<std::string, std::shared_ptr<lake::FileClaim>> claims;  // by path
  for (size_t i = 0; i < task.root_files.size(); ++i) {
    const auto& roots = task.files->of(otap::RootTable(task.signal));
    claims.emplace(roots[task.root_files[i]]->entry.path, task.claims[i]);
  }
  Status visited;
  while (visited.ok()) {
    const auto payload = (*reader)->Next();
    if (!payload.ok() || !payload->has_value()) {
      report->AddUnlessOk(payload.status());
      break;
    }
    if ((**payload).batch == nullptr) {
      continue;
    }
    const lake::Origin& origin = (**payload).origin;
    lake::Delivery delivery =
        claims.at(origin.file)->Send(origin.row_group, origin.first_row, origin.num_rows);
    visited = visit(**payload);
    if (visited.ok()) {
      delivery.Ack();
    }
  }
  outcomes->insert(outcomes->end(), (*reader)->outcomes().begin(), (*reader)->outcomes().end());
  return visited;
}

std::vector<std::string> ArchiveFollower::TakeProblems() {
  const lake::ReadReport report = list_->Report();
  std::vector<std::string> added;
  std::set<std::string> told;  // what is in no list any more need not be remembered
  for (const auto* problems : {&report.problems, &report.latest}) {
    for (const lake::Problem& problem : *problems) {
      if (!told_.contains(problem.message)) {
        added.push_back(fmt::format("{}: {}", Name(problem.kind), problem.message));
      }
      told.insert(problem.message);
    }
  }
  told_ = std::move(told);
  return added;
}

}  // namespace df::app
