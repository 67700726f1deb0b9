// Files of an archive, for tests that damage them.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace df::e2e {

/// Returns the Parquet files of a table, sorted.
inline std::vector<std::filesystem::path> FilesOf(const std::filesystem::path& lake,
                                                  const std::string& table) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(lake / table)) {
    if (entry.path().extension() == ".parquet") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace df::e2e
