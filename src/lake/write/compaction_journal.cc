#include "lake/write/compaction_journal.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/durable_file.h"
#include "base/logging.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockFile = "lock";
constexpr mode_t kFilePermissions = 0666;  // less the mask of the process

Result<Compaction> ReadFile(const fs::path& path, const CompactionNameParts& name) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.is_open() || file.bad()) {
    return FileError(path, "cannot read", errno);
  }
  auto compaction = ReadCompaction(text, name);
  ARROW_RETURN_NOT_OK(
      WithContext(compaction.status(), ErrorKind::kFileDiscovery, {.file = path.string()}));
  return compaction;
}

/// Tells whether a name is one of a compaction: milliseconds, '-' and a UUID.
bool IsId(const std::string& name) {
  const size_t dash = name.find('-');
  return dash != std::string::npos && dash > 0 && name.find_first_not_of("0123456789") == dash &&
         name.size() == dash + 1 + 36 &&
         name.find_first_not_of("0123456789abcdef-", dash) == std::string::npos;
}

/// Errors: where files cannot be renamed between the two, or the folder may be another's.
Status CheckFolder(const fs::path& base, const fs::path& folder) {
  struct stat of_base{};
  struct stat of_folder{};
  if (stat(base.c_str(), &of_base) != 0 || lstat(folder.c_str(), &of_folder) != 0) {
    return Status::OK();  // what is to be done there will fail, and say why
  }
  return S_ISDIR(of_folder.st_mode) && of_base.st_dev == of_folder.st_dev
             ? Status::OK()
             : MakeError(ErrorKind::kIo,
                         "found a link, a file or another file system, expected a folder of the "
                         "file system of the base: files are moved from there by renaming",
                         {.file = folder.string()});
}

void RemoveTree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) {
    LogWarning("cannot remove '{}': {}", path.string(), error.message());
  }
}

}  // namespace

Result<std::unique_ptr<CompactionJournal>> CompactionJournal::Open(const fs::path& base,
                                                                   FileCalls* calls) {
  const fs::path folder = base / kCompactionsFolder;
  ARROW_RETURN_NOT_OK(DurableFolders(calls).Make(folder));
  ARROW_RETURN_NOT_OK(CheckFolder(base, folder));
  const fs::path path = folder / kLockFile;
  const int lock = calls->Open(path.string(), O_RDWR | O_CREAT | O_NOFOLLOW, kFilePermissions);
  if (lock < 0) {
    return FileError(path, "cannot open", lock);
  }
  std::unique_ptr<CompactionJournal> journal(new CompactionJournal(base, calls, lock));
  if (const int error = calls->Lock(lock, FileLock::kExclusive); error < 0) {
    return error == -EWOULDBLOCK
               ? MakeError(ErrorKind::kIo, "another process compacts or prunes this base",
                           {.file = path.string()}, /*retryable=*/true)
               : FileError(path, "cannot lock", error);
  }
  return journal;
}

CompactionJournal::~CompactionJournal() { calls_->Close(lock_); }

Result<CompactionJournal::Recovered> CompactionJournal::Recover() {
  Recovered recovered;
  std::vector<CompactionNameParts> begun;
  std::vector<std::string> staged;
  std::error_code error;
  fs::directory_iterator entries(folder_, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    std::error_code ignored;
    if (entries->is_directory(ignored)) {
      if (IsId(name)) {  // other folders are somebody else's, or are kept
        staged.push_back(name);
      }
    } else if (name.front() == '.' && name.ends_with(".tmp")) {
      calls_->Unlink(entries->path().string());  // it was to become one, and we have the lock
    } else if (auto parts = ParseCompactionName(name);
               parts.has_value() && parts->stage != CompactionStage::kDone) {
      begun.push_back(*std::move(parts));
    }
  }
  if (error) {
    return FileError(folder_, "cannot list", error.value());
  }
  for (const CompactionNameParts& parts : begun) {
    ARROW_ASSIGN_OR_RAISE(Compaction compaction, ReadFile(PathOf(parts.id, parts.stage), parts));
    if (parts.stage == CompactionStage::kMoving) {
      ARROW_RETURN_NOT_OK(TakeBack(compaction));
      ++recovered.taken_back;
    } else {
      ARROW_RETURN_NOT_OK(Finish(&compaction));
      ++recovered.finished;
    }
  }
  // Behind the above: nothing is removed of what is still to be moved.
  std::for_each(staged.begin(), staged.end(), [this](const std::string& id) { Discard(id); });
  return recovered;
}

