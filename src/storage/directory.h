// What is in directories.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <arrow/filesystem/type_fwd.h>

#include "base/error.h"

namespace df::storage {

/// What a local file system tells files and directories apart by, whatever their names.
struct FileNumber {
  uint64_t device = 0;
  uint64_t inode = 0;  ///< 0: the file system does not say
  bool is_known() const { return inode != 0; }
  auto operator<=>(const FileNumber&) const = default;
};

/// An entry of a directory. Anything but files and directories is left out; symbolic links are what
/// they point to. Of directories only the name is told: they are looked at when they are listed.
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

/// What a directory holds, in no particular order.
struct DirectoryListing {
  FileNumber number;  ///< of the directory itself
  std::vector<DirectoryEntry> entries;
};

/// Answers what directories hold. Calls: from any thread.
class DirectoryReader {
 public:
  virtual ~DirectoryReader() = default;

  /// Lists a directory. Errors: IOError naming the path.
  virtual Result<DirectoryListing> List(const std::string& path) = 0;

  /// Returns the numbers of a directory and of all that it lies in; none where files have none.
  virtual std::vector<FileNumber> NumbersUpFrom(const std::string& path) = 0;

  /// Returns the number of a directory; an unknown one where it has none, or is not there.
  virtual FileNumber NumberOf(const std::string& path) = 0;
};

/// Reads directories of the local file system with the calls of the operating system, when they are
/// asked for: a poll of a lake is little else, and takes a third of the time that way.
class LocalDirectories final : public DirectoryReader {
 public:
  Result<DirectoryListing> List(const std::string& path) override;
  std::vector<FileNumber> NumbersUpFrom(const std::string& path) override;
  FileNumber NumberOf(const std::string& path) override;
};

/// Answers from one listing of all objects below a prefix: object stores know no directories, and
/// a request for each would cost more than all names at once.
class ListedObjects final : public DirectoryReader {
 public:
  /// Names that no directory can have ("", ".", "..") are left out and counted.
  ListedObjects(const std::string& base, const std::vector<arrow::fs::FileInfo>& objects);

  Result<DirectoryListing> List(const std::string& path) override;
  std::vector<FileNumber> NumbersUpFrom(const std::string& path) override;
  FileNumber NumberOf(const std::string& path) override;
  int64_t num_unusable() const { return num_unusable_; }

 private:
  bool AddDirectories(std::string_view path);

  std::string base_;
  std::map<std::string, std::vector<DirectoryEntry>, std::less<>> directories_;
  int64_t num_unusable_ = 0;
};

}  // namespace df::storage
