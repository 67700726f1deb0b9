#include "lake/catalog/set_aside.h"

#include <cerrno>
#include <chrono>
#include <functional>
#include <set>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "lake/catalog/compactions.h"
#include "lake/catalog/file_summary.h"

namespace df::lake {
namespace {

/// A compaction that asks has the lock for an instant.
constexpr int kMostTries = 50;
constexpr std::chrono::milliseconds kBetweenTries{1};

}  // namespace

BaseHold::BaseHold(const storage::Store& store, const std::string& base) {
  if (!store.is_local()) {
    return;
  }
  directory_ = open(base.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; directory_ >= 0 && i < kMostTries; ++i) {
    if (flock(directory_, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
      return;
    }
    std::this_thread::sleep_for(kBetweenTries);
  }
}

BaseHold::~BaseHold() {
  if (directory_ >= 0) {
    close(directory_);
  }
}

std::optional<std::string> FindSetAside(storage::Store& store, const std::string& base,
                                        const std::string& path) {
  const std::string folder = FullPath(base, std::string(kCompactionsFolder));
  const auto directories = store.ReadDirectories(base);
  if (!directories.ok()) {
    return std::nullopt;
  }
  const auto listed = (*directories)->List(folder);
  if (!listed.ok()) {
    return std::nullopt;
  }
  std::set<std::string, std::greater<>> names;  // they begin with their times: the newest first
  for (const storage::DirectoryEntry& entry : listed->entries) {
    if (entry.is_directory &&
        (entry.name.ends_with(kKeptEnding) || entry.name.ends_with(kSetAsideEnding))) {
      names.insert(entry.name);
    }
  }
  for (const std::string& name : names) {
    std::string found = fmt::format("{}/{}/{}", folder, name, path);
    if (store.Exists(found).ValueOr(false)) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace df::lake
