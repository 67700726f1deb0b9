#include "nodes/exporters/file/output_file.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "base/durable_file.h"
#include "nodes/exporters/file/request_tail.h"

namespace df::nodes::exporters::file {
namespace {

constexpr mode_t kPermissions = 0666;  // less the mask of the process

int Flags(OpenMode mode) {
  // Always behind what is there: also behind what another process may have added.
  constexpr int kWrite = O_WRONLY | O_CREAT | O_APPEND;
  switch (mode) {
    case OpenMode::kTruncate:
      return kWrite | O_TRUNC;
    case OpenMode::kAppend:
      return kWrite;
    case OpenMode::kCreateNew:
      return kWrite | O_EXCL;
  }
  return kWrite;
}

/// The file system has no locks.
bool HasNoLocks(int error) {
  return error == -ENOLCK || error == -EOPNOTSUPP || error == -ENOSYS || error == -EINVAL;
}

}  // namespace

Result<std::unique_ptr<OutputFile>> OutputFile::Open(FileCalls* calls, const std::string& path,
                                                     const FileConfig& config) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  DurableFolders folders(calls);
  ARROW_RETURN_NOT_OK(folders.Make(folder));
  const int descriptor = calls->Open(path, Flags(config.open_mode), kPermissions);
  if (descriptor < 0) {
    return FileError(path, "cannot open", descriptor);
  }
  std::unique_ptr<OutputFile> file(new OutputFile(calls, path, descriptor));
  FileFacts facts;
  if (const int error = calls->Stat(descriptor, &facts); error < 0) {
    return FileError(path, "cannot look at", error);
  }
  file->is_regular_ = facts.is_regular;
  if (!facts.is_regular) {
    if (config.durability == Durability::kSync) {
      return Status::Invalid(fmt::format(
          "'{}': durability: sync needs a regular file, found a device or a pipe", path));
    }
    return file;
  }
  ARROW_RETURN_NOT_OK(file->Lock());
  if (config.open_mode == OpenMode::kAppend && file->may_mend_) {
    ARROW_RETURN_NOT_OK(file->MendEnd(config.format));
  }
  if (const int error = calls->Lock(descriptor, FileLock::kShared);
      error < 0 && !HasNoLocks(error)) {
    return FileError(path, "cannot lock", error);
  }
  if (config.durability == Durability::kSync) {
    ARROW_RETURN_NOT_OK(file->Sync());
    ARROW_RETURN_NOT_OK(SyncDirectory(calls, folder.empty() ? std::filesystem::path(".") : folder));
  }
  return file;
}

OutputFile::~OutputFile() { calls_->Close(descriptor_); }

/// Every writer has a lock that it shares with others; who mends the end has it alone.
Status OutputFile::Lock() {
  const int error = calls_->Lock(descriptor_, FileLock::kExclusive);
  may_mend_ = error >= 0 || HasNoLocks(error);
  if (error < 0 && !HasNoLocks(error) && error != -EWOULDBLOCK) {
    return FileError(path_, "cannot lock", error);
  }
  repair_.was_in_use = error == -EWOULDBLOCK;
  FileFacts facts;
  if (const int failed = calls_->Stat(descriptor_, &facts); failed < 0) {
    return FileError(path_, "cannot look at", failed);
  }
  end_ = facts.size_bytes;
  synced_ = end_;
  return Status::OK();
}

Status OutputFile::MendEnd(Format format) {
  const int reading = calls_->Open(path_, O_RDONLY, 0);
  if (reading < 0) {
    return FileError(path_, "cannot read the end of", reading);
  }
  const Result<RequestTail> tail = FindRequestTail(calls_, reading, path_, end_, format);
  calls_->Close(reading);
  ARROW_RETURN_NOT_OK(tail.status());
  if (tail->lacks_newline) {
    ARROW_RETURN_NOT_OK(Write("\n", {}));
    repair_.added_newline = true;
  } else if (tail->whole_bytes < end_) {
    if (const int error = calls_->Truncate(descriptor_, tail->whole_bytes); error < 0) {
      return FileError(path_, "cannot cut the unfinished request off", error);
    }
    repair_.cut_bytes = end_ - tail->whole_bytes;
    end_ = tail->whole_bytes;
    synced_ = end_;
  }
  return Status::OK();
}

Status OutputFile::TakeBack(int64_t size_bytes) {
  FileFacts facts;
  int error = calls_->Stat(descriptor_, &facts);
  // What another process has written behind it is not ours to take.
  if (error >= 0 && facts.size_bytes != end_) {
    error = -EBUSY;
  }
  if (error >= 0) {
    error = calls_->Truncate(descriptor_, size_bytes);
  }
  if (error < 0) {
    torn_at_ = torn_at_ < 0 ? size_bytes : std::min(torn_at_, size_bytes);
    return FileError(
        path_, fmt::format("cannot take back what was written behind offset {}", torn_at_), error);
  }
  end_ = size_bytes;
  synced_ = std::min(synced_, end_);
  torn_at_ = -1;
  return Status::OK();
}

Status OutputFile::Write(std::string_view head, std::string_view body) {
  if (torn_at_ >= 0) {
    ARROW_RETURN_NOT_OK(TakeBack(torn_at_));
  }
  if (is_regular_) {
    FileFacts facts;
    if (const int error = calls_->Stat(descriptor_, &facts); error < 0) {
      return FileError(path_, "cannot look at", error);
    }
    end_ = facts.size_bytes;
  }
  const int64_t start = end_;
  const size_t total = head.size() + body.size();
  size_t done = 0;
  while (done < total) {
    const std::string_view rest_of_head = head.substr(std::min(done, head.size()));
    const std::string_view rest_of_body = body.substr(done - std::min(done, head.size()));
    const int64_t written = calls_->Write(descriptor_, rest_of_head, rest_of_body);
    if (written == -EINTR) {
      continue;
    }
    if (written <= 0) {
      const Status status =
          FileError(path_, "cannot write", written < 0 ? static_cast<int>(written) : ENOSPC);
      if (is_regular_ && done > 0) {
        // Tried again before the next request where it fails now.
        static_cast<void>(TakeBack(start));
      }
      return status;
    }
    done += static_cast<size_t>(written);
    end_ += written;
  }
  return Status::OK();
}

Status OutputFile::Sync() {
  if (!is_regular_) {
    return Status::OK();
  }
  if (const int error = calls_->Sync(descriptor_); error < 0) {
    const Status status = FileError(path_, "cannot fsync", error);
    const Status back = TakeBack(synced_);
    return back.ok() ? status : status.WithMessage(status.message() + "; " + back.message());
  }
  synced_ = end_;
  return Status::OK();
}

}  // namespace df::nodes::exporters::file
