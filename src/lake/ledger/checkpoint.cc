#include "lake/ledger/checkpoint.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/text.h"
#include "lake/ledger/progress.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestName = 100;
constexpr mode_t kOfTheUser = 0700;
constexpr mode_t kOfTheUserOnly = 0600;  // of files

constexpr const char* kTables =
    "CREATE TABLE IF NOT EXISTS subject (version INTEGER NOT NULL, base TEXT NOT NULL,"
    " selection TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS files (number INTEGER PRIMARY KEY, state TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS saved (unix_nano INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS quarantine (number INTEGER PRIMARY KEY, entry TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS children (path_hash INTEGER PRIMARY KEY,"
    " content INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS children_of (first_number INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS file_units (number INTEGER PRIMARY KEY, unit TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS files_by_unit ON file_units (unit);"
    "CREATE TABLE IF NOT EXISTS quarantine_units (number INTEGER PRIMARY KEY, unit TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS quarantine_by_unit ON quarantine_units (unit);";

/// Makes a folder and those above it that are missing, for the user alone.
Status MakeFolders(const fs::path& folder) {
  std::error_code error;
  if (folder.empty() || fs::is_directory(folder, error)) {
    return Status::OK();
  }
  ARROW_RETURN_NOT_OK(MakeFolders(folder.parent_path()));
  if (mkdir(folder.c_str(), kOfTheUser) != 0 && errno != EEXIST) {
    return FileError(folder, "cannot make the folder", errno);
  }
  const fs::path parent = folder.parent_path();
  return SyncDirectory(&SystemFileCalls(), parent.empty() ? "." : parent);
}

std::string ShowSelection(const std::string& selection) {
  return selection.empty() ? "everything" : PrintableText(selection);
}

}  // namespace

bool Checkpoint::IsName(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char letter) {
           return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                  (letter >= '0' && letter <= '9') || letter == '.' || letter == '_' ||
                  letter == '-';
         });
}

Result<std::unique_ptr<Checkpoint>> Checkpoint::OpenLocked(const std::string& directory,
                                                           const std::string& name, Access access,
                                                           WallClock clock) {
  const fs::path folder(directory);
  ARROW_RETURN_NOT_OK(MakeFolders(folder));
  const std::string database = (folder / (name + ".sqlite")).string();
  ARROW_ASSIGN_OR_RAISE(const int lock,
                        LockFile((folder / (name + ".lock")).string(), database, access));
  std::unique_ptr<Checkpoint> checkpoint(new Checkpoint(database, lock, access, std::move(clock)));
  ARROW_RETURN_NOT_OK(checkpoint->Prepare());
  return checkpoint;
}

Result<std::unique_ptr<Checkpoint>> Checkpoint::Open(const std::string& directory,
                                                     const std::string& name,
                                                     const CheckpointSubject& subject,
                                                     WallClock clock) {
  ARROW_ASSIGN_OR_RAISE(auto checkpoint,
                        OpenLocked(directory, name, Access::kAlone, std::move(clock)));
  ARROW_RETURN_NOT_OK(checkpoint->CheckSubject(subject));
  return checkpoint;
}

Result<std::unique_ptr<Checkpoint>> Checkpoint::OpenAny(const std::string& directory,
                                                        const std::string& name) {
  return OpenLocked(directory, name, Access::kAlone,
                    [] { return std::chrono::system_clock::now(); });
}

Result<std::unique_ptr<Checkpoint>> Checkpoint::OpenToRead(const std::string& directory,
                                                           const std::string& name) {
  return OpenLocked(directory, name, Access::kReading,
                    [] { return std::chrono::system_clock::now(); });
}

