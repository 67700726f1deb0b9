#include "nodes/receivers/parquet/config.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "config/value_writer.h"
#include "lake/ledger/checkpoint.h"
#include "storage/store_fields.h"

namespace df::nodes::receivers::parquet {
namespace {

Result<Polling> ParsePolling(std::string_view text) {
  if (text == "once") {
    return Polling{.interval = std::nullopt};
  }
  ARROW_ASSIGN_OR_RAISE(const std::chrono::nanoseconds interval, ParseDuration(text));
  if (interval <= std::chrono::nanoseconds(0)) {
    return Status::Invalid(fmt::format("found '{}'", text));
  }
  return Polling{.interval = interval};
}

std::string ShowPolling(const Polling& polling) {
  return polling.interval.has_value() ? FormatDuration(*polling.interval) : "once";
}

const config::FieldTable<ProcessingOptions>& ProcessingFields() {
  static const config::FieldTable<ProcessingOptions> kTable = {
      config::Integer("batch_size", &ProcessingOptions::batch_size, {1, otap::kMaxRootRows},
                      "most records, spans or metrics of one batch"),
      config::OptionalDuration("min_file_age", &ProcessingOptions::min_file_age,
                               "files younger than this are not read yet, whatever their table"),
      config::Duration(
          "completeness_grace", &ProcessingOptions::completeness_grace,
          "when polling: how long a partition must be quiet before records go out whose "
          "children may still come"),
      config::Duration("late_window", &ProcessingOptions::late_window,
                       "when polling: how long child files that come too late are counted and "
                       "named"),
      config::Enum(
          "late_children", &ProcessingOptions::late_children,
          {{"name", lake::LateChildren::kName}, {"resend", lake::LateChildren::kResend}},
          "what is done about child files that come after their records went out: they are "
          "named, or the records are sent once more, with them"),
      config::Bool("validate_relations", &ProcessingOptions::validate_relations,
                   "check every batch against the model before it is sent"),
  };
  return kTable;
}

const config::FieldTable<lake::DuckLakeOptions>& DuckLakeFields() {
  using lake::DuckLakeOptions;
  static const config::FieldTable<DuckLakeOptions> kTable = {
      config::String("catalog", &DuckLakeOptions::catalog, "the SQLite file of the catalog")
          .Required(),
      config::String("schema", &DuckLakeOptions::schema, "the schema with the tables"),
      config::Integer("snapshot", &DuckLakeOptions::snapshot,
                      {0, std::numeric_limits<int64_t>::max()},
                      "the snapshot that is read; the newest without it")
          .PrintedWhenGiven(),
      config::Bool("single_partition", &DuckLakeOptions::single_partition,
                   "rows of tables without a partition column are all of one partition"),
  };
  return kTable;
}

const config::FieldTable<lake::DeltaOptions>& DeltaFields() {
  static const config::FieldTable<lake::DeltaOptions> kTable = {
      config::Bool("single_partition", &lake::DeltaOptions::single_partition,
                   "rows of tables without a partition column are all of one partition"),
  };
  return kTable;
}

const config::FieldTable<lake::FileListOptions>& FileListFields() {
  static const config::FieldTable<lake::FileListOptions> kTable = {
      config::String("plan", &lake::FileListOptions::plan,
                     "a local file with a line of JSON for each file of the lake")
          .PrintedWhenGiven(),
      config::OptionalGroup("ducklake", &lake::FileListOptions::ducklake, DuckLakeFields(),
                            "a DuckLake catalog of star tables, whose DATA_PATH base_uri holds"),
      config::OptionalGroup("delta", &lake::FileListOptions::delta, DeltaFields(),
                            "the table folders of base_uri are Delta tables"),
  };
  return kTable;
}

void CheckFileList(const config::Section& section, const lake::FileListOptions& files) {
  const int num_given = (files.plan.empty() ? 0 : 1) + (files.ducklake.has_value() ? 1 : 0) +
                        (files.delta.has_value() ? 1 : 0);
  if (num_given != 1) {
    section.Add(fmt::format("found {} lists of files, expected one of plan, ducklake and delta",
                            num_given));
  }
}

const config::FieldTable<CatalogOptions>& CatalogFields() {
  using lake::UnknownSchemas;
  static const config::FieldTable<CatalogOptions> kTable = {
      config::String("cache", &CatalogOptions::cache,
                     "a local directory where footers and schemas are kept from run to run")
          .PrintedWhenGiven(),
      config::Enum("unknown_schemas", &CatalogOptions::unknown_schemas,
                   {{"accept", UnknownSchemas::kAccept},
                    {"warn", UnknownSchemas::kWarn},
                    {"refuse", UnknownSchemas::kRefuse}},
                   "what to do with a file whose schema no file of its table has had before"),
      config::OptionalGroup("files", &CatalogOptions::files, FileListFields(),
                            "what says which files there are; the folders of base_uri without it",
                            CheckFileList),
  };
  return kTable;
}

const config::FieldTable<ProgressOptions>& ProgressFields() {
  static const config::FieldTable<ProgressOptions> kTable = {
      config::String("resume", &ProgressOptions::resume,
                     "the receipt of an earlier run: what it says was delivered is not sent again")
          .PrintedWhenGiven(),
      config::Bool("in_receipt", &ProgressOptions::in_receipt,
                   "name in the receipt every file of which something was delivered, for resume"),
  };
  return kTable;
}

const config::FieldTable<LeaseOptions>& LeaseFields() {
  static const config::FieldTable<LeaseOptions> kTable = {
      config::Duration("ttl", &LeaseOptions::ttl,
                       "others take over the files of a process that is silent for so long"),
  };
  return kTable;
}

void CheckLease(const config::Section& section, const LeaseOptions& lease) {
  if (lease.ttl < std::chrono::seconds(1)) {
    section.AddAtKey("ttl", "ttl: expected a duration of 1s or more");
  }
}

const config::FieldTable<CheckpointOptions>& CheckpointFields() {
  static const config::FieldTable<CheckpointOptions> kTable = {
      config::String(
          "directory", &CheckpointOptions::directory,
          "a local directory, made where it is missing; checkpoints/ in engine.state_dir "
          "without it")
          .PrintedWhenGiven(),
      config::String("name", &CheckpointOptions::name,
                     "names the replay among those of the directory; another name sends everything "
                     "again")
          .Required(),
      config::Duration("save_interval", &CheckpointOptions::save_interval,
                       "how often what was delivered is saved: a process that is killed sends so "
                       "much again"),
      config::OptionalGroup("lease", &CheckpointOptions::lease, LeaseFields(),
                            "shares the checkpoint with other processes of the machine: each file "
                            "is sent by one of them",
                            CheckLease),
  };
  return kTable;
}

void CheckCheckpoint(const config::Section& section, const CheckpointOptions& checkpoint) {
  if (!lake::Checkpoint::IsName(checkpoint.name)) {
    section.AddAtKey("name", fmt::format("name: found '{}', expected letters, digits, '.', '_' and "
                                         "'-', at most 100, not beginning with '.'",
                                         PrintableText(checkpoint.name)));
  }
  if (checkpoint.save_interval <= std::chrono::nanoseconds(0)) {
    section.AddAtKey("save_interval", "save_interval: expected a duration above 0");
  }
}

/// What only one process can do does not go with several.
void CheckShared(const config::Section& section, const ParquetReceiverConfig& config) {
  const auto add = [&section](std::string_view key, std::string_view why) {
    section.AddAtKey("lease", fmt::format("lease: found {} beside it: {}", key, why));
  };
  if (config.pace.has_value() || config.time.has_value()) {
    add(config.pace.has_value() ? "pace" : "time",
        "one process alone keeps the order and the distance of records");
  }
  if (config.processing_options.late_children == lake::LateChildren::kResend) {
    add("processing_options.late_children: resend",
        "what others have sent is not known well enough to be sent once more");
  }
  if (!config.progress.resume.empty()) {
    add("progress.resume", "only what is in the checkpoint is known to all");
  }
}

}  // namespace

const config::FieldTable<ParquetReceiverConfig>& ParquetReceiverFields() {
  using lake::ResourceJoin;
  using otap::Signal;
  static const config::FieldTable<ParquetReceiverConfig> kTable = {
      config::String("base_uri", &ParquetReceiverConfig::base_uri,
                     "what holds one folder per table: a path, file://, s3://, gs:// or abfs://")
          .PrintedWhenGiven(),
      config::OptionalGroup("storage", &ParquetReceiverConfig::storage, storage::StoreFields(),
                            "how the store of base_uri is reached"),
      config::EnumList(
          "signal_types", &ParquetReceiverConfig::signal_types,
          {{"logs", Signal::kLogs}, {"traces", Signal::kTraces}, {"metrics", Signal::kMetrics}},
          "signals to replay"),
      config::Custom<ParquetReceiverConfig, Polling>(
          "polling_interval", "a duration above 0, or once",
          &ParquetReceiverConfig::polling_interval, ParsePolling, ShowPolling,
          "how often to look for new files; once replays what is there and ends"),
      config::Enum("watch", &ParquetReceiverConfig::watch,
                   {{"auto", Watching::kAuto}, {"off", Watching::kOff}},
                   "when polling: whether new files of a local tree are looked at as soon as the "
                   "system tells of them"),
      config::Group("processing_options", &ParquetReceiverConfig::processing_options,
                    ProcessingFields(), "how files become batches"),
      config::Enum("resource_join", &ParquetReceiverConfig::resource_join,
                   {{"infer", ResourceJoin::kInfer},
                    {"drop", ResourceJoin::kDrop},
                    {"fail", ResourceJoin::kFail}},
                   "what to do where files do not say which resource a record has"),
      config::Size("memory_limit", &ParquetReceiverConfig::memory_limit, {16_MiB, 1024_GiB},
                   "bound on what is read and decoded, over all cores"),
      config::Integer("max_concurrent_partitions",
                      &ParquetReceiverConfig::max_concurrent_partitions, {1, 64},
                      "partitions read at the same time on each core"),
      config::Group("catalog", &ParquetReceiverConfig::catalog, CatalogFields(),
                    "which files there are, and what is remembered of them from run to run"),
      config::Group("progress", &ParquetReceiverConfig::progress, ProgressFields(),
                    "going on where an earlier run has ended"),
      config::OptionalGroup("checkpoint", &ParquetReceiverConfig::checkpoint, CheckpointFields(),
                            "keeps what was delivered, so that a later process does not send it "
                            "again",
                            CheckCheckpoint),
      config::OptionalGroup("pace", &ParquetReceiverConfig::pace, PaceFields(),
                            "how fast records go out; as fast as they are taken without it",
                            CheckPace),
      config::OptionalGroup("time", &ParquetReceiverConfig::time, TimeFields(),
                            "how the times of records are changed; they stay as they are without "
                            "it",
                            CheckTimes),
      config::Bool(
          "keep_dead_letter_marks", &ParquetReceiverConfig::keeps_dead_letter_marks,
          "send dead letters with the attributes df_engine.dead_letter.* that say why they "
          "were refused; without it they go out as they were first sent"),
      config::Bool("digest", &ParquetReceiverConfig::digest,
                   "have the receipt say by a digest of items what was delivered, for verify; "
                   "takes some microseconds of CPU time an item"),
      config::OptionalGroup("select", &ParquetReceiverConfig::select, select::SelectFields(),
                            "which records are wanted; all of them without it"),
  };
  return kTable;
}

ParquetReceiverConfig ReadParquetReceiverConfig(const config::Section& section) {
  ParquetReceiverConfig config = config::Read(ParquetReceiverFields(), section);
  if (auto uri = storage::ReadStoreUri(section, config.base_uri, config.storage)) {
    config.uri = *std::move(uri);
  }
  if (config.catalog.unknown_schemas == lake::UnknownSchemas::kRefuse &&
      config.catalog.cache.empty()) {
    section.Find("catalog")->AddAtKey("unknown_schemas",
                                      "unknown_schemas: found 'refuse' without cache, which "
                                      "keeps what schemas are known");
  }
  if (config.select.has_value()) {
    config.selection =
        select::ReadSelection(*section.Find("select"), *config.select, config.signal_types);
    if (config.polling_interval.interval.has_value() && config.selection.has_value() &&
        config.selection->AsksOfTraces()) {
      section.Find("select")->AddAtKey(
          "where",
          "where: found trace.any beside polling_interval: which traces it is true of can only be "
          "told of an archive that does not grow; write polling_interval: once");
    }
  }
  CheckTogether(section, config.pace.value_or(PaceOptions()), config.time.value_or(TimeOptions()),
                config.polling_interval.interval.has_value(),
                config.checkpoint.has_value()     ? "checkpoint"
                : !config.progress.resume.empty() ? "progress.resume"
                                                  : "");
  if (config.checkpoint.has_value() && config.checkpoint->lease.has_value()) {
    CheckShared(*section.Find("checkpoint"), config);
  }
  return config;
}

std::string DescribeSent(const ParquetReceiverConfig& config) {
  const std::string selected = config.selection.has_value() ? config.selection->Fingerprint() : "";
  const std::string times = DescribeTimes(config.time.value_or(TimeOptions()));
  return selected.empty() ? times
         : times.empty()  ? selected
                          : fmt::format("{}; {}", selected, times);
}

std::string DescribeSettings(const ParquetReceiverConfig& config) {
  constexpr auto kJoins = std::to_array<std::string_view>({"infer", "drop", "fail"});
  std::set<std::string_view> signals;
  for (const otap::Signal signal : config.signal_types) {
    signals.insert(otap::Name(signal));
  }
  return fmt::format(
      "signal_types: {}; resource_join: {}; validate_relations: {}; keep_dead_letter_marks: {}; "
      "files: {}",
      fmt::join(signals, ", "), kJoins.at(static_cast<size_t>(config.resource_join)),
      config.processing_options.validate_relations, config.keeps_dead_letter_marks,
      config.catalog.files.has_value() ? lake::DescribeFileList(*config.catalog.files) : "all");
}

bool CanApply(const ParquetReceiverConfig& from, const ParquetReceiverConfig& to) {
  const auto goes_by_time = [](const ParquetReceiverConfig& config) {
    return config.pace.value_or(PaceOptions()).speed.factor.has_value();
  };
  const auto follows = [](const ParquetReceiverConfig& config) {
    return config.polling_interval.interval.has_value();
  };
  if (goes_by_time(from) != goes_by_time(to) || follows(from) != follows(to)) {
    return false;
  }
  ParquetReceiverConfig changed = from;
  changed.polling_interval = to.polling_interval;
  changed.processing_options.batch_size = to.processing_options.batch_size;
  changed.pace = to.pace;
  const auto text = [](const ParquetReceiverConfig& config) {
    return config::ToJson(*config::Write(ParquetReceiverFields(), config));
  };
  return text(changed) == text(to);
}

namespace {

/// Batches of a paced replay stand for so much of a second: none comes earlier than it is due, and
/// none much later because of those beside it.
constexpr int64_t kBatchesPerSecond = 10;

void SetPace(const PaceOptions& pace, int64_t now_nanos, lake::ReadOptions* options) {
  if (pace.speed.factor.has_value()) {
    const double span = 1e9 / kBatchesPerSecond * *pace.speed.factor;
    options->payload_span = lake::PayloadSpan{
        .most = std::chrono::nanoseconds(static_cast<int64_t>(std::clamp(span, 1.0, 1e18))),
        .ignored_after = LastTimeWaitedFor(now_nanos)};
  }
  if (pace.items_per_second > 0) {
    options->batch_size =
        std::clamp<int64_t>(pace.items_per_second / kBatchesPerSecond, 1, options->batch_size);
  }
}

}  // namespace

void PlaceCheckpoint(const config::Section& section, const std::string& state_dir,
                     ParquetReceiverConfig* config) {
  if (!config->checkpoint.has_value() || !config->checkpoint->directory.empty()) {
    return;
  }
  const config::Section checkpoint = *section.Find("checkpoint");
  if (checkpoint.Find("directory").has_value()) {
    return;  // that it is wrong has been said
  }
  if (state_dir.empty()) {
    checkpoint.Add("expected directory, or engine.state_dir, below which it is kept then");
    return;
  }
  config->checkpoint->directory = (std::filesystem::path(state_dir) / "checkpoints").string();
}

lake::ReadOptions MakeReadOptions(const ParquetReceiverConfig& config,
                                  std::chrono::system_clock::time_point now) {
  lake::ReadOptions options;
  options.signals = config.signal_types;
  options.batch_size = config.processing_options.batch_size;
  options.min_file_age = config.processing_options.min_file_age;
  options.validate_relations = config.processing_options.validate_relations;
  options.resource_join = config.resource_join;
  options.memory_limit_bytes = config.memory_limit;
  const int64_t now_nanos =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  SetPace(config.pace.value_or(PaceOptions()), now_nanos, &options);
  if (config.selection.has_value()) {
    options.selector = std::make_shared<const select::Selector>(config.selection->Begin(now_nanos));
    options.wants_partition = [partitions = config.select->partitions](const std::string& path) {
      return partitions.Wants(path);
    };
  }
  return options;
}

lake::FollowOptions MakeFollowOptions(const ParquetReceiverConfig& config) {
  return {.polling_interval = config.polling_interval.interval,
          .completeness_grace = config.processing_options.completeness_grace,
          .late_window = config.processing_options.late_window,
          .late_children = config.processing_options.late_children,
          .is_by_time = config.pace.value_or(PaceOptions()).speed.factor.has_value() ||
                        config.time.value_or(TimeOptions()).needs_found_times()};
}

}  // namespace df::nodes::receivers::parquet
