#include "storage/inotify_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace df::storage {
namespace {

/// What is told of a folder. A file that is created is not: it is told of when it is closed.
constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR;

/// Some hundred events.
constexpr size_t kEventBytes = 32'768;

}  // namespace

bool IsChangedByOthers(int64_t file_system_type) {
  // statfs(2): NFS, SMB, CIFS, SMB2, FUSE, 9P, Ceph, AFS, Coda, Lustre, GFS2, OCFS2.
  constexpr std::array<uint32_t, 12> kTypes = {0x6969,     0x517B,     0xFF534D42, 0xFE534D42,
                                               0x65735546, 0x01021997, 0x00C36400, 0x5346414F,
                                               0x73757245, 0x0BD00BD0, 0x01161970, 0x7461636F};
  return std::find(kTypes.begin(), kTypes.end(), static_cast<uint32_t>(file_system_type)) !=
         kTypes.end();
}

Result<std::unique_ptr<InotifyWatch>> InotifyWatch::Make(size_t most_folders) {
  const int events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (events < 0) {
    return Status::IOError(
        fmt::format("inotify: {} (fs.inotify.max_user_instances says how many "
                    "watchers a user may have)",
                    std::strerror(errno)));
  }
  const int stop = eventfd(0, EFD_CLOEXEC);
  if (stop < 0) {
    const int error = errno;
    close(events);
    return Status::IOError(fmt::format("eventfd: {}", std::strerror(error)));
  }
  std::unique_ptr<InotifyWatch> watch(new InotifyWatch(events, stop, most_folders));
  try {
    watch->thread_ = std::thread([self = watch.get()] { self->Run(); });
  } catch (const std::system_error& error) {
    return Status::IOError(fmt::format("a thread that waits for inotify: {}", error.what()));
  }
  return watch;
}

InotifyWatch::InotifyWatch(int events, int stop, size_t most_folders)
    : events_(events), stop_(stop), most_folders_(most_folders) {}

InotifyWatch::~InotifyWatch() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    (void)!write(stop_, &one, sizeof one);  // an eventfd that nobody has written to takes a number
    thread_.join();
  }
  close(events_);
  close(stop_);
}

void InotifyWatch::OnChange(std::function<void()> listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

void InotifyWatch::Miss(WatchGap gap, const std::string& path, int error) {
  if (gap != WatchGap::kOverflow && !unwatched_.insert_or_assign(path, gap).second) {
    return;
  }
  ++gaps_[static_cast<size_t>(gap)];
  std::string why;
  switch (gap) {
    case WatchGap::kOverflow:
      why =
          "more has changed at once than is kept in mind (fs.inotify.max_queued_events): "
          "everything is listed";
      break;
    case WatchGap::kLimit:
      why = fmt::format(
          "'{}' and maybe more folders are not watched, no more may be "
          "(fs.inotify.max_user_watches)",
          path);
      break;
    case WatchGap::kFileSystem:
      why = fmt::format(
          "'{}' is not watched: its file system is shared with other machines, whose "
          "changes are not told",
          path);
      break;
    case WatchGap::kUnwatchable:
      why = fmt::format("'{}' cannot be watched: {}", path, std::strerror(error));
      break;
  }
  lines_.try_emplace(gap, std::move(why));
}

void InotifyWatch::Add(const std::string& path) {
  const std::lock_guard lock(mutex_);  // events of the folder come after its path is known
  struct statfs facts{};
  if (statfs(path.c_str(), &facts) != 0) {
    return;  // the listing says why
  }
  if (IsChangedByOthers(facts.f_type)) {
    Miss(WatchGap::kFileSystem, path, 0);
    return;
  }
  const int watch = inotify_add_watch(events_, path.c_str(), kEvents);
  if (watch >= 0) {
    folders_.insert_or_assign(watch, path);
    unwatched_.erase(path);
  } else if (errno == ENOSPC) {
    Miss(WatchGap::kLimit, path, errno);
  } else if (errno != ENOENT && errno != ENOTDIR) {
    Miss(WatchGap::kUnwatchable, path, errno);
  }
}

void InotifyWatch::Keep(int watch, uint32_t mask, const std::string& name) {
  if ((mask & IN_Q_OVERFLOW) != 0) {
    Miss(WatchGap::kOverflow, "", 0);
    changes_ = {.folders = {}, .new_folders = {}, .has_lost_some = true};
    return;
  }
  const auto found = folders_.find(watch);
  if (found == folders_.end()) {
    return;
  }
  if ((mask & IN_IGNORED) != 0) {
    folders_.erase(found);
    return;
  }
  if (changes_.has_lost_some) {
    return;
  }
  if ((mask & IN_ISDIR) != 0) {
    changes_.new_folders.insert(found->second + "/" + name);
  } else if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0 && name.ends_with(".parquet") &&
             name.front() != '.' && name.front() != '_') {
    changes_.folders.insert(found->second);
  }
  if (changes_.folders.size() + changes_.new_folders.size() > most_folders_) {
    Miss(WatchGap::kOverflow, "", 0);
    changes_ = {.folders = {}, .new_folders = {}, .has_lost_some = true};
  }
}

void InotifyWatch::Run() {
  alignas(inotify_event) std::array<char, kEventBytes> bytes;
  std::array<pollfd, 2> waits = {pollfd{.fd = events_, .events = POLLIN, .revents = 0},
                                 pollfd{.fd = stop_, .events = POLLIN, .revents = 0}};
  while (true) {
    if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) {
      return;
    }
    if (waits[1].revents != 0) {
      return;
    }
    std::function<void()> listener;
    while (true) {
      const ssize_t num_bytes = read(events_, bytes.data(), bytes.size());
      if (num_bytes <= 0) {
        break;
      }
      const std::lock_guard lock(mutex_);
      for (ssize_t position = 0; position < num_bytes;) {
        const auto* event = reinterpret_cast<const inotify_event*>(bytes.data() + position);
        position += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
        Keep(event->wd, event->mask, event->len > 0 ? std::string(event->name) : std::string());
      }
      if (changes_.has_lost_some || !changes_.folders.empty() || !changes_.new_folders.empty()) {
        listener = listener_;
      }
    }
    if (listener) {
      listener();
    }
  }
}

FolderChanges InotifyWatch::Take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(changes_, {});
}

bool InotifyWatch::HasChanges() const {
  const std::lock_guard lock(mutex_);
  return changes_.has_lost_some || !changes_.folders.empty() || !changes_.new_folders.empty();
}

FolderWatch::Gaps InotifyWatch::gaps() const {
  const std::lock_guard lock(mutex_);
  return gaps_;
}

std::set<std::string> InotifyWatch::DescribeGaps() const {
  const std::lock_guard lock(mutex_);
  std::set<std::string> lines;
  for (const auto& [gap, line] : lines_) {
    lines.insert(line);
  }
  return lines;
}

}  // namespace df::storage
