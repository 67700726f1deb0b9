// Summaries of footers that outlive the process, in SQLite.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include <arrow/result.h>

#include "lake/catalog/catalog.h"
#include "lake/catalog/file_summary.h"
#include "lake/catalog/schema_registry.h"

namespace df::lake {

class Database;
class Query;

/// A summary is used only for a file that the listing shows exactly as it was: path, size, times,
/// inode. A file that was changed within kRaceWindow of being read is not kept, since another
/// change could leave its times as they are. Every entry has a checksum; what does not fit is read
/// anew. Whoever reads a file compares its footer with the summary, so a summary that is wrong all
/// the same ends as a named error, and is forgotten. Calls: from any thread; several processes may
/// use one cache.
class FooterCache : public std::enable_shared_from_this<FooterCache> {
 public:
  using Clock = std::function<std::chrono::system_clock::time_point()>;

  struct Counts {
    int64_t found = 0;    ///< footers that were not read
    int64_t missing = 0;  ///< not known, or changed since
    int64_t kept = 0;
    int64_t lost = 0;  ///< could not be written
  };

  /// Opens the cache of a tree in a local directory, which is made when it is missing (0700). What
  /// is damaged, or of an older version, is set aside or emptied, and `notice` says so. `tree` is
  /// the one name of the tree. Errors: io, when the directory cannot be used, or a newer version
  /// wrote the file.
  static Result<std::shared_ptr<FooterCache>> Open(const std::string& directory,
                                                   const std::string& tree, Clock clock,
                                                   std::string* notice);
  ~FooterCache();

  /// Gives the registry what earlier processes knew. Before the first Find.
  Status RestoreSchemas(SchemaRegistry* schemas);

  /// A file that is looked for. Owner: borrows the entry.
  struct Wanted {
    const FileEntry* entry = nullptr;
    otap::TableKind table = otap::TableKind::kLogs;
  };
  /// Returns the summaries of files, null where one is not known. All look-ups until the next Write
  /// see one state of the database.
  std::vector<FileSummaryPtr> FindAll(std::span<const Wanted> wanted,
                                      const SchemaRegistry& schemas);
  /// Returns the summary of one.
  FileSummaryPtr Find(const FileEntry& entry, otap::TableKind table, const SchemaRegistry& schemas);

  /// Keeps a summary that has a schema. It is written with others, at the latest by Write.
  void Keep(const FileSummary& file);

  /// Gives out nothing of this path until it is kept anew.
  void Forget(const std::string& path);

  /// Removes what the listing does not show, when that is more than half.
  void Prune(const LakeListing& listing);

  /// Writes what was kept, and schemas that have changed. Errors: io; what was not written is lost.
  Status Write(SchemaRegistry* schemas);

  Counts counts() const;
  /// Why nothing is written any more; OK while it is.
  Status failure() const;

  static constexpr std::chrono::seconds kRaceWindow{2};
  static constexpr const char* kFileName = "footers.sqlite";

  /// One tree of a cache and its schemas.
  struct TreeSchemas {
    std::string tree;
    int64_t num_files = 0;
    std::vector<SchemaVersion> versions;  ///< by table, the oldest first
  };
  /// Reads the schemas of all trees. Errors: io, when there is no cache in the directory.
  static Result<std::vector<TreeSchemas>> ReadSchemas(const std::string& directory);

 private:
  struct Pending {
    FileEntry entry;
    std::string summary;
  };

  FooterCache(std::unique_ptr<Database> database, int64_t tree, Clock clock);
  Status WritePending();
  Result<std::string> LookUp(const FileEntry& entry);
  /// Ends the transaction of look-ups: before anything is written.
  Status EndReading();

  std::unique_ptr<Database> database_;
  std::unique_ptr<Query> find_;  ///< goes before its database
  bool is_reading_ = false;      ///< a transaction of look-ups is open
  int64_t tree_ = 0;
  Clock clock_;
  mutable std::mutex mutex_;
  std::vector<Pending> pending_;
  std::unordered_set<std::string> forgotten_;
  Counts counts_;
  Status failure_;
};

}  // namespace df::lake
