// What became of the items of files.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/account.h"
#include "engine/node_registry.h"
#include "nodes/receivers/otlp_file/config.h"

namespace df::nodes::receivers::otlp_file {

/// A file that is read. Guarded by FileSums.
struct OpenFile {
  std::string path;
  int64_t size_bytes = 0;
  int64_t num_open = 0;     ///< batches without an outcome
  bool is_read = false;     ///< to its end
  bool is_whole = true;     ///< everything in it could be read
  bool is_refused = false;  ///< something of it was
};
using OpenFilePtr = std::shared_ptr<OpenFile>;

/// A batch of a file. Units: records as SignalAccount has them.
struct FileBatch {
  OpenFilePtr file;
  otap::Signal signal = otap::Signal::kLogs;
  int64_t num_records = 0;
  int64_t num_items = 0;
};

/// The files, each for one instance, and sums over all instances. Outlives instances that fail.
/// Calls: from any thread.
class FileSums final : public engine::NodeShared {
 public:
  /// Finds the files. Errors: config where there are none, and for one of protobuf whose signal
  /// nothing tells.
  static Result<std::shared_ptr<FileSums>> Make(const OtlpFileConfig& config);

  /// Returns the next file that no instance reads; null after the last one.
  OpenFilePtr Take();

  void OnRead(const FileBatch& batch);
  void OnSent(const FileBatch& batch);
  /// `is_refused`: at least in part. Of the items that were refused `num_dead_letters` are durable
  /// among the dead letters.
  void OnOutcome(const FileBatch& batch, bool is_refused, int64_t num_items_refused,
                 int64_t num_dead_letters);
  /// Something of the file is not sent. Returns whether it is named: those beyond the first are
  /// counted only.
  bool OnProblem(const OpenFilePtr& file, const std::string& message);
  void OnEnd(const OpenFilePtr& file);
  /// Says what was in requests and is not in their batches, as DecodeLosses tells it.
  void OnLosses(const engine::NodeReport& losses);

  /// Describes all of it.
  engine::NodeReport Describe() const;

 private:
  FileSums(std::string path, std::vector<OpenFilePtr> files)
      : path_(std::move(path)), files_(std::move(files)) {}

  struct Sums {
    int64_t read = 0;
    int64_t sent = 0;
    int64_t delivered = 0;
    int64_t refused = 0;
    int64_t dead_letters = 0;
    int64_t items_sent = 0;
    int64_t items_delivered = 0;
    int64_t items_refused = 0;
    int64_t items_dead_letters = 0;
  };

  const std::string path_;
  mutable std::mutex mutex_;
  std::vector<OpenFilePtr> files_;
  size_t next_ = 0;
  std::array<Sums, otap::kAllSignals.size()> sums_{};
  std::vector<engine::NamedCount> problems_;
  int64_t num_problems_ = 0;
  engine::NodeReport losses_;
};

}  // namespace df::nodes::receivers::otlp_file
