#include "nodes/exporters/parquet/config.h"

#include <array>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "storage/store_fields.h"

namespace df::nodes::exporters::parquet {
namespace {

using config::Section;

constexpr std::string_view kPartitionKey = "_part_id";

/// A codec by its name, and the levels that it has; none where it has no levels.
struct CodecName {
  std::string_view name;
  arrow::Compression::type codec;
  int min_level = 0;
  int max_level = 0;
  bool has_levels() const { return max_level > 0; }
};
constexpr std::array kCodecs = {
    CodecName{"none", arrow::Compression::UNCOMPRESSED},
    CodecName{"snappy", arrow::Compression::SNAPPY},
    CodecName{"lz4", arrow::Compression::LZ4},
    CodecName{"gzip", arrow::Compression::GZIP, 1, 9},
    CodecName{"zstd", arrow::Compression::ZSTD, 1, 22},
};

constexpr std::string_view kCompressionType = "none, snappy, lz4, gzip[:1..9] or zstd[:1..22]";

/// A year: what is longer was meant as something else.
constexpr config::Range kAges = {std::chrono::nanoseconds(std::chrono::milliseconds(1)).count(),
                                 std::chrono::nanoseconds(std::chrono::hours(24 * 365)).count()};

/// Files are visible some seconds after what is in them, and clocks differ.
constexpr config::Range kSealAges = {std::chrono::nanoseconds(std::chrono::minutes(1)).count(),
                                     kAges.max};

const config::FieldTable<WriterOptions>& WriterFields() {
  static const config::FieldTable<WriterOptions> kTable = {
      config::Integer("target_rows_per_file", &WriterOptions::target_rows_per_file, {1, INT64_MAX},
                      "files are closed once they hold this many records, spans or metrics"),
      config::Size("target_bytes_per_file", &WriterOptions::target_bytes_per_file,
                   {1_KiB, 1024_GiB}, "files are closed once the largest of them has this size"),
      config::Duration("flush_when_older_than", &WriterOptions::flush_when_older_than,
                       "files are closed once a batch has waited in them for so long", kAges),
      config::Duration("flush_when_all_wait_for", &WriterOptions::flush_when_all_wait_for,
                       "the same, when senders wait and nothing else is on its way to the files",
                       kAges),
      config::OptionalDuration("roll_when_older_than", &WriterOptions::roll_when_older_than,
                               "small sets of files are durable in <base>/_staging when they are "
                               "closed, and merged into visible ones after this long",
                               kAges),
      config::Size("row_group_bytes", &WriterOptions::row_group_bytes, {64_KiB, 4_GiB},
                   "bytes that the batches of a row group take in memory"),
      config::Custom<WriterOptions, lake::Compression>(
          "compression", std::string(kCompressionType), &WriterOptions::compression,
          ParseCompression, ShowCompression, "codec of all tables, with its level"),
      config::StringMap("table_compression", &WriterOptions::table_compression,
                        "codecs of single tables, by the name of their folder"),
  };
  return kTable;
}

/// Accepts what the prototype needs to be told, and what is always so here.
std::optional<bool> ReadPartitioning(const Section& section) {
  for (const Section& strategy : section.Items()) {
    const std::vector<std::string> keys = {"schema_metadata"};
    if (!strategy.CheckMap(keys)) {
      continue;
    }
    const auto names = strategy.Find(keys[0]);
    if (!names.has_value()) {
      strategy.Add("key 'schema_metadata' is missing, expected [_part_id]");
      continue;
    }
    for (const std::string& name : names->ReadStringList().value_or(std::vector<std::string>())) {
      if (name != kPartitionKey) {
        names->Add(fmt::format("found '{}', expected _part_id: batches carry no other key", name));
      }
    }
  }
  return true;
}

config::Field<ParquetConfig> PartitioningField() {
  config::Field<ParquetConfig> field;
  field.name = "partitioning_strategies";
  field.type = "[{schema_metadata: [_part_id]}]";
  field.description = "for documents of the prototype: files are partitioned by _part_id always";
  field.read = [](const Section& section, ParquetConfig* config) {
    config->is_partitioned = ReadPartitioning(section).value_or(true);
  };
  field.show = [](const ParquetConfig&) { return std::string("[{schema_metadata: [_part_id]}]"); };
  return std::move(field).PrintedWhenGiven();
}

}  // namespace

const config::FieldTable<ParquetConfig>& ParquetFields() {
  static const config::FieldTable<ParquetConfig> kTable = {
      config::String("base_uri", &ParquetConfig::base_uri,
                     "where to write: a path, file://, s3://, gs:// or abfs://")
          .PrintedWhenGiven(),
      config::OptionalGroup("storage", &ParquetConfig::storage, storage::StoreFields(),
                            "how the store of base_uri is reached"),
      PartitioningField(),
      config::Enum("time_levels", &ParquetConfig::time_levels,
                   {{"none", lake::TimeLevels::kNone},
                    {"day", lake::TimeLevels::kDay},
                    {"hour", lake::TimeLevels::kHour}},
                   "folders date=YYYY-MM-DD, and hour=HH in them, above _part_id, by event time"),
      config::OptionalDuration("seal_after", &ParquetConfig::seal_after,
                               "a day or hour is sealed with its numbers of rows when it has been "
                               "over, and got no file, for so long",
                               kSealAges),
      config::Bool("dead_letters", &ParquetConfig::dead_letters,
                   "what comes has the marks of processor:dead_letters: files say so, a replay "
                   "takes the marks off, and what was written counts as a problem of the run"),
      config::Group("writer_options", &ParquetConfig::writer_options, WriterFields(),
                    "when files are closed, and how they are encoded"),
      config::Size("memory_limit", &ParquetConfig::memory_limit, {1_MiB, 1024_GiB},
                   "batches held in memory, on each core"),
  };
  return kTable;
}

ParquetConfig ReadParquetConfig(const Section& section) {
  ParquetConfig config = config::Read(ParquetFields(), section);
  if (auto uri = storage::ReadStoreUri(section, config.base_uri, config.storage)) {
    config.uri = *std::move(uri);
  }
  const auto options = section.Find("writer_options");
  if (const auto roll =
          options.has_value() ? options->Find("roll_when_older_than") : std::optional<Section>();
      roll.has_value() && config.writer_options.roll_when_older_than.has_value() &&
      !config.uri.is_local()) {
    roll->Add(
        fmt::format("found it with base_uri '{}', expected a local path: files are staged on "
                    "local file systems only",
                    config.base_uri));
  }
  if (const auto letters = section.Find("dead_letters");
      letters.has_value() && config.dead_letters &&
      config.writer_options.roll_when_older_than.has_value()) {
    letters->Add(
        "found it with writer_options.roll_when_older_than, expected one of them: dead letters are "
        "visible as soon as they are durable");
  }
  if (const auto seal = section.Find("seal_after"); seal.has_value() &&
                                                    config.seal_after.has_value() &&
                                                    config.time_levels == lake::TimeLevels::kNone) {
    seal->Add("found it with time_levels: none, expected day or hour: these are what is sealed");
  }
  const auto tables =
      options.has_value() ? options->Find("table_compression") : std::optional<Section>();
  if (tables.has_value()) {
    std::vector<std::string> names;
    for (const otap::TableInfo& table : otap::AllTables()) {
      names.emplace_back(table.directory);
    }
    for (const auto& [name, text] : config.writer_options.table_compression) {
      if (otap::FindTable(name) == nullptr) {
        tables->AddUnknown(fmt::format("unknown table '{}'", name), name, names);
      } else if (const auto parsed = ParseCompression(text); !parsed.ok()) {
        tables->Add(
            fmt::format("{}: {}, expected {}", name, parsed.status().message(), kCompressionType));
      }
    }
  }
  return config;
}

Result<std::unique_ptr<lake::FileStore>> MakeStore(const ParquetConfig& config) {
  return lake::MakeFileStore(config.uri, config.storage.value_or(storage::StoreOptions()));
}

Result<lake::Sealer> MakeSealer(const ParquetConfig& config) {
  ARROW_ASSIGN_OR_RAISE(
      auto store,
      storage::Store::Make(config.uri, config.storage.value_or(storage::StoreOptions())));
  return lake::Sealer(std::move(store), *config.seal_after);
}

Result<lake::Compression> ParseCompression(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const Status error = Status::Invalid(fmt::format("found '{}'", text));
  for (const CodecName& codec : kCodecs) {
    if (codec.name != name) {
      continue;
    }
    if (colon == std::string_view::npos) {
      return lake::Compression{codec.codec, std::nullopt};
    }
    const std::string_view digits = text.substr(colon + 1);
    int level = 0;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), level);
    if (code != std::errc() || end != digits.data() + digits.size() || !codec.has_levels() ||
        level < codec.min_level || level > codec.max_level) {
      return error;
    }
    return lake::Compression{codec.codec, level};
  }
  return error;
}

std::string ShowCompression(const lake::Compression& compression) {
  for (const CodecName& codec : kCodecs) {
    if (codec.codec == compression.codec) {
      return compression.level.has_value() ? fmt::format("{}:{}", codec.name, *compression.level)
                                           : std::string(codec.name);
    }
  }
  return "none";
}

lake::WriteOptions MakeWriteOptions(const ParquetConfig& config) {
  lake::WriteOptions options;
  options.compression = config.writer_options.compression;
  options.time_levels = config.time_levels;
  options.holds_dead_letters = config.dead_letters;
  options.row_group_bytes = config.writer_options.row_group_bytes;
  for (const auto& [name, text] : config.writer_options.table_compression) {
    options.table_compression.emplace(otap::FindTable(name)->kind,
                                      ParseCompression(text).ValueOr(options.compression));
  }
  return options;
}

lake::FileLimits MakeFileLimits(const ParquetConfig& config) {
  return {.rows = config.writer_options.target_rows_per_file,
          .bytes = config.writer_options.target_bytes_per_file};
}

}  // namespace df::nodes::exporters::parquet
