#include "testing/crash_files.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <utility>

#include <fcntl.h>

namespace df::testing {

struct CrashFiles::Node {
  explicit Node(bool folder) : is_folder(folder) {}

  bool is_folder;
  std::string bytes;
  std::string synced_bytes;
  std::map<std::string, NodePtr> names;
  std::map<std::string, NodePtr> synced_names;
  int64_t num_links = 1;
  int num_shared = 0;
  bool is_exclusive = false;
};

CrashFiles::CrashFiles() : root_(std::make_shared<Node>(true)) {
  root_->names["tmp"] = std::make_shared<Node>(true);
  root_->synced_names = root_->names;
}

CrashFiles::~CrashFiles() = default;

CrashFiles::NodePtr CrashFiles::Find(const std::string& path) const {
  NodePtr node = root_;
  for (const std::filesystem::path& part : std::filesystem::path(path).relative_path()) {
    if (part.empty() || part == ".") {
      continue;
    }
    const auto found = node->names.find(part.string());
    if (found == node->names.end()) {
      return nullptr;
    }
    node = found->second;
  }
  return node;
}

CrashFiles::NodePtr CrashFiles::FindFolderOf(const std::string& path, std::string* name) const {
  const std::filesystem::path whole(path);
  *name = whole.filename().string();
  return Find(whole.parent_path().string());
}

int CrashFiles::Ask(std::string_view call, const std::string& path) const {
  Fault fault;
  {
    const std::lock_guard lock(mutex_);
    fault = fault_;
  }
  return fault ? fault(call, path) : 0;
}

void CrashFiles::Step() const {
  std::function<void()> step;
  {
    const std::lock_guard lock(mutex_);
    step = step_;
  }
  if (step) {
    step();
  }
}

int CrashFiles::Open(const std::string& path, int flags, mode_t) {
  if (const int error = Ask("open", path); error < 0) {
    return error;
  }
  int descriptor = 0;
  {
    const std::lock_guard lock(mutex_);
    NodePtr node = Find(path);
    if (node != nullptr && (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) {
      return -EEXIST;
    }
    if (node == nullptr) {
      std::string name;
      const NodePtr folder = FindFolderOf(path, &name);
      if ((flags & O_CREAT) == 0 || folder == nullptr) {
        return -ENOENT;
      }
      if (!folder->is_folder) {
        return -ENOTDIR;
      }
      node = std::make_shared<Node>(false);
      folder->names[name] = node;
    }
    if ((flags & O_DIRECTORY) != 0 && !node->is_folder) {
      return -ENOTDIR;
    }
    if ((flags & O_TRUNC) != 0) {
      node->bytes.clear();
    }
    descriptor = next_descriptor_++;
    open_[descriptor] = {node, path, (flags & O_APPEND) != 0};
  }
  Step();
  return descriptor;
}

void CrashFiles::Unlock(OpenFile* file) {
  if (std::exchange(file->is_locked, false)) {
    if (file->node->is_exclusive) {
      file->node->is_exclusive = false;
    } else {
      --file->node->num_shared;
    }
  }
}

int CrashFiles::Close(int descriptor) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(descriptor);
  if (found == open_.end()) {
    return -EBADF;
  }
  Unlock(&found->second);
  open_.erase(found);
  return 0;
}

int64_t CrashFiles::Write(int descriptor, std::string_view first, std::string_view second) {
  std::string path;
  {
    const std::lock_guard lock(mutex_);
    path = open_.at(descriptor).path;
  }
  if (const int error = Ask("write", path); error < 0) {
    return error;
  }
  std::string bytes = std::string(first) + std::string(second);
  {
    const std::lock_guard lock(mutex_);
    OpenFile& file = open_.at(descriptor);
    bytes.resize(std::min(bytes.size(), max_write_));
    std::string& content = file.node->bytes;
    const auto at = file.appends ? content.size() : static_cast<size_t>(file.position);
    content.resize(std::max(content.size(), at + bytes.size()));
    std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(at));
    file.position = static_cast<int64_t>(at + bytes.size());
  }
  Step();
  return static_cast<int64_t>(bytes.size());
}

int64_t CrashFiles::ReadAt(int descriptor, char* buffer, size_t size, int64_t offset) {
  const std::lock_guard lock(mutex_);
  const std::string& content = open_.at(descriptor).node->bytes;
  const auto at = std::min(static_cast<size_t>(offset), content.size());
  return static_cast<int64_t>(content.copy(buffer, size, at));
}

int CrashFiles::Sync(int descriptor) {
  std::string path;
  {
    const std::lock_guard lock(mutex_);
    path = open_.at(descriptor).path;
  }
  if (const int error = Ask("sync", path); error < 0) {
    return error;
  }
  {
    const std::lock_guard lock(mutex_);
    const NodePtr node = open_.at(descriptor).node;
    auto known = std::find(synced_nodes_.begin(), synced_nodes_.end(), node);
    if (known == synced_nodes_.end()) {
      known = synced_nodes_.insert(synced_nodes_.end(), node);
      synced_paths_.push_back(path);
    }
    if (static_cast<size_t>(known - synced_nodes_.begin()) == ignored_) {
      return 0;
    }
    node->synced_bytes = node->bytes;
    node->synced_names = node->names;
  }
  Step();
  return 0;
}

