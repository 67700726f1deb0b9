// Configuration of the Parquet receiver.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "config/field_table.h"
#include "engine/node_config.h"
#include "lake/catalog/schema_registry.h"
#include "lake/lists/file_lists.h"
#include "lake/queue/work_list.h"
#include "lake/scan/read_options.h"
#include "nodes/receivers/parquet/pace_options.h"
#include "select/fields.h"
#include "storage/store_options.h"
#include "storage/store_uri.h"

namespace df::nodes::receivers::parquet {

/// How often the tree is listed.
struct Polling {
  std::optional<std::chrono::nanoseconds> interval = std::chrono::seconds(5);  ///< nothing: `once`
};

/// How new files are found beside polling.
enum class Watching : uint8_t {
  kAuto,  ///< changes of a local tree are told by the system; polling is the safety net
  kOff    ///< by polling only
};

struct ProcessingOptions {
  int64_t batch_size = 8192;
  std::optional<std::chrono::nanoseconds> min_file_age;
  std::chrono::nanoseconds completeness_grace = std::chrono::seconds(10);
  std::chrono::nanoseconds late_window = std::chrono::minutes(10);
  lake::LateChildren late_children = lake::LateChildren::kName;
  bool validate_relations = false;
};

/// What is known of files: which there are, and what is remembered of them from run to run.
struct CatalogOptions {
  std::string cache;  ///< a local directory; "" for none
  lake::UnknownSchemas unknown_schemas = lake::UnknownSchemas::kAccept;
  std::optional<lake::FileListOptions> files;  ///< nothing: the folders of the base
};

/// What one run tells the next of how far it came.
struct ProgressOptions {
  std::string resume;       ///< a receipt of an earlier run; "" for none
  bool in_receipt = false;  ///< the receipt names every file of which something was delivered
};

/// How several processes share a checkpoint.
struct LeaseOptions {
  std::chrono::nanoseconds ttl = std::chrono::seconds(30);
};

/// Where it is kept what was delivered, so that a later process goes on from there.
struct CheckpointOptions {
  std::string directory;  ///< a local one, made where it is missing; "": that of the engine
  std::string name;       ///< of the replay; a rerun that is wanted is another name
  std::chrono::nanoseconds save_interval = std::chrono::seconds(1);
  std::optional<LeaseOptions> lease;  ///< nothing: one process at a time has it
};

struct ParquetReceiverConfig {
  std::string base_uri;
  std::optional<storage::StoreOptions> storage;
  storage::StoreUri uri;  ///< what base_uri or storage say
  std::vector<df::otap::Signal> signal_types = {df::otap::kAllSignals.begin(),
                                                df::otap::kAllSignals.end()};
  Polling polling_interval;
  Watching watch = Watching::kAuto;
  ProcessingOptions processing_options;
  lake::ResourceJoin resource_join = lake::ResourceJoin::kInfer;
  int64_t memory_limit = 256_MiB;
  int64_t max_concurrent_partitions = 1;  ///< on each core
  CatalogOptions catalog;
  ProgressOptions progress;
  std::optional<CheckpointOptions> checkpoint;
  std::optional<PaceOptions> pace;
  std::optional<TimeOptions> time;
  bool keeps_dead_letter_marks = false;
  bool digest = false;  ///< the receipt says by digests what was delivered
  std::optional<select::SelectSettings> select;
  std::optional<select::Selection> selection;  ///< what `select` says, checked
};

/// What the engine keeps of a node.
struct ParquetNodeConfig final : engine::NodeConfig {
  ParquetReceiverConfig config;
};

const config::FieldTable<ParquetReceiverConfig>& ParquetReceiverFields();

/// Tells whether a replay can go on with another configuration: only how often the tree is listed,
/// how large batches are and how fast records go out differ, and records go by their times, and the
/// tree is followed, in both or in none.
bool CanApply(const ParquetReceiverConfig& from, const ParquetReceiverConfig& to);

/// Reads the configuration of a node; what does not fit together is added to its problems.
ParquetReceiverConfig ReadParquetReceiverConfig(const config::Section& section);

/// Says in words what is sent: what is selected and how times are changed. What one replay has
/// delivered says nothing of another that sends something else. "": everything, as it is.
std::string DescribeSent(const ParquetReceiverConfig& config);

/// Has a checkpoint that names no directory be in that of the engine, `state_dir`; where that is
/// empty, too, it is a problem of `section`.
void PlaceCheckpoint(const config::Section& section, const std::string& state_dir,
                     ParquetReceiverConfig* config);

/// Says which records go out, as far as the configuration tells, for processes that share a
/// checkpoint: it is equal where they are, the base and the selection aside.
std::string DescribeSettings(const ParquetReceiverConfig& config);

/// `now` is what times in `select` are relative to.
lake::ReadOptions MakeReadOptions(const ParquetReceiverConfig& config,
                                  std::chrono::system_clock::time_point now);
lake::FollowOptions MakeFollowOptions(const ParquetReceiverConfig& config);

}  // namespace df::nodes::receivers::parquet
