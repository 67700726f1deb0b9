// Where a lake stands among folders: what a path on a local disk is close to.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "storage/store_uri.h"

namespace df::lake {

/// Returns one name for all names of a base: caches and ledgers know it by that.
std::string CanonicalBase(const storage::StoreUri& uri);

/// What stands in a folder, but for names that begin with '.' or '_'. Folders that cannot be listed
/// are taken as empty.
struct FolderContent {
  std::vector<std::filesystem::path> folders;  ///< sorted, at most kMaxFolders
  std::vector<std::string> tables;             ///< those of them that are named as tables, sorted
  int64_t num_parquet = 0;                     ///< files *.parquet
};

/// How far bases are looked for, and among how many folders of one level.
inline constexpr int kMaxBaseLevels = 4;
inline constexpr size_t kMaxFolders = 100;

FolderContent ContentOf(const std::filesystem::path& path);

/// Tells whether a folder is named as a table.
bool IsTableFolder(const std::filesystem::path& path);

/// Returns the table folder that `path` is or stands in, the nearest one within `max_levels`.
std::optional<std::filesystem::path> FindTableFolder(std::filesystem::path path, int max_levels);

/// Returns the folders below `content` that have table folders: of the nearest level that has any.
/// Cost: at most a few hundred folders are listed.
std::vector<std::filesystem::path> FindBasesBelow(const FolderContent& content);

}  // namespace df::lake
