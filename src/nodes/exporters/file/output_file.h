// A file that holds whole requests only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file_calls.h"
#include "nodes/exporters/file/config.h"

namespace df::nodes::exporters::file {

/// Owner: the file, which it closes. Calls: from one thread at a time.
class OutputFile {
 public:
  /// What was done to the end of a file that is written on.
  struct Repair {
    int64_t cut_bytes = 0;       ///< of a request that was not whole
    bool added_newline = false;  ///< behind a request that was whole
    bool was_in_use = false;     ///< by another writer, so that its end was left alone
  };

  /// Opens a file and makes its folders; with Durability::kSync its name is durable then. Where it
  /// is appended to, what a writer left of an unfinished request is cut off first. `calls` is
  /// borrowed. Errors: kind io naming the path; Invalid for a file of something else.
  static Result<std::unique_ptr<OutputFile>> Open(FileCalls* calls, const std::string& path,
                                                  const FileConfig& config);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Hands `head` and `body` to the operating system, as one. When that fails, what was written of
  /// them is taken back, so that the next request can be read; nothing is written while that cannot
  /// be done. Errors: kind io, retryable.
  Status Write(std::string_view head, std::string_view body);

  /// Makes what was written durable. When that fails, what was written since the last time is taken
  /// back, as far as possible. Errors: kind io, retryable.
  Status Sync();

  const std::string& path() const { return path_; }
  const Repair& repair() const { return repair_; }

 private:
  OutputFile(FileCalls* calls, std::string path, int descriptor)
      : calls_(calls), path_(std::move(path)), descriptor_(descriptor) {}

  Status Lock();
  Status MendEnd(Format format);
  Status TakeBack(int64_t size_bytes);

  FileCalls* calls_;
  std::string path_;
  int descriptor_;
  bool is_regular_ = false;
  bool may_mend_ = true;
  Repair repair_;
  int64_t end_ = 0;       ///< of what was written; regular files only
  int64_t synced_ = 0;    ///< so much of it at the last sync
  int64_t torn_at_ = -1;  ///< where something stands that could not be taken back
};

}  // namespace df::nodes::exporters::file
