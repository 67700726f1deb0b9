// What commands need that take files of an archive away.
#pragma once

#include <memory>
#include <string>

#include "app/commands/archive.h"
#include "app/commands/archive_flags.h"
#include "base/error.h"
#include "lake/write/compaction_journal.h"
#include "lake/write/file_store.h"

namespace df::app {

/// An archive that nobody else compacts or prunes.
struct ArchiveToRewrite {
  /// Both are null where the archive is only looked at.
  std::unique_ptr<lake::FileStore> store;
  std::unique_ptr<lake::CompactionJournal> journal;
  std::unique_ptr<Archive> archive;
};

/// Opens a local archive, all signals of it. Unless it is only looked at, what writers, compactions
/// and prunings have left in the middle is finished before; remarks about that go to stderr.
/// Errors: Invalid where PATH is a part of an archive or in a store; as CompactionJournal,
/// FileStore::RemoveStale, RecoverStagedSets and OpenArchive.
Result<ArchiveToRewrite> OpenForRewriting(const std::string& command, const ArchiveFlags& flags,
                                          bool is_only_looked_at);

/// Says on stderr what was not removed because somebody is reading it.
void TellSetAside(const std::string& command, const ArchiveFlags& flags,
                  const lake::CompactionJournal& journal);

/// Says why files of a partition must not be removed now: another program works on them, or they
/// have other names. "" for nothing.
std::string WhyInUse(const std::string& base, const lake::PartitionWork& partition);

/// Returns a name for a compaction that no other has.
std::string NewCompactionId(int64_t now_nanos);

}  // namespace df::app
