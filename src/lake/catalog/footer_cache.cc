#include "lake/catalog/footer_cache.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include <fmt/compile.h>
#include <fmt/format.h>
#include <parquet/xxhasher.h>

#include "lake/catalog/database.h"
#include "lake/catalog/summary_codec.h"

namespace df::lake {
namespace {

constexpr size_t kMostPending = 512;
/// Listed files are looked for among those that are kept when there are so many more of these.
constexpr int64_t kSlackFiles = 1000;

constexpr const char* kTables =
    "CREATE TABLE IF NOT EXISTS trees("
    "id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE IF NOT EXISTS files("
    "tree INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL,"
    "changed INTEGER NOT NULL, inode INTEGER NOT NULL, checksum INTEGER NOT NULL,"
    "summary BLOB NOT NULL, PRIMARY KEY(tree, path)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS schemas("
    "tree INTEGER NOT NULL, table_name TEXT NOT NULL, fingerprint TEXT NOT NULL,"
    "columns TEXT NOT NULL, first_file TEXT NOT NULL, first_modified INTEGER NOT NULL,"
    "last_file TEXT NOT NULL, last_modified INTEGER NOT NULL,"
    "PRIMARY KEY(tree, table_name, fingerprint)) WITHOUT ROWID;";

/// What a summary is true of, and the summary: a page of the database that went bad must not be
/// taken for one.
int64_t ChecksumOf(const FileEntry& entry, std::string_view summary) {
  const parquet::XxHasher hasher;
  fmt::memory_buffer key;
  fmt::format_to(std::back_inserter(key), FMT_COMPILE("{}\n{}\n{}\n{}\n{}\n{:016x}"), entry.path,
                 entry.size_bytes, entry.modified_nanos, entry.changed_nanos, entry.number.inode,
                 hasher.Hash(summary));
  return static_cast<int64_t>(hasher.Hash(std::string_view(key.data(), key.size())));
}

Status IoError(const std::string& path, const std::string& message) {
  return MakeError(ErrorKind::kIo, fmt::format("catalog.cache: {}", message), {.file = path});
}

Result<int64_t> FormatOf(const Database& database) {
  ARROW_ASSIGN_OR_RAISE(Query query, database.Prepare("PRAGMA user_version"));
  ARROW_ASSIGN_OR_RAISE(const bool has_row, query.Next());
  return has_row ? query.Integer(0) : 0;
}

Result<std::unique_ptr<Database>> OpenOrSetAside(const std::string& path, std::string* notice) {
  bool is_damaged = false;
  auto database = Database::Open(path, /*is_read_only=*/false, &is_damaged);
  if (database.ok() || !is_damaged) {
    return database;
  }
  const std::string aside = path + ".damaged";
  std::error_code error;
  std::filesystem::rename(path, aside, error);
  if (error) {
    return database;
  }
  for (const char* companion : {"-wal", "-shm"}) {
    std::filesystem::remove(path + companion, error);
  }
  *notice = fmt::format("{} was damaged ({}) and is {} now; footers are read anew", path,
                        database.status().message(), aside);
  return Database::Open(path, /*is_read_only=*/false, &is_damaged);
}

Status MakeTables(Database* database, std::string* notice) {
  ARROW_ASSIGN_OR_RAISE(const int64_t format, FormatOf(*database));
  if (format > kSummaryFormat) {
    return IoError(database->path(),
                   fmt::format("it has format {}, of a newer version of this program, which reads "
                               "formats up to {}; give another directory",
                               format, kSummaryFormat));
  }
  ARROW_RETURN_NOT_OK(database->Run("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"));
  ARROW_RETURN_NOT_OK(database->Run(kTables));
  if (format == kSummaryFormat) {
    return Status::OK();
  }
  if (format != 0) {
    // An older version found out less: schemas hold, summaries do not.
    ARROW_RETURN_NOT_OK(database->Run("DELETE FROM files"));
    *notice = fmt::format("{} was of an older version; footers are read anew", database->path());
  }
  return database->Run(fmt::format("PRAGMA user_version={}", kSummaryFormat).c_str());
}

Result<int64_t> TreeOf(Database* database, const std::string& tree) {
  ARROW_ASSIGN_OR_RAISE(Query add,
                        database->Prepare("INSERT OR IGNORE INTO trees(name) VALUES(?)"));
  ARROW_RETURN_NOT_OK(add.Bind(0, std::string_view(tree)).Run());
  ARROW_ASSIGN_OR_RAISE(Query find, database->Prepare("SELECT id FROM trees WHERE name=?"));
  ARROW_ASSIGN_OR_RAISE(const bool has_row, find.Bind(0, std::string_view(tree)).Next());
  return has_row ? Result<int64_t>(find.Integer(0))
                 : IoError(database->path(), "the tree that was added is not there");
}

std::string JoinLines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line;
    text += '\n';
  }
  return text;
}

