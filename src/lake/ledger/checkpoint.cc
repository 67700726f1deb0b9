#include "lake/ledger/checkpoint.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/text.h"
#include "lake/ledger/progress.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kVersion = 1;
constexpr size_t kLongestName = 100;
constexpr mode_t kOfTheUser = 0700;

constexpr const char* kTables =
    "CREATE TABLE IF NOT EXISTS subject (version INTEGER NOT NULL, base TEXT NOT NULL,"
    " selection TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS files (number INTEGER PRIMARY KEY, state TEXT NOT NULL);";

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

Result<int> LockFile(const fs::path& path) {
  const int lock = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) {
    return FileError(path, "cannot open", errno);
  }
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    close(lock);
    return error == EWOULDBLOCK
               ? MakeError(ErrorKind::kIo, "another process goes on from this checkpoint",
                           {.file = path.string()}, /*retryable=*/true)
               : FileError(path, "cannot lock", error);
  }
  return lock;
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

Result<std::unique_ptr<Checkpoint>> Checkpoint::Open(const std::string& directory,
                                                     const std::string& name,
                                                     const CheckpointSubject& subject) {
  const fs::path folder(directory);
  ARROW_RETURN_NOT_OK(MakeFolders(folder));
  ARROW_ASSIGN_OR_RAISE(const int lock, LockFile(folder / (name + ".lock")));
  std::unique_ptr<Checkpoint> checkpoint(
      new Checkpoint((folder / (name + ".sqlite")).string(), lock));
  ARROW_RETURN_NOT_OK(checkpoint->Prepare(subject));
  return checkpoint;
}

Checkpoint::~Checkpoint() {
  database_.reset();
  close(lock_);
}

Status Checkpoint::Prepare(const CheckpointSubject& subject) {
  bool is_damaged = false;
  auto opened = Database::Open(path_, /*is_read_only=*/false, &is_damaged);
  if (!opened.ok()) {
    return is_damaged ? Status::Invalid(fmt::format(
                            "checkpoint '{}': the file is damaged, and what was delivered is not "
                            "known; move it away to send everything again",
                            PrintableText(path_)))
                      : opened.status();
  }
  database_ = *std::move(opened);
  // Each transaction is durable when it has ended: what was said to be saved is not sent again.
  ARROW_RETURN_NOT_OK(database_->Run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"));
  ARROW_RETURN_NOT_OK(database_->Run(kTables));
  ARROW_RETURN_NOT_OK(CheckSubject(subject));
  return SyncDirectory(&SystemFileCalls(), fs::path(path_).parent_path());
}

Status Checkpoint::CheckSubject(const CheckpointSubject& subject) const {
  ARROW_ASSIGN_OR_RAISE(Query read,
                        database_->Prepare("SELECT version, base, selection FROM subject"));
  ARROW_ASSIGN_OR_RAISE(const bool is_there, read.Next());
  if (!is_there) {
    ARROW_ASSIGN_OR_RAISE(Query add, database_->Prepare("INSERT INTO subject VALUES (?, ?, ?)"));
    return add.Bind(0, kVersion).Bind(1, subject.base).Bind(2, subject.selection).Run();
  }
  const auto fail = [this](const std::string& what) {
    return Status::Invalid(fmt::format("checkpoint '{}': {}", PrintableText(path_), what));
  };
  if (read.Integer(0) != kVersion) {
    return fail(fmt::format("found version {}, expected {}", read.Integer(0), kVersion));
  }
  if (read.Text(1) != subject.base) {
    return fail(fmt::format("it is of '{}', not of '{}'; another replay needs another name",
                            PrintableText(read.Text(1)), PrintableText(subject.base)));
  }
  if (read.Text(2) != subject.selection) {
    return fail(fmt::format(
        "it is of a replay that selected {}, and this one selects {}; another replay needs "
        "another name",
        ShowSelection(std::string(read.Text(2))), ShowSelection(subject.selection)));
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
    auto one = ReadProgress(read.Text(1));
    if (!one.ok() || one->size() != 1) {
      return Status::Invalid(
          fmt::format("checkpoint '{}': entry {}: {}", PrintableText(path_), read.Integer(0),
                      one.ok() ? fmt::format("found {} files, expected one", one->size())
                               : one.status().message()));
    }
    one->front().number = read.Integer(0);
    files.push_back(std::move(one->front()));
  }
}

Status Checkpoint::Save(const FileLedger::Changes& changes) {
  ARROW_RETURN_NOT_OK(database_->Run("BEGIN IMMEDIATE"));
  Status status = Write(changes);
  if (status.ok()) {
    status = database_->Run("COMMIT");
  }
  if (!status.ok()) {
    (void)database_->Run("ROLLBACK");  // what began it has failed already
  }
  return status;
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
  return Status::OK();
}

}  // namespace df::lake