Status Checkpoint::Prepare() {
  const Status damaged = Status::Invalid(
      fmt::format("checkpoint '{}': the file is damaged, and what was delivered is not known; move "
                  "it away to send everything again",
                  PrintableText(path_)));
  bool is_damaged = false;
  auto opened = Database::Open(path_, /*is_read_only=*/false, &is_damaged);
  if (!opened.ok()) {
    return is_damaged ? damaged : opened.status();
  }
  database_ = *std::move(opened);
  {
    ARROW_ASSIGN_OR_RAISE(Query check, database_->Prepare("PRAGMA quick_check(1)"));
    ARROW_ASSIGN_OR_RAISE(const bool has_answer, check.Next());
    if (!has_answer || check.Text(0) != "ok") {
      return damaged;
    }
  }
  ARROW_RETURN_NOT_OK(CheckVersion());
  // Each transaction is durable when it has ended: what was said to be saved is not sent again.
  ARROW_RETURN_NOT_OK(database_->Run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"));
  ARROW_RETURN_NOT_OK(database_->Run(kTables));
  LeaseStore leases(database_.get(), ReadMachineTime);
  ARROW_RETURN_NOT_OK(leases.Prepare());
  if (access_ == Access::kAlone) {
    // The lock says that nobody shares it now: what is left was held by processes that were killed.
    // Who has it alone keeps no units; who shares it next writes all of them anew.
    ARROW_RETURN_NOT_OK(InOneTransaction([&]() -> Status {
      ARROW_RETURN_NOT_OK(leases.Clear());
      ARROW_RETURN_NOT_OK(database_->Run("DELETE FROM file_units; DELETE FROM quarantine_units;"));
      return BeginChildren();
    }));
  } else if (access_ == Access::kShared) {
    // What another one has sent went out with children that this one does not know.
    ARROW_RETURN_NOT_OK(InOneTransaction([&] { return ForgetChildren(); }));
  }
  return SyncDirectory(&SystemFileCalls(), fs::path(path_).parent_path());
}

/// Before anything is written: what is newer stays as it is.
Status Checkpoint::CheckVersion() const {
  ARROW_ASSIGN_OR_RAISE(
      Query tables,
      database_->Prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'subject'"));
  ARROW_ASSIGN_OR_RAISE(const bool has_tables, tables.Next());
  if (!has_tables) {
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(Query read, database_->Prepare("SELECT version FROM subject"));
  ARROW_ASSIGN_OR_RAISE(const bool is_there, read.Next());
  return !is_there || read.Integer(0) == kVersion
             ? Status::OK()
             : Status::Invalid(fmt::format("checkpoint '{}': found version {}, expected {}",
                                           PrintableText(path_), read.Integer(0), kVersion));
}

Status Checkpoint::CheckSubject(const CheckpointSubject& subject) const {
  ARROW_ASSIGN_OR_RAISE(Query read, database_->Prepare("SELECT base, selection FROM subject"));
  ARROW_ASSIGN_OR_RAISE(const bool is_there, read.Next());
  if (!is_there) {
    ARROW_ASSIGN_OR_RAISE(Query add, database_->Prepare("INSERT INTO subject VALUES (?, ?, ?)"));
    return add.Bind(0, kVersion).Bind(1, subject.base).Bind(2, subject.selection).Run();
  }
  const auto fail = [this](const std::string& what) {
    return Status::Invalid(fmt::format("checkpoint '{}': {}", PrintableText(path_), what));
  };
  if (read.Text(0) != subject.base) {
    return fail(fmt::format("it is of '{}', not of '{}'; another replay needs another name",
                            PrintableText(read.Text(0)), PrintableText(subject.base)));
  }
  if (read.Text(1) != subject.selection) {
    return fail(
        fmt::format("it is of a replay that sent {}, and this one sends {}; another replay needs "
                    "another name",
                    ShowSelection(std::string(read.Text(1))), ShowSelection(subject.selection)));
  }
  return Status::OK();
}

Result<std::vector<DeliveredFile>> Checkpoint::Load() const {
  ARROW_ASSIGN_OR_RAISE(Query read, database_->Prepare("SELECT number, state FROM files"));
  std::vector<DeliveredFile> files;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool is_there, read.Next());
    if (!is_there) {
      return files;
    }
    ARROW_ASSIGN_OR_RAISE(DeliveredFile file, ReadEntry(read.Integer(0), read.Text(1)));
    files.push_back(std::move(file));
  }
}

Result<DeliveredFile> Checkpoint::ReadEntry(int64_t number, std::string_view state) const {
  auto one = ReadProgress(state);
  if (!one.ok() || one->size() != 1) {
    return Status::Invalid(
        fmt::format("checkpoint '{}': entry {}: {}", PrintableText(path_), number,
                    one.ok() ? fmt::format("found {} files, expected one", one->size())
                             : one.status().message()));
  }
  one->front().number = number;
  return std::move(one->front());
}

Result<CheckpointState> Checkpoint::Read() const {
  CheckpointState state;
  ARROW_ASSIGN_OR_RAISE(Query subject, database_->Prepare("SELECT base, selection FROM subject"));
  ARROW_ASSIGN_OR_RAISE(const bool has_subject, subject.Next());
  if (has_subject) {
    state.subject = {.base = std::string(subject.Text(0)),
                     .selection = std::string(subject.Text(1))};
  }
  ARROW_ASSIGN_OR_RAISE(Query saved, database_->Prepare("SELECT unix_nano FROM saved"));
  ARROW_ASSIGN_OR_RAISE(const bool was_saved, saved.Next());
  if (was_saved) {
    state.saved_unix_nano = saved.Integer(0);
  }
  ARROW_ASSIGN_OR_RAISE(state.files, Load());
  ARROW_ASSIGN_OR_RAISE(state.quarantine, LoadQuarantine());
  return state;
}

Status Checkpoint::InOneTransaction(const std::function<Status()>& change) {
  ARROW_RETURN_NOT_OK(database_->Run("BEGIN IMMEDIATE"));
  Status status = change();
  if (status.ok()) {
    status = database_->Run("COMMIT");
  }
  if (!status.ok()) {
    (void)database_->Run("ROLLBACK");  // what began it has failed already
  }
  return status;
}

Status Checkpoint::Save(const FileLedger::Changes& changes) {
  return InOneTransaction([&] { return Write(changes); });
}

Status Checkpoint::Replace(const CheckpointState& state) {
  ARROW_RETURN_NOT_OK(InOneTransaction([&] { return WriteState(state); }));
  left_out_.clear();
  return Status::OK();
}

Status Checkpoint::WriteState(const CheckpointState& state) {
  ARROW_RETURN_NOT_OK(
      database_->Run("DELETE FROM subject; DELETE FROM files; DELETE FROM saved; "
                     "DELETE FROM quarantine;"));
  ARROW_RETURN_NOT_OK(ForgetChildren());
  ARROW_ASSIGN_OR_RAISE(Query subject, database_->Prepare("INSERT INTO subject VALUES (?, ?, ?)"));
  ARROW_RETURN_NOT_OK(
      subject.Bind(0, kVersion).Bind(1, state.subject.base).Bind(2, state.subject.selection).Run());
  ARROW_ASSIGN_OR_RAISE(Query add, database_->Prepare("INSERT INTO files VALUES (?, ?)"));
  int64_t number = 0;
  for (const DeliveredFile& file : state.files) {
    int64_t num_left_out = 0;
    const std::string text = WriteProgress({&file, 1}, &num_left_out);
    if (num_left_out > 0) {
      return Status::Invalid(
          fmt::format("'{}': found a name that is not UTF-8", PrintableText(file.id.path)));
    }
    ARROW_RETURN_NOT_OK(add.Bind(0, ++number).Bind(1, std::string_view(text)).Run());
  }
  ARROW_RETURN_NOT_OK(WriteQuarantine(state.quarantine, /*leaves_out=*/false));
  ARROW_RETURN_NOT_OK(BeginChildren());
  return state.saved_unix_nano.has_value() ? WriteSaved(*state.saved_unix_nano) : Status::OK();
}

Status Checkpoint::WriteSaved(int64_t unix_nano) {
  ARROW_RETURN_NOT_OK(database_->Run("DELETE FROM saved"));
  ARROW_ASSIGN_OR_RAISE(Query add, database_->Prepare("INSERT INTO saved VALUES (?)"));
  return add.Bind(0, unix_nano).Run();
}

Status Checkpoint::Remove() {
  // The last connection writes the log into the database and removes it.
  database_.reset();
  for (const char* const beside : {"-wal", "-shm", ""}) {
    const std::string path = path_ + beside;
    if (unlink(path.c_str()) != 0 && errno != ENOENT) {
      return FileError(path, "cannot remove", errno);
    }
  }
  return SyncDirectory(&SystemFileCalls(), fs::path(path_).parent_path());
}

Status Checkpoint::AppendToAudit(std::string_view line) const {
  const fs::path path = fs::path(path_).replace_extension(".audit.jsonl");
  FileCalls& calls = SystemFileCalls();
  const int file =
      calls.Open(path.string(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, kOfTheUserOnly);
  if (file < 0) {
    return FileError(path, "cannot open", file);
  }
  FileFacts facts;
  char last = '\n';
  const bool is_torn = calls.Stat(file, &facts) == 0 && facts.size_bytes > 0 &&
                       calls.ReadAt(file, &last, 1, facts.size_bytes - 1) == 1 && last != '\n';
  Status status = WriteAll(&calls, file, path, fmt::format("{}{}\n", is_torn ? "\n" : "", line));
  if (const int error = status.ok() ? calls.Sync(file) : 0; error < 0) {
    status = FileError(path, "cannot fsync", error);
  }
  calls.Close(file);
  ARROW_RETURN_NOT_OK(status);
  return SyncDirectory(&calls, path.parent_path());
}

Status Checkpoint::Write(const FileLedger::Changes& changes) {
  ARROW_ASSIGN_OR_RAISE(Query add,
                        database_->Prepare("INSERT OR REPLACE INTO files VALUES (?, ?)"));
  for (const DeliveredFile& file : changes.delivered) {
    int64_t num_left_out = 0;
    const std::string state = WriteProgress({&file, 1}, &num_left_out);
    if (num_left_out > 0) {
      left_out_.insert(file.number);
    } else {
      ARROW_RETURN_NOT_OK(add.Bind(0, file.number).Bind(1, std::string_view(state)).Run());
    }
  }
  ARROW_ASSIGN_OR_RAISE(Query remove, database_->Prepare("DELETE FROM files WHERE number = ?"));
  for (const int64_t number : changes.forgotten) {
    ARROW_RETURN_NOT_OK(remove.Bind(0, number).Run());
    left_out_.erase(number);
  }
  ARROW_RETURN_NOT_OK(WriteQuarantine(changes.quarantined, /*leaves_out=*/true));
  ARROW_ASSIGN_OR_RAISE(Query release,
                        database_->Prepare("DELETE FROM quarantine WHERE number = ?"));
  for (const int64_t number : changes.released) {
    ARROW_RETURN_NOT_OK(release.Bind(0, number).Run());
  }
  ARROW_RETURN_NOT_OK(WriteChildren(changes));
  return WriteSaved(NowUnixNano());
}

Status Checkpoint::WriteChildren(const FileLedger::Changes& changes) {
  ARROW_ASSIGN_OR_RAISE(Query remove,
                        database_->Prepare("DELETE FROM children WHERE path_hash = ?"));
  for (const uint64_t path_hash : changes.children_gone) {
    ARROW_RETURN_NOT_OK(remove.Bind(0, static_cast<int64_t>(path_hash)).Run());
  }
  ARROW_ASSIGN_OR_RAISE(Query add,
                        database_->Prepare("INSERT OR REPLACE INTO children VALUES (?, ?)"));
  for (const SeenChild& child : changes.children) {
    ARROW_RETURN_NOT_OK(add.Bind(0, static_cast<int64_t>(child.path_hash))
                            .Bind(1, static_cast<int64_t>(child.content))
                            .Run());
  }
  return Status::OK();
}

Status Checkpoint::ForgetChildren() {
  return database_->Run("DELETE FROM children; DELETE FROM children_of;");
}

/// Of files that are there already it is not known which children they were sent with.
Status Checkpoint::BeginChildren() {
  return database_->Run(
      "INSERT INTO children_of SELECT (SELECT ifnull(max(number), 0) + 1 FROM files) "
      "WHERE NOT EXISTS (SELECT 1 FROM children_of);");
}

Result<SeenChildren> Checkpoint::LoadChildren() const {
  SeenChildren seen{.children = {}, .first_number = std::numeric_limits<int64_t>::max()};
  ARROW_ASSIGN_OR_RAISE(Query since, database_->Prepare("SELECT first_number FROM children_of"));
  ARROW_ASSIGN_OR_RAISE(const bool has_since, since.Next());
  if (has_since) {
    seen.first_number = since.Integer(0);
  }
  ARROW_ASSIGN_OR_RAISE(Query read, database_->Prepare("SELECT path_hash, content FROM children"));
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool is_there, read.Next());
    if (!is_there) {
      return seen;
    }
    seen.children.push_back({.path_hash = static_cast<uint64_t>(read.Integer(0)),
                             .content = static_cast<uint64_t>(read.Integer(1))});
  }
}

