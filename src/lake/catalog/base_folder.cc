#include "lake/catalog/base_folder.h"

#include <algorithm>
#include <system_error>

#include "otap/schema.h"

namespace df::lake {

namespace fs = std::filesystem;

std::string CanonicalBase(const storage::StoreUri& uri) {
  if (!uri.is_local()) {
    return uri.Describe(uri.path);
  }
  std::error_code error;
  const fs::path canonical = fs::weakly_canonical(uri.path, error);
  return error ? uri.path : canonical.string();
}

FolderContent ContentOf(const fs::path& path) {
  FolderContent content;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.') || name.starts_with('_')) {
      continue;  // of writers: what is in it is not visible yet
    }
    std::error_code unknown;
    if (entry->is_directory(unknown)) {
      if (otap::FindTable(name) != nullptr) {
        content.tables.push_back(name);
      }
      content.folders.push_back(entry->path());
    } else if (name.ends_with(".parquet")) {
      ++content.num_parquet;
    }
  }
  std::sort(content.folders.begin(), content.folders.end());
  std::sort(content.tables.begin(), content.tables.end());
  content.folders.resize(std::min(content.folders.size(), kMaxFolders));
  return content;
}

bool IsTableFolder(const fs::path& path) {
  return otap::FindTable(path.filename().string()) != nullptr;
}

std::optional<fs::path> FindTableFolder(fs::path path, int max_levels) {
  for (int level = 0; level < max_levels && path.has_filename(); ++level) {
    if (IsTableFolder(path)) {
      return path;
    }
    path = path.parent_path();
  }
  return std::nullopt;
}

std::vector<fs::path> FindBasesBelow(const FolderContent& content) {
  std::vector<fs::path> found;
  std::vector<fs::path> level = content.folders;
  for (int depth = 1; depth < kMaxBaseLevels && !level.empty() && found.empty(); ++depth) {
    std::vector<fs::path> next;
    for (const fs::path& folder : level) {
      const FolderContent inner = ContentOf(folder);
      if (!inner.tables.empty()) {
        found.push_back(folder);
      }
      next.insert(next.end(), inner.folders.begin(), inner.folders.end());
    }
    next.resize(std::min(next.size(), kMaxFolders));
    level = std::move(next);
  }
  return found;
}

}  // namespace df::lake
