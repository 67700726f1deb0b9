#include "base/state_directory.h"

#include <cerrno>
#include <string>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/text.h"

namespace df {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOfTheUser = 0700;
constexpr mode_t kOfOthers = 0077;

Status Unfit(const fs::path& path, const std::string& what) {
  return MakeError(ErrorKind::kConfig, fmt::format("'{}': {}", PrintableText(path.string()), what));
}

/// What is there of one part of the path is a folder and no link.
Status CheckPart(const fs::path& part, struct stat* found) {
  if (lstat(part.c_str(), found) != 0) {
    return FileError(part, "cannot look at it", errno);
  }
  if (S_ISLNK(found->st_mode)) {
    return Unfit(part,
                 "found a symbolic link, expected a folder: a path with links may lead to "
                 "another place tomorrow");
  }
  return S_ISDIR(found->st_mode) ? Status::OK() : Unfit(part, "expected a folder");
}

}  // namespace

Status CheckStateDirectory(const fs::path& path) {
  fs::path part;
  struct stat found{};
  for (const fs::path& name : path) {
    if (name.empty()) {
      continue;  // behind a slash at the end
    }
    part /= name;
    struct stat ignored{};
    if (lstat(part.c_str(), &ignored) != 0 && errno == ENOENT) {
      return Status::OK();
    }
    ARROW_RETURN_NOT_OK(CheckPart(part, &found));
  }
  if (found.st_uid != geteuid()) {
    return Unfit(path, fmt::format("found a folder of user {}, expected one of user {}, who runs "
                                   "the process",
                                   found.st_uid, geteuid()));
  }
  if ((found.st_mode & kOfOthers) != 0) {
    return Unfit(path, fmt::format("found permissions {:04o}, expected 0700: chmod 0700 it",
                                   found.st_mode & 07777));
  }
  return Status::OK();
}

Status MakeStateDirectory(FileCalls* calls, const fs::path& path) {
  ARROW_RETURN_NOT_OK(CheckStateDirectory(path));
  DurableFolders folders(calls, kOfTheUser);
  ARROW_RETURN_NOT_OK(folders.Make(path.has_filename() ? path : path.parent_path()));
  // Somebody may have made it another way meanwhile.
  return CheckStateDirectory(path);
}

}  // namespace df
