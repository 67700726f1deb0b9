// Files in memory that stand for an object store, whose answers a test spoils.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include <arrow/filesystem/mockfs.h>
#include <arrow/io/interfaces.h>

#include "storage/store.h"

namespace df::testing {

/// What becomes of a request. kShortUnsaid: bytes are read short, and the number says otherwise.
/// kLost: it is carried out, and its answer does not arrive. kAskedTwice: the same, and the client
/// has asked again, which the store does not understand any more.
enum class Answer : uint8_t {
  kWhole,
  kFails,
  kThrottled,
  kDenied,
  kShort,
  kShortUnsaid,
  kForgotten,
  kLost,
  kAskedTwice,
  kThrows
};

/// Asked for each request, by what it does ("list", "look", "open", "read", "write", "close" of a
/// file that is written, short where only a part of it arrives) and to which path.
/// Calls: from any thread.
using AnswerScript = std::function<Answer(std::string_view, const std::string&)>;

/// A range that was asked for.
struct RangeRequest {
  std::string path;
  int64_t position = 0;
  int64_t num_bytes = 0;
};

class ScriptedStore final : public arrow::fs::internal::MockFileSystem {
 public:
  explicit ScriptedStore(AnswerScript script)
      : MockFileSystem(arrow::fs::TimePoint{}), script_(std::move(script)) {}

  using MockFileSystem::GetFileInfo;
  using MockFileSystem::OpenInputFile;
  arrow::Result<arrow::fs::FileInfoVector> GetFileInfo(
      const arrow::fs::FileSelector& selector) override;
  arrow::Result<arrow::fs::FileInfo> GetFileInfo(const std::string& path) override;
  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInputFile(
      const std::string& path) override;
  arrow::Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutputStream(
      const std::string& path,
      const std::shared_ptr<const arrow::KeyValueMetadata>& metadata) override;

  /// Ranges asked for so far.
  std::vector<RangeRequest> requests() const;
  void Record(RangeRequest request);
  /// Returns an error, or whether the answer is to be short. `is_carried_out`: though an error is
  /// returned; null where that cannot be.
  arrow::Result<bool> Ask(std::string_view operation, const std::string& path,
                          bool* is_carried_out = nullptr);
  /// Opens what is at a path, without a request.
  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenBytes(const std::string& path);
  /// Returns the ETag of a file that is there: of its bytes, and of how often all were touched.
  std::string VersionOf(const std::string& path);
  void Touch() { ++version_; }

 private:
  AnswerScript script_;
  std::atomic<int> version_{1};
  mutable std::mutex mutex_;
  std::vector<RangeRequest> requests_;
};

/// Time of retries that passes at once.
class NoWaits final : public storage::RetryClock {
 public:
  bool Wait(std::chrono::nanoseconds) override { return !is_stopped(); }
};

}  // namespace df::testing