Status CompactionJournal::Run(Compaction compaction) {
  compaction.stage = CompactionStage::kMoving;
  const fs::path path = PathOf(compaction.id, compaction.stage);
  const std::string text = WriteCompaction(compaction);
  if (std::ssize(text) > kMostCompactionBytes) {
    return Status::Invalid(
        fmt::format("{} files are more than one compaction can name", compaction.old_files.size()));
  }
  Status status = ReplaceFile(calls_, path, text);
  if (status.ok()) {
    status = MoveNew(compaction);
  }
  if (!status.ok()) {
    const Status back = TakeBack(compaction);
    return back.ok() ? status
                     : status.WithMessage(status.message(),
                                          "; the next compaction takes it back: ", back.message());
  }
  ARROW_RETURN_NOT_OK(Advance(&compaction, CompactionStage::kRemoving));
  return Finish(&compaction);
}

Status CompactionJournal::Advance(Compaction* compaction, CompactionStage to) const {
  const fs::path from = PathOf(compaction->id, compaction->stage);
  if (const int error = calls_->Rename(from.string(), PathOf(compaction->id, to).string());
      error < 0) {
    return FileError(from, "cannot rename", error);
  }
  compaction->stage = to;
  return SyncDirectory(calls_, folder_);
}

Status CompactionJournal::MoveNew(const Compaction& compaction) const {
  DurableFolders folders(calls_);
  const fs::path staging = StagingOf(compaction.id);
  for (const std::string& file : compaction.new_files) {
    ARROW_RETURN_NOT_OK(folders.Make((base_ / file).parent_path()));
    const fs::path from = staging / file;
    if (const int error = calls_->Rename(from.string(), (base_ / file).string()); error < 0) {
      return FileError(from, "cannot rename", error);
    }
  }
  return SyncFolders(compaction.new_files);
}

/// Removes new files, of which readers see none, and then what says so.
Status CompactionJournal::TakeBack(const Compaction& compaction) const {
  for (const std::string& file : compaction.new_files) {
    const fs::path path = base_ / file;
    if (const int error = calls_->Unlink(path.string()); error < 0 && error != -ENOENT) {
      return FileError(path, "cannot remove", error);
    }
  }
  ARROW_RETURN_NOT_OK(SyncFolders(compaction.new_files));
  RemoveEmptyFolders(compaction.new_files);
  const fs::path path = PathOf(compaction.id, CompactionStage::kMoving);
  if (const int error = calls_->Unlink(path.string()); error < 0 && error != -ENOENT) {
    return FileError(path, "cannot remove", error);
  }
  ARROW_RETURN_NOT_OK(SyncDirectory(calls_, folder_));
  Discard(compaction.id);
  return Status::OK();
}

/// Removes old files, of which readers see none, and then says that all files count.
Status CompactionJournal::Finish(Compaction* compaction) {
  ARROW_RETURN_NOT_OK(RemoveOld(*compaction));
  ARROW_RETURN_NOT_OK(SyncFolders(compaction->old_files));
  RemoveEmptyFolders(compaction->old_files);
  ARROW_RETURN_NOT_OK(Advance(compaction, CompactionStage::kDone));
  Discard(compaction->id);
  return Status::OK();
}