int CrashFiles::Truncate(int descriptor, int64_t size_bytes) {
  std::string path;
  {
    const std::lock_guard lock(mutex_);
    path = open_.at(descriptor).path;
  }
  if (const int error = Ask("truncate", path); error < 0) {
    return error;
  }
  {
    const std::lock_guard lock(mutex_);
    open_.at(descriptor).node->bytes.resize(static_cast<size_t>(size_bytes));
  }
  Step();
  return 0;
}

int CrashFiles::Stat(int descriptor, FileFacts* facts) {
  const std::lock_guard lock(mutex_);
  const Node& node = *open_.at(descriptor).node;
  facts->size_bytes = static_cast<int64_t>(node.bytes.size());
  facts->num_links = node.num_links;
  facts->is_regular = !node.is_folder;
  return 0;
}

int CrashFiles::Lock(int descriptor, FileLock lock) {
  std::string path;
  {
    const std::lock_guard guard(mutex_);
    path = open_.at(descriptor).path;
  }
  if (const int error = Ask("lock", path); error < 0) {
    return error;
  }
  const std::lock_guard guard(mutex_);
  OpenFile& file = open_.at(descriptor);
  Unlock(&file);
  Node& node = *file.node;
  const bool wants_all = lock == FileLock::kExclusive;
  if (node.is_exclusive || (wants_all && node.num_shared > 0)) {
    return -EWOULDBLOCK;
  }
  file.is_locked = true;
  if (wants_all) {
    node.is_exclusive = true;
  } else {
    ++node.num_shared;
  }
  return 0;
}

int CrashFiles::MakeDirectory(const std::string& path, mode_t) {
  if (const int error = Ask("mkdir", path); error < 0) {
    return error;
  }
  {
    const std::lock_guard lock(mutex_);
    if (Find(path) != nullptr) {
      return -EEXIST;
    }
    std::string name;
    const NodePtr folder = FindFolderOf(path, &name);
    if (folder == nullptr || !folder->is_folder) {
      return folder == nullptr ? -ENOENT : -ENOTDIR;
    }
    folder->names[name] = std::make_shared<Node>(true);
  }
  Step();
  return 0;
}

int CrashFiles::Rename(const std::string& from, const std::string& to) {
  if (const int error = Ask("rename", from); error < 0) {
    return error;
  }
  {
    const std::lock_guard lock(mutex_);
    std::string old_name;
    std::string new_name;
    const NodePtr old_folder = FindFolderOf(from, &old_name);
    const NodePtr new_folder = FindFolderOf(to, &new_name);
    if (old_folder == nullptr || new_folder == nullptr || !old_folder->names.contains(old_name)) {
      return -ENOENT;
    }
    new_folder->names[new_name] = std::exchange(old_folder->names[old_name], nullptr);
    old_folder->names.erase(old_name);
  }
  Step();
  return 0;
}

int CrashFiles::Unlink(const std::string& path) {
  if (const int error = Ask("unlink", path); error < 0) {
    return error;
  }
  {
    const std::lock_guard lock(mutex_);
    std::string name;
    const NodePtr folder = FindFolderOf(path, &name);
    if (folder == nullptr || !folder->names.contains(name)) {
      return -ENOENT;
    }
    --folder->names[name]->num_links;
    folder->names.erase(name);
  }
  Step();
  return 0;
}

void CrashFiles::SetFault(Fault fault) {
  const std::lock_guard lock(mutex_);
  fault_ = std::move(fault);
}

void CrashFiles::LimitWrites(size_t max_bytes) {
  const std::lock_guard lock(mutex_);
  max_write_ = max_bytes;
}

void CrashFiles::OnStep(std::function<void()> step) {
  const std::lock_guard lock(mutex_);
  step_ = std::move(step);
}

void CrashFiles::IgnoreSyncsOf(size_t ordinal) {
  const std::lock_guard lock(mutex_);
  ignored_ = ordinal;
}

std::vector<std::string> CrashFiles::synced_paths() const {
  const std::lock_guard lock(mutex_);
  return synced_paths_;
}

std::string CrashFiles::Content(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const NodePtr node = Find(path);
  return node == nullptr ? "" : node->bytes;
}

bool CrashFiles::Exists(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return Find(path) != nullptr;
}

void CrashFiles::Leave(Crash crash, const Node& node, const std::filesystem::path& target) {
  if (!node.is_folder) {
    std::string left = node.synced_bytes;
    if (crash == Crash::kBytesWereTorn && node.bytes.size() > left.size()) {
      left = node.bytes.substr(0, left.size() + (node.bytes.size() - left.size()) / 2);
    }
    std::ofstream(target, std::ios::binary) << left;
    return;
  }
  std::filesystem::create_directories(target);
  for (const auto& [name, child] :
       crash == Crash::kOnlyWhatWasSynced ? node.synced_names : node.names) {
    Leave(crash, *child, target / name);
  }
}

void CrashFiles::LeaveAfter(Crash crash, const std::string& folder,
                            const std::filesystem::path& target) const {
  const std::lock_guard lock(mutex_);
  NodePtr node = root_;
  for (const std::filesystem::path& part : std::filesystem::path(folder).relative_path()) {
    const auto& names = crash == Crash::kOnlyWhatWasSynced ? node->synced_names : node->names;
    const auto found = names.find(part.string());
    if (found == names.end()) {
      return;
    }
    node = found->second;
  }
  Leave(crash, *node, target);
}

}  // namespace df::testing
