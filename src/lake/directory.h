// One directory of a file system.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include <arrow/filesystem/filesystem.h>
#include <arrow/result.h>

namespace df::lake {

/// What a local file system tells files and directories apart by, whatever their names.
struct FileNumber {
  uint64_t device = 0;
  uint64_t inode = 0;  ///< 0: the file system does not say
  bool is_known() const { return inode != 0; }
  auto operator<=>(const FileNumber&) const = default;
};

/// An entry of a directory. Anything but files and directories is left out; symbolic links are what
/// they point to.
struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
  int64_t size_bytes = 0;
  int64_t modified_nanos = 0;  ///< since the Unix epoch
  int64_t changed_nanos = 0;   ///< when it got its name or its content last; 0: unknown
  FileNumber number;
  bool is_link = false;    ///< a symbolic link
  bool has_names = false;  ///< a file of several names (hard links)
  int error = 0;           ///< errno, when it is there and nothing more can be said of it
};

/// Lists a directory, in no particular order. Local directories are read with the calls of the
/// operating system: a poll of a lake is little else, and takes a third of the time that way.
/// Errors: IOError naming the path.
arrow::Result<std::vector<DirectoryEntry>> ListDirectory(arrow::fs::FileSystem& file_system,
                                                         const std::string& path);

/// Returns the numbers of a directory and of all that it lies in; none when it is not local.
std::vector<FileNumber> NumbersUpFrom(arrow::fs::FileSystem& file_system, const std::string& path);

}  // namespace df::lake
