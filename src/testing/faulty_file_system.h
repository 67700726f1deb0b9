// A local file system whose reads fail when a test says so.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <arrow/filesystem/localfs.h>

namespace df::testing {

/// Which calls fail. Calls are counted over all files: each open, each question for a size and each
/// read is one.
struct ReadFaults {
  int64_t first = INT64_MAX;  ///< number of the first call that fails, from 0
  int64_t count = 1;          ///< how many calls in succession fail
  enum class Form : uint8_t {
    kError,
    kShort,    ///< reads give half of the bytes
    kFlipped,  ///< one bit is wrong, inside a run of kFiller; reads without one are sound
  };
  Form form = Form::kError;
  static constexpr char kFiller = 'k';
  int64_t num_calls = 0;  ///< made so far
  int64_t num_failed = 0;

  /// Counts a call; tells whether it fails.
  bool Next();
};

/// Fails reads of files; listing never fails. `faults` is borrowed. Calls: from one thread.
class FaultyFileSystem : public arrow::fs::LocalFileSystem {
 public:
  explicit FaultyFileSystem(ReadFaults* faults) : faults_(faults) {}
  using arrow::fs::LocalFileSystem::OpenInputFile;
  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInputFile(
      const std::string& path) override;

 private:
  ReadFaults* faults_;
};

}  // namespace df::testing
