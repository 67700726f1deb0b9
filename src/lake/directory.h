// One directory of a file system.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <arrow/filesystem/filesystem.h>
#include <arrow/result.h>

namespace df::lake {

/// An entry of a directory. Anything but files and directories is left out; symbolic links are what
/// they point to.
struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
  int64_t size_bytes = 0;
  int64_t modified_nanos = 0;  ///< since the Unix epoch
};

/// Lists a directory, in no particular order. Local directories are read with the calls of the
/// operating system: a poll of a lake is little else, and takes a third of the time that way.
/// Errors: IOError naming the path.
arrow::Result<std::vector<DirectoryEntry>> ListDirectory(arrow::fs::FileSystem& file_system,
                                                         const std::string& path);

}  // namespace df::lake
