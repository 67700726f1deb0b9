#include "base/durable_file.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace df {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kFilePermissions = 0666;  // less the mask of the process

fs::path FolderOf(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// Opens a folder and syncs it; returns 0 or -errno.
int SyncFolder(FileCalls* calls, const fs::path& path) {
  const int descriptor = calls->Open(path.string(), O_RDONLY | O_DIRECTORY, 0);
  if (descriptor < 0) {
    return descriptor;
  }
  const int result = calls->Sync(descriptor);
  calls->Close(descriptor);
  return result;
}

/// Some file systems refuse to make a folder before they look whether it is there.
bool IsFolder(FileCalls* calls, const fs::path& path) {
  const int descriptor = calls->Open(path.string(), O_PATH | O_DIRECTORY, 0);
  if (descriptor >= 0) {
    calls->Close(descriptor);
  }
  return descriptor >= 0;
}

/// Folders of others that cannot be synced by us, or not at all.
bool IsOutOfReach(int error) {
  return error == -EACCES || error == -EPERM || error == -EINVAL || error == -EROFS;
}

Status WriteNew(FileCalls* calls, const fs::path& path, std::string_view bytes) {
  const int descriptor = calls->Open(path.string(), O_WRONLY | O_CREAT | O_TRUNC, kFilePermissions);
  if (descriptor < 0) {
    return FileError(path, "cannot create", descriptor);
  }
  Status status = WriteAll(calls, descriptor, path, bytes);
  if (status.ok()) {
    if (const int error = calls->Sync(descriptor); error < 0) {
      status = FileError(path, "cannot fsync", error);
    }
  }
  if (const int error = calls->Close(descriptor); error < 0 && status.ok()) {
    status = FileError(path, "cannot close", error);
  }
  return status;
}

}  // namespace

Status FileError(const fs::path& path, std::string_view what, int error) {
  return MakeError(ErrorKind::kIo,
                   fmt::format("'{}': {}: {}", path.string(), what, std::strerror(std::abs(error))),
                   {}, /*retryable=*/true);
}

Status WriteAll(FileCalls* calls, int descriptor, const fs::path& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const int64_t written = calls->Write(descriptor, bytes, {});
    if (written == -EINTR) {
      continue;
    }
    if (written <= 0) {
      return FileError(path, "cannot write", written < 0 ? static_cast<int>(written) : ENOSPC);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return Status::OK();
}

Status SyncDirectory(FileCalls* calls, const fs::path& path) {
  const int error = SyncFolder(calls, path);
  return error < 0 ? FileError(path, "cannot fsync", error) : Status::OK();
}

Status DurableFolders::Make(const fs::path& path) {
  is_gone_ = false;
  Status status = MakeUnlessKnown(path);
  if (is_gone_) {
    known_.clear();
    status = MakeUnlessKnown(path);
  }
  return status;
}

Status DurableFolders::MakeUnlessKnown(const fs::path& path) {
  if (path.empty() || known_.contains(path)) {
    return Status::OK();
  }
  if (path.has_parent_path() && path.parent_path() != path) {
    ARROW_RETURN_NOT_OK(MakeUnlessKnown(path.parent_path()));
  }
  const int made = calls_->MakeDirectory(path.string(), permissions_);
  if (made < 0 && made != -EEXIST && !(IsOutOfReach(made) && IsFolder(calls_, path))) {
    is_gone_ = made == -ENOENT;
    return FileError(path, "cannot create", made);
  }
  if (path != path.root_path()) {
    const fs::path folder = FolderOf(path);
    const int synced = SyncFolder(calls_, folder);
    if (synced < 0 && (made == 0 || !IsOutOfReach(synced))) {
      return FileError(folder, "cannot fsync", synced);
    }
  }
  known_.insert(path);
  return Status::OK();
}

Status ReplaceFile(FileCalls* calls, const fs::path& path, std::string_view bytes) {
  DurableFolders folders(calls);
  const fs::path folder = FolderOf(path);
  ARROW_RETURN_NOT_OK(folders.Make(path.parent_path()));
  // Others may replace the file at the same time: each writes under a name of its own.
  static std::atomic<uint64_t> number{0};
  const fs::path staged =
      folder / fmt::format(".{}.{}-{}.tmp", path.filename().string(), getpid(), ++number);
  Status status = WriteNew(calls, staged, bytes);
  if (status.ok()) {
    if (const int error = calls->Rename(staged.string(), path.string()); error < 0) {
      status = FileError(path, "cannot replace", error);
    }
  }
  if (!status.ok()) {
    calls->Unlink(staged.string());
    return status;
  }
  return SyncDirectory(calls, folder);
}

}  // namespace df