/// Tells whether somebody holds the base who may have listed it before its old files were hidden.
/// Those who come later do not see these. Where it cannot be told, somebody may.
bool CompactionJournal::HasReaders() const {
  const int directory = calls_->Open(base_.string(), O_RDONLY | O_DIRECTORY, 0);
  if (directory < 0) {
    return true;
  }
  const int error = calls_->Lock(directory, FileLock::kExclusive);
  calls_->Close(directory);
  return error < 0;
}

Status CompactionJournal::RemoveOld(const Compaction& compaction) {
  DurableFolders folders(calls_);
  const bool is_kept = compaction.keeps_old || HasReaders();
  const fs::path kept = compaction.keeps_old ? KeptOf(compaction.id) : AsideOf(compaction.id);
  for (const std::string& file : compaction.old_files) {
    const fs::path path = base_ / file;
    int error = 0;
    if (is_kept) {
      ARROW_RETURN_NOT_OK(folders.Make((kept / file).parent_path()));
      error = calls_->Rename(path.string(), (kept / file).string());
    } else {
      error = calls_->Unlink(path.string());
    }
    if (error < 0 && error != -ENOENT) {
      return FileError(path, is_kept ? "cannot set aside" : "cannot remove", error);
    }
    num_set_aside_ += is_kept && !compaction.keeps_old ? 1 : 0;
  }
  return Status::OK();
}

Status CompactionJournal::SyncFolders(const std::vector<std::string>& files) const {
  std::set<fs::path> folders;
  for (const std::string& file : files) {
    folders.insert((base_ / file).parent_path());
  }
  for (const fs::path& folder : folders) {
    const int descriptor = calls_->Open(folder.string(), O_RDONLY | O_DIRECTORY, 0);
    if (descriptor == -ENOENT) {
      continue;  // it was removed once it was empty, which came behind a sync
    }
    if (descriptor >= 0) {
      calls_->Close(descriptor);
    }
    ARROW_RETURN_NOT_OK(SyncDirectory(calls_, folder));
  }
  return Status::OK();
}

/// Whether they go is of no consequence: readers pass over empty folders.
void CompactionJournal::RemoveEmptyFolders(const std::vector<std::string>& files) const {
  std::set<fs::path> folders;
  for (const std::string& file : files) {
    folders.insert(fs::path(file).parent_path());
  }
  for (fs::path folder : folders) {
    std::error_code error;
    // The folder of a table stays.
    while (folder.has_parent_path() && fs::is_empty(base_ / folder, error) && !error &&
           fs::remove(base_ / folder, error)) {
      folder = folder.parent_path();
    }
  }
}

void CompactionJournal::RemoveSetAside(int64_t before_unix_nanos) {
  const bool has_readers = HasReaders();
  std::vector<fs::path> going;
  std::error_code error;
  fs::directory_iterator entries(folder_, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (!name.ends_with(kSetAsideEnding)) {
      continue;
    }
    const std::string id = name.substr(0, name.size() - std::string_view(kSetAsideEnding).size());
    int64_t millis = 0;
    if (IsId(id) && std::from_chars(id.data(), id.data() + id.size(), millis).ec == std::errc() &&
        (!has_readers || millis < before_unix_nanos / 1'000'000)) {
      going.push_back(entries->path());
    }
  }
  std::for_each(going.begin(), going.end(), RemoveTree);
}

void CompactionJournal::ForgetBefore(int64_t unix_nanos) {
  std::error_code error;
  fs::directory_iterator entries(folder_, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::path& path = entries->path();
    const auto parts = ParseCompactionName(path.filename().string());
    if (!parts.has_value() || parts->stage != CompactionStage::kDone) {
      continue;
    }
    const auto compaction = ReadFile(path, *parts);
    if (compaction.ok() && compaction->begun_nanos < unix_nanos) {
      calls_->Unlink(path.string());
    }
  }
}

void CompactionJournal::Discard(const std::string& id) const { RemoveTree(StagingOf(id)); }

}  // namespace df::lake
