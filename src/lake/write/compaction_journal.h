// Puts files in the place of others so that readers see either, at any moment and after a crash.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_calls.h"
#include "lake/catalog/compactions.h"
#include "lake/catalog/set_aside.h"

namespace df::lake {

/// Compactions of a local base, one at a time: who has a journal open has the lock of the base.
/// Owner: the lock goes when it falls. Calls: from one thread, blocking on the file system.
class CompactionJournal {
 public:
  /// Makes <base>/_compactions and locks it. `calls` is borrowed. Errors: kind io; where another
  /// process has the lock, a passing one that says so.
  static Result<std::unique_ptr<CompactionJournal>> Open(const std::filesystem::path& base,
                                                         FileCalls* calls = &SystemFileCalls());
  ~CompactionJournal();
  CompactionJournal(const CompactionJournal&) = delete;
  CompactionJournal& operator=(const CompactionJournal&) = delete;

  /// What was found of processes that ended in the middle.
  struct Recovered {
    int64_t finished = 0;    ///< the new files count
    int64_t taken_back = 0;  ///< the old files count
  };

  /// Finishes what was begun: where new files were being moved, they are taken back, and where old
  /// ones were being removed, the rest of them goes. Errors: kinds io and file_discovery.
  Result<Recovered> Recover();

  /// Returns the folder where the new files of a compaction are written, laid out as in the base.
  /// Nothing is made.
  std::filesystem::path StagingOf(const std::string& id) const { return folder_ / id; }
  /// Returns the folder where old files are kept, laid out as in the base.
  std::filesystem::path KeptOf(const std::string& id) const { return folder_ / (id + kKeptEnding); }
  /// Returns the folder where old files are as long as somebody may read them, laid out likewise.
  std::filesystem::path AsideOf(const std::string& id) const {
    return folder_ / (id + kSetAsideEnding);
  }

  /// Moves the new files from their staging folder to their places, in their order, and removes the
  /// old ones, in theirs, or sets them aside where somebody is reading them. When it returns OK
  /// that is durable. Errors: kind io; what counts then is for Recover to settle.
  Status Run(Compaction compaction);

  /// Removes old files that were set aside because somebody was reading the base: all of them when
  /// nobody does, else those of compactions that had begun before a time.
  void RemoveSetAside(int64_t before_unix_nanos);

  /// Files that Run has set aside and not removed, because somebody is reading the base.
  int64_t num_set_aside() const { return num_set_aside_; }

  /// Removes the files that say what became of compactions before a time.
  void ForgetBefore(int64_t unix_nanos);

  /// Removes what was staged and is not wanted.
  void Discard(const std::string& id) const;

 private:
  CompactionJournal(std::filesystem::path base, FileCalls* calls, int lock)
      : base_(std::move(base)), folder_(base_ / kCompactionsFolder), calls_(calls), lock_(lock) {}

  std::filesystem::path PathOf(const std::string& id, CompactionStage stage) const {
    return folder_ / CompactionName(id, stage);
  }
  Status Advance(Compaction* compaction, CompactionStage to) const;
  Status MoveNew(const Compaction& compaction) const;
  Status TakeBack(const Compaction& compaction) const;
  Status Finish(Compaction* compaction);
  Status RemoveOld(const Compaction& compaction);
  bool HasReaders() const;
  Status SyncFolders(const std::vector<std::string>& files) const;
  void RemoveEmptyFolders(const std::vector<std::string>& files) const;

  std::filesystem::path base_;
  std::filesystem::path folder_;
  FileCalls* calls_;
  int lock_;
  int64_t num_set_aside_ = 0;
};

}  // namespace df::lake