std::vector<std::string> SplitLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

/// Calls `visit` with the versions of a tree. What is damaged is left out: it will be found anew.
Status VisitSchemas(const Database& database, int64_t tree,
                    const std::function<void(SchemaVersion)>& visit) {
  ARROW_ASSIGN_OR_RAISE(
      Query query,
      database.Prepare("SELECT table_name, fingerprint, columns, first_file, first_modified, "
                       "last_file, last_modified FROM schemas WHERE tree=?"));
  query.Bind(0, tree);
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool has_row, query.Next());
    if (!has_row) {
      return Status::OK();
    }
    const otap::TableInfo* table = otap::FindTable(query.Text(0));
    if (table == nullptr) {
      continue;
    }
    auto schema =
        std::make_shared<const TableSchema>(SchemaWith(table->kind, SplitLines(query.Text(2))));
    if (schema->fingerprint == query.Text(1)) {
      visit({.schema = std::move(schema),
             .first_file = std::string(query.Text(3)),
             .first_modified_nanos = query.Integer(4),
             .last_file = std::string(query.Text(5)),
             .last_modified_nanos = query.Integer(6)});
    }
  }
}

/// Runs statements as one; others see all of them or none.
Status InTransaction(Database* database, const std::function<Status()>& run) {
  ARROW_RETURN_NOT_OK(database->Run("BEGIN IMMEDIATE"));
  Status status = run();
  if (status.ok()) {
    status = database->Run("COMMIT");
  }
  if (!status.ok()) {
    (void)database->Run("ROLLBACK");  // what began it has failed already
  }
  return status;
}

}  // namespace

FooterCache::FooterCache(std::unique_ptr<Database> database, int64_t tree, Clock clock)
    : database_(std::move(database)), tree_(tree), clock_(std::move(clock)) {}

FooterCache::~FooterCache() {
  const std::lock_guard lock(mutex_);
  (void)WritePending();  // a cache may lose what it has not written
}

Result<std::shared_ptr<FooterCache>> FooterCache::Open(const std::string& directory,
                                                       const std::string& tree, Clock clock,
                                                       std::string* notice) {
  std::error_code error;
  const bool is_new = std::filesystem::create_directories(directory, error);
  if (error) {
    return IoError(directory, fmt::format("the directory cannot be made: {}", error.message()));
  }
  if (is_new) {
    // Names of files are nobody else's business.
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
  }
  const std::string path = (std::filesystem::path(directory) / kFileName).string();
  ARROW_ASSIGN_OR_RAISE(auto database, OpenOrSetAside(path, notice));
  ARROW_RETURN_NOT_OK(MakeTables(database.get(), notice));
  ARROW_ASSIGN_OR_RAISE(const int64_t id, TreeOf(database.get(), tree));
  return std::shared_ptr<FooterCache>(new FooterCache(std::move(database), id, std::move(clock)));
}

Status FooterCache::RestoreSchemas(SchemaRegistry* schemas) {
  const std::lock_guard lock(mutex_);
  return VisitSchemas(*database_, tree_,
                      [schemas](SchemaVersion version) { schemas->Restore(std::move(version)); });
}

/// Returns the bytes of a summary whose checksum is right; "" where there are none.
Result<std::string> FooterCache::LookUp(const FileEntry& entry) {
  if (!is_reading_) {
    // Each statement by itself would lock the database and look for changes.
    ARROW_RETURN_NOT_OK(database_->Run("BEGIN"));
    is_reading_ = true;
  }
  if (find_ == nullptr) {
    ARROW_ASSIGN_OR_RAISE(
        Query query,
        database_->Prepare("SELECT summary, checksum FROM files WHERE tree=? AND path=? AND "
                           "size=? AND modified=? AND changed=? AND inode=?"));
    find_ = std::make_unique<Query>(std::move(query));
  }
  find_->Bind(0, tree_)
      .Bind(1, std::string_view(entry.path))
      .Bind(2, entry.size_bytes)
      .Bind(3, entry.modified_nanos)
      .Bind(4, entry.changed_nanos)
      .Bind(5, static_cast<int64_t>(entry.number.inode));
  ARROW_ASSIGN_OR_RAISE(const bool has_row, find_->Next());
  if (!has_row) {
    return std::string();
  }
  const std::string_view bytes = find_->Text(0);
  std::string found(find_->Integer(1) == ChecksumOf(entry, bytes) ? bytes : std::string_view());
  find_->End();
  return found;
}