int64_t Checkpoint::NowUnixNano() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(clock_().time_since_epoch()).count();
}

/// `leaves_out`: what JSON cannot name is left out, and tried again by the next process.
Status Checkpoint::WriteQuarantine(const std::vector<QuarantineEntry>& entries, bool leaves_out) {
  if (entries.empty()) {
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(Query add,
                        database_->Prepare("INSERT OR REPLACE INTO quarantine VALUES (?, ?)"));
  for (QuarantineEntry entry : entries) {
    entry.since_unix_nano = entry.since_unix_nano > 0 ? entry.since_unix_nano : NowUnixNano();
    const auto text = WriteQuarantineEntry(entry);
    if (!text.ok() && leaves_out) {
      continue;
    }
    ARROW_RETURN_NOT_OK(text.status());
    ARROW_RETURN_NOT_OK(add.Bind(0, entry.number).Bind(1, std::string_view(*text)).Run());
  }
  return Status::OK();
}

Result<std::vector<QuarantineEntry>> Checkpoint::LoadQuarantine() const {
  ARROW_ASSIGN_OR_RAISE(Query read,
                        database_->Prepare("SELECT number, entry FROM quarantine ORDER BY number"));
  std::vector<QuarantineEntry> entries;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool is_there, read.Next());
    if (!is_there) {
      return entries;
    }
    ARROW_ASSIGN_OR_RAISE(QuarantineEntry entry, ReadQuarantined(read.Integer(0), read.Text(1)));
    entries.push_back(std::move(entry));
  }
}

Result<QuarantineEntry> Checkpoint::ReadQuarantined(int64_t number, std::string_view text) const {
  auto entry = ReadQuarantineEntry(text);
  if (!entry.ok()) {
    return Status::Invalid(fmt::format("checkpoint '{}': quarantine entry {}: {}",
                                       PrintableText(path_), number, entry.status().message()));
  }
  entry->number = number;
  return entry;
}

Status Checkpoint::RemoveFromQuarantine(const std::vector<int64_t>& numbers) {
  return InOneTransaction([&]() -> Status {
    ARROW_ASSIGN_OR_RAISE(Query remove,
                          database_->Prepare("DELETE FROM quarantine WHERE number = ?"));
    for (const int64_t number : numbers) {
      ARROW_RETURN_NOT_OK(remove.Bind(0, number).Run());
    }
    return Status::OK();
  });
}

Status Checkpoint::ChangeQuarantine(const std::vector<QuarantineEntry>& entries) {
  return InOneTransaction([&] { return WriteQuarantine(entries, /*leaves_out=*/false); });
}

}  // namespace df::lake
