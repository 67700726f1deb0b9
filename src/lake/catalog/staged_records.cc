#include "lake/catalog/staged_records.h"

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

namespace df::lake {
namespace {

namespace fs = std::filesystem;

/// Whether somebody has the lock of a folder; a running writer has it.
bool IsLocked(const fs::path& folder) {
  const int descriptor =
      open((folder / kStagingLock).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) {
    return errno != ENOENT;  // what cannot be told is not said to be lost
  }
  const bool is_locked = flock(descriptor, LOCK_SH | LOCK_NB) != 0;
  close(descriptor);
  return is_locked;
}

int64_t CountFiles(const fs::path& folder) {
  int64_t count = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entries(folder, error), end; !error && entries != end;
       entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    count += name.ends_with(".parquet") && name.front() != '.' && name.front() != '_' ? 1 : 0;
  }
  return count;
}

}  // namespace

std::vector<Status> FindStaged(const std::string& base, const std::vector<otap::Signal>& signals) {
  std::vector<Status> problems;
  std::error_code error;
  for (fs::directory_iterator writers(fs::path(base) / kStagingFolder, error), end;
       !error && writers != end; writers.increment(error)) {
    int64_t num_files = 0;
    std::string table;
    for (const otap::Signal signal : signals) {
      const std::string folder(otap::GetTable(otap::RootTable(signal)).directory);
      const int64_t of_signal = CountFiles(writers->path() / folder);
      table = of_signal > 0 && table.empty() ? folder : table;
      num_files += of_signal;
    }
    if (num_files > 0 && !IsLocked(writers->path())) {
      problems.push_back(MakeError(
          ErrorKind::kMissingFile,
          fmt::format(
              "{} files of records are staged by a writer that does not run on this machine, "
              "and are not read; the next writer of this folder, or 'df_engine compact', "
              "makes them visible",
              num_files),
          {.table = table,
           .file = fmt::format("{}/{}", kStagingFolder, writers->path().filename().string())}));
    }
  }
  return problems;
}

}  // namespace df::lake
