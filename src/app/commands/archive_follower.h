// What comes to an archive after a command has opened it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "app/commands/archive.h"
#include "base/error.h"
#include "lake/queue/work_list.h"
#include "lake/read/payload.h"

namespace df::app {

/// Calls: from one thread.
class ArchiveFollower {
 public:
  /// Everything that `archive` has found counts as known. The archive is borrowed. Errors: Invalid
  /// where only what is there at one time can be asked for: a single file, and conditions that look
  /// at whole traces.
  static Result<std::unique_ptr<ArchiveFollower>> Make(Archive* archive,
                                                       std::chrono::nanoseconds interval);
  ~ArchiveFollower();

  /// Calls `visit` with what is wanted of the files that have come. Files that do not seem to be
  /// whole wait, as those of a receiver that follows. Returns when to look again. Errors: what
  /// `visit` returns.
  Result<std::chrono::system_clock::time_point> ReadNew(
      const std::function<Status(const lake::Payload&)>& visit);

  /// Can be read (poll) when something has come since ReadNew looked; -1 where nobody tells of
  /// that. Owner: the follower.
  int wake_descriptor() const { return wakes_; }

  /// Returns what is missing or unread and was not returned before.
  std::vector<std::string> TakeProblems();

 private:
  explicit ArchiveFollower(Archive* archive) : archive_(*archive) {}
  void Watch();
  Status Read(const lake::PartitionWork& work,
              const std::function<Status(const lake::Payload&)>& visit);
  Status ReadTask(const lake::PartitionTask& task,
                  const std::function<Status(const lake::Payload&)>& visit,
                  lake::MemoryBudget* budget, lake::ReadReport* report,
                  std::vector<lake::RootOutcome>* outcomes);

  Archive& archive_;
  int wakes_ = -1;  ///< an eventfd
  std::unique_ptr<lake::WorkList> list_;
  std::set<std::string> told_;  ///< messages that are in the report
};

}  // namespace df::app