Status FooterCache::EndReading() {
  return std::exchange(is_reading_, false) ? database_->Run("COMMIT") : Status::OK();
}

std::vector<FileSummaryPtr> FooterCache::FindAll(std::span<const Wanted> wanted,
                                                 const SchemaRegistry& schemas) {
  std::vector<std::string> bytes(wanted.size());
  {
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < wanted.size() && failure_.ok(); ++i) {
      if (forgotten_.contains(wanted[i].entry->path)) {
        continue;
      }
      auto found = LookUp(*wanted[i].entry);
      if (found.ok()) {
        bytes[i] = *std::move(found);
      } else {
        failure_ = found.status();
      }
    }
  }
  // Others look up while these are decoded.
  std::vector<FileSummaryPtr> summaries(wanted.size());
  int64_t num_found = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    auto summary = bytes[i].empty() ? nullptr : DecodeSummary(bytes[i], wanted[i].table, schemas);
    if (summary != nullptr) {
      summary->entry = *wanted[i].entry;
      summary->cache = weak_from_this();
      summaries[i] = std::move(summary);
      ++num_found;
    }
  }
  const std::lock_guard lock(mutex_);
  counts_.found += num_found;
  counts_.missing += static_cast<int64_t>(wanted.size()) - num_found;
  return summaries;
}

FileSummaryPtr FooterCache::Find(const FileEntry& entry, otap::TableKind table,
                                 const SchemaRegistry& schemas) {
  const Wanted wanted{&entry, table};
  return FindAll({&wanted, 1}, schemas).front();
}

void FooterCache::Keep(const FileSummary& file) {
  const std::lock_guard lock(mutex_);
  const FileEntry& entry = file.entry;
  const auto settled =
      std::chrono::nanoseconds(std::max(entry.modified_nanos, entry.changed_nanos)) + kRaceWindow;
  if (!failure_.ok() || clock_().time_since_epoch() < settled) {
    return;
  }
  forgotten_.erase(entry.path);
  pending_.push_back({.entry = entry, .summary = EncodeSummary(file)});
  if (pending_.size() >= kMostPending) {
    (void)WritePending();  // failure_ keeps why
  }
}

void FooterCache::Forget(const std::string& path) {
  const std::lock_guard lock(mutex_);
  forgotten_.insert(path);
}

Status FooterCache::WritePending() {
  if (!failure_.ok()) {
    counts_.lost += static_cast<int64_t>(pending_.size());
    pending_.clear();
    return failure_;
  }
  if (pending_.empty() && forgotten_.empty()) {
    return Status::OK();
  }
  const auto write = [this] {
    ARROW_ASSIGN_OR_RAISE(Query remove,
                          database_->Prepare("DELETE FROM files WHERE tree=? AND path=?"));
    for (const std::string& path : forgotten_) {
      ARROW_RETURN_NOT_OK(remove.Bind(0, tree_).Bind(1, std::string_view(path)).Run());
    }
    ARROW_ASSIGN_OR_RAISE(
        Query add, database_->Prepare("INSERT OR REPLACE INTO files VALUES(?,?,?,?,?,?,?,?)"));
    for (const Pending& file : pending_) {
      add.Bind(0, tree_)
          .Bind(1, std::string_view(file.entry.path))
          .Bind(2, file.entry.size_bytes)
          .Bind(3, file.entry.modified_nanos)
          .Bind(4, file.entry.changed_nanos)
          .Bind(5, static_cast<int64_t>(file.entry.number.inode))
          .Bind(6, ChecksumOf(file.entry, file.summary))
          .BindBytes(7, file.summary);
      ARROW_RETURN_NOT_OK(add.Run());
    }
    return Status::OK();
  };
  failure_ = EndReading();
  failure_ = failure_.ok() ? InTransaction(database_.get(), write) : failure_;
  (failure_.ok() ? counts_.kept : counts_.lost) += static_cast<int64_t>(pending_.size());
  pending_.clear();
  if (failure_.ok()) {
    forgotten_.clear();  // there is nothing of them that could be given out
  }
  return failure_;
}

void FooterCache::Prune(const LakeListing& listing) {
  const std::lock_guard lock(mutex_);
  const auto prune = [&]() -> Status {
    ARROW_RETURN_NOT_OK(EndReading());
    ARROW_ASSIGN_OR_RAISE(Query count,
                          database_->Prepare("SELECT count(*) FROM files WHERE tree=?"));
    ARROW_ASSIGN_OR_RAISE(const bool has_row, count.Bind(0, tree_).Next());
    const int64_t num_kept = has_row ? count.Integer(0) : 0;
    count.End();
    if (num_kept <= 2 * listing.num_files + kSlackFiles) {
      return Status::OK();
    }
    std::unordered_set<std::string_view> listed;
    for (const PartitionListing& partition : listing.partitions) {
      for (const auto& table : partition.tables) {
        for (const FileEntry& entry : table) {
          listed.insert(entry.path);
        }
      }
    }
    std::vector<std::string> gone;
    ARROW_ASSIGN_OR_RAISE(Query paths, database_->Prepare("SELECT path FROM files WHERE tree=?"));
    paths.Bind(0, tree_);
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const bool has_path, paths.Next());
      if (!has_path) {
        break;
      }
      if (!listed.contains(paths.Text(0))) {
        gone.emplace_back(paths.Text(0));
      }
    }
    return InTransaction(database_.get(), [&] {
      ARROW_ASSIGN_OR_RAISE(Query remove,
                            database_->Prepare("DELETE FROM files WHERE tree=? AND path=?"));
      for (const std::string& path : gone) {
        ARROW_RETURN_NOT_OK(remove.Bind(0, tree_).Bind(1, std::string_view(path)).Run());
      }
      return Status::OK();
    });
  };
  if (failure_.ok()) {
    failure_ = prune();
  }
}

Status FooterCache::Write(SchemaRegistry* schemas) {
  const std::lock_guard lock(mutex_);
  ARROW_RETURN_NOT_OK(WritePending());
  ARROW_RETURN_NOT_OK(EndReading());
  const std::vector<SchemaVersion> changed = schemas->TakeChanged();
  if (changed.empty()) {
    return Status::OK();
  }
  failure_ = InTransaction(database_.get(), [&] {
    // Another process may have seen older or newer files meanwhile.
    ARROW_ASSIGN_OR_RAISE(
        Query add,
        database_->Prepare(
            "INSERT INTO schemas VALUES(?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
            "first_file=iif(excluded.first_modified<first_modified,excluded.first_file,first_file),"
            "first_modified=min(first_modified,excluded.first_modified),"
            "last_file=iif(excluded.last_modified>last_modified,excluded.last_file,last_file),"
            "last_modified=max(last_modified,excluded.last_modified)"));
    for (const SchemaVersion& version : changed) {
      const std::string columns = JoinLines(version.schema->columns);
      add.Bind(0, tree_)
          .Bind(1, otap::GetTable(version.schema->table).directory)
          .Bind(2, std::string_view(version.schema->fingerprint))
          .Bind(3, std::string_view(columns))
          .Bind(4, std::string_view(version.first_file))
          .Bind(5, version.first_modified_nanos)
          .Bind(6, std::string_view(version.last_file))
          .Bind(7, version.last_modified_nanos);
      ARROW_RETURN_NOT_OK(add.Run());
    }
    return Status::OK();
  });
  return failure_;
}

FooterCache::Counts FooterCache::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

Status FooterCache::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

Result<std::vector<FooterCache::TreeSchemas>> FooterCache::ReadSchemas(
    const std::string& directory) {
  const std::string path = (std::filesystem::path(directory) / kFileName).string();
  bool is_damaged = false;
  ARROW_ASSIGN_OR_RAISE(const auto database,
                        Database::Open(path, /*is_read_only=*/true, &is_damaged));
  std::vector<TreeSchemas> trees;
  ARROW_ASSIGN_OR_RAISE(
      Query query,
      database->Prepare("SELECT id, name, (SELECT count(*) FROM files WHERE tree=trees.id) FROM "
                        "trees ORDER BY name"));
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool has_row, query.Next());
    if (!has_row) {
      return trees;
    }
    SchemaRegistry schemas;
    ARROW_RETURN_NOT_OK(VisitSchemas(*database, query.Integer(0), [&](SchemaVersion version) {
      schemas.Restore(std::move(version));
    }));
    trees.push_back({.tree = std::string(query.Text(1)),
                     .num_files = query.Integer(2),
                     .versions = schemas.Versions()});
  }
}

}  // namespace df::lake
