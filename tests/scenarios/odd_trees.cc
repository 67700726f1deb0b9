// Trees as other writers, clocks and accidents leave them.
#include <algorithm>
#include <fstream>
#include <set>

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <parquet/arrow/writer.h>

#include "e2e/tree_files.h"
#include "scenarios/scenario.h"
#include "testing/lake_writer.h"
#include "testing/table_rewrites.h"

namespace df::scenarios {
namespace {

namespace fs = std::filesystem;
using testing::ChildOrder;
using testing::LakeLayout;
using testing::LakeWriterOptions;

constexpr int64_t kStart = 1'750'000'000'000'000'000;

std::shared_ptr<arrow::RecordBatch> ReadFile(const fs::path& path) {
  return testing::ReadTable(path.string()).ValueOrDie();
}

void WriteFile(const fs::path& path, const std::shared_ptr<arrow::RecordBatch>& table,
               const std::shared_ptr<const arrow::KeyValueMetadata>& metadata) {
  const auto file = arrow::io::FileOutputStream::Open(path.string()).ValueOrDie();
  const auto whole =
      arrow::Table::FromRecordBatches({table->ReplaceSchemaMetadata(metadata)}).ValueOrDie();
  const auto properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  const arrow::Status written =
      parquet::arrow::WriteTable(*whole, arrow::default_memory_pool(), file, 1 << 20,
                                 parquet::default_writer_properties(), properties);
  if (!written.ok() || !file->Close().ok()) {
    throw std::runtime_error("cannot write " + path.string());
  }
}

/// A tree that broke an older reader, and what happens to it after it was written.
struct Killer {
  std::string name;
  LakeWriterOptions lake;
  std::vector<otap::BatchPtr> batches;
  std::function<void(const fs::path&)> spoil = [](const fs::path&) {};
  bool is_whole = true;  ///< else something is odd or missing, and named
};

/// Files of children get rows without a parent.
void AddRowsWithoutParent(const fs::path& lake) {
  for (const fs::path& path : e2e::FilesOf(lake, "log_attrs")) {
    const auto table = ReadFile(path);
    const auto parents = table->GetColumnByName("parent_id");
    const auto none = arrow::MakeArrayOfNull(parents->type(), 2).ValueOrDie();
    const auto nobody =
        testing::ReplaceColumn(*table->Slice(0, 2), "parent_id", "parent_id", none).ValueOrDie();
    const auto both = arrow::ConcatenateRecordBatches({nobody, table}).ValueOrDie();
    WriteFile(path, both, table->schema()->metadata());
  }
}

/// The first file in the order of names becomes the last, and so on.
void ReverseNames(const fs::path& lake) {
  std::vector<fs::path> files = e2e::FilesOf(lake, "logs");
  std::vector<fs::path> parked;
  for (const fs::path& file : files) {
    parked.push_back(file.string() + ".parked");
    fs::rename(file, parked.back());
  }
  std::reverse(parked.begin(), parked.end());
  for (size_t i = 0; i < files.size(); ++i) {
    fs::rename(parked[i], files[i]);
  }
}

void TruncateFirst(const fs::path& lake) {
  const fs::path file = e2e::FilesOf(lake, "logs").front();
  fs::resize_file(file, fs::file_size(file) / 2);
}

/// A partition whose key has no value, beside the good ones.
void AddNamelessPartition(const fs::path& lake) {
  fs::create_directories(lake / "logs" / "_part_id=__HIVE_DEFAULT_PARTITION__");
}

std::vector<otap::BatchPtr> WithoutAttributesFirst(Trial& trial) {
  testing::RandomBatchOptions bare;
  bare.root_rows = 100;
  bare.without_attributes = 1;
  std::vector<otap::BatchPtr> batches = {
      testing::RandomBatch(otap::Signal::kLogs, bare, trial.random())};
  for (otap::BatchPtr& batch : CountedLogs(0, 300, 100, kStart)) {
    batches.push_back(std::move(batch));
  }
  return batches;
}

std::vector<otap::BatchPtr> RandomLogs(Trial& trial, int count, int rows) {
  testing::RandomBatchOptions shape;
  shape.root_rows = rows;
  shape.values.distinct_texts = 400;
  return testing::RandomBatches(count, otap::Signal::kLogs, shape, trial.random());
}

std::vector<Killer> Killers(Trial& trial) {
  std::vector<Killer> killers;
  const auto add = [&](std::string name, LakeWriterOptions lake,
                       std::vector<otap::BatchPtr> batches) -> Killer& {
    lake.layout = LakeLayout::kOwn;
    killers.push_back(
        {.name = std::move(name), .lake = std::move(lake), .batches = std::move(batches)});
    return killers.back();
  };
  const LakeWriterOptions hundreds = {.root_rows_per_file = 100};
  add("D-02 children buffered over files",
      {.root_rows_per_file = 100, .child_rows_per_file = 330, .split_batches = true},
      CountedLogs(0, 700, 100, kStart));
  add("D-03 children ordered by key",
      {.root_rows_per_file = 100, .child_order = ChildOrder::kByKey}, RandomLogs(trial, 2, 100));
  add("D-04 a hundred child files", {.child_rows_per_file = 100, .split_batches = true},
      CountedLogs(0, 10'000, 1'000, kStart));
  add("D-05 one file of resource attributes", hundreds, RandomLogs(trial, 5, 100));
  add("D-06 resources of several batches", {.root_rows_per_file = 1'000},
      RandomLogs(trial, 20, 50));
  add("D-07 70,000 rows a file", {}, CountedLogs(0, trial.Scaled(70'000, 7'000), 10'000, kStart));
  add("D-07 ids in steps of 100", {.id_step = 100}, CountedLogs(0, 1'000, 100, kStart));
  add("D-08 first no attributes", hundreds, WithoutAttributesFirst(trial));
  add("D-09 null parents", hundreds, CountedLogs(0, 500, 100, kStart)).spoil = AddRowsWithoutParent;
  killers.back().is_whole = false;
  add("D-10 files named in the other order", {.root_rows_per_file = 100, .split_batches = true},
      CountedLogs(0, 700, 100, kStart))
      .spoil = ReverseNames;
  add("D-11 a truncated file", hundreds, CountedLogs(0, 700, 100, kStart)).spoil = TruncateFirst;
  killers.back().is_whole = false;
  add("D-12 a nameless partition", hundreds, CountedLogs(0, 700, 100, kStart)).spoil =
      AddNamelessPartition;
  killers.back().is_whole = false;
  add("D-13 dictionaries of two widths",
      {.root_rows_per_file = 100, .dictionary = testing::DictionaryForm::kInt8},
      RandomLogs(trial, 5, 100));
  add("D-14 a column in a later file only", {.root_rows_per_file = 100, .omit_empty_columns = true},
      WithoutAttributesFirst(trial));
  return killers;
}

/// Expects that nothing wrong came, and that what is missing is named.
void ExpectNamed(Trial& trial, const Killer& killer, const Replayed& replayed) {
  trial.Expect(replayed.exit_code == 4,
               fmt::format("{}: exit code {}, not 4", killer.name, replayed.exit_code));
  trial.Expect(!ProblemLines(replayed).empty(), killer.name + ": no problem is named");
  const otlp::Comparison found =
      Compare(otap::Signal::kLogs, killer.batches, e2e::OtlpFiles(replayed.folder, "logs"));
  trial.Expect(found.extra == 0,
               fmt::format("{}: {}", killer.name, found.Line(otap::Signal::kLogs)));
  trial.Expect(found.missing <= 100,
               fmt::format("{}: {}", killer.name, found.Line(otap::Signal::kLogs)));
}

void KillersOfOldReaders(Trial& trial) {
  int64_t num_items = 0;
  const std::vector<Killer> killers = Killers(trial);
  for (const Killer& killer : killers) {
    const fs::path lake = trial.Folder("lake");
    const auto written =
        testing::WriteLake(lake, killer.batches, killer.lake, trial.settings().seed);
    if (!trial.Expect(written.ok(), killer.name + ": " + written.status().ToString())) {
      continue;
    }
    killer.spoil(lake);
    const Replayed replayed =
        Replay(trial, {.base = lake, .signals = "[logs]", .more_receiver_config = ""});
    if (killer.is_whole) {
      num_items += ExpectSame(trial, killer.name, killer.batches, replayed);
    } else {
      ExpectNamed(trial, killer, replayed);
    }
  }
  trial.Figure(fmt::format("{} trees, {} items", killers.size(), num_items));
}

/// Real files of other exporters, where they are there; else files written as they write them.
void ForeignFiles(Trial& trial) {
  const int64_t count = trial.Scaled(200, 12);
  int64_t num_items = 0;
  for (int64_t i = 0; i < count; ++i) {
    const bool is_upstream = i % 2 == 0;
    testing::RandomBatchOptions shape =
        is_upstream ? testing::JoinableUpstreamShape() : testing::RandomBatchOptions();
    shape.valueless_exemplars = shape.valueless_exemplars && !is_upstream;
    const LakeWriterOptions options =
        is_upstream ? testing::JoinableUpstreamOptions(trial.random())
                    : testing::RandomLakeOptions(LakeLayout::kOwn, trial.random());
    const auto batches = testing::RandomBatches(6, std::nullopt, shape, trial.random());
    const fs::path lake = trial.Folder("lake");
    const auto written = testing::WriteLake(lake, batches, options, trial.random()());
    if (!trial.Expect(written.ok(), written.status().ToString())) {
      continue;
    }
    num_items += ExpectSame(trial, fmt::format("tree {} of seed {}", i, trial.settings().seed),
                            batches, Replay(trial, {.base = lake, .more_receiver_config = ""}));
  }
  trial.Figure(fmt::format("{} random trees, {} items", count, num_items));
}

/// A drift of one file against those before it.
struct Drift {
  std::string name;
  std::function<std::shared_ptr<arrow::RecordBatch>(std::shared_ptr<arrow::RecordBatch>)> change;
  bool is_readable = true;
};

std::shared_ptr<arrow::RecordBatch> Cast(const std::shared_ptr<arrow::RecordBatch>& table,
                                         const std::string& path,
                                         const std::shared_ptr<arrow::DataType>& type) {
  const auto column = testing::ColumnAt(*table, path).ValueOrDie();
  const auto retyped = testing::Retype(column, type).ValueOrDie();
  const std::string name = path.substr(path.rfind('.') + 1);
  return testing::ReplaceColumn(*table, path, name, retyped.column).ValueOrDie();
}

std::vector<Drift> Drifts() {
  using Table = std::shared_ptr<arrow::RecordBatch>;
  return {
      {"as it was", [](Table table) { return table; }},
      {"a column more",
       [](Table table) {
         const auto more =
             arrow::MakeArrayFromScalar(arrow::Int32Scalar(7), table->num_rows()).ValueOrDie();
         return table->AddColumn(table->num_columns(), "of_a_later_version", more).ValueOrDie();
       }},
      {"a column less",
       [](Table table) {
         // None of the records has an event name.
         const int at = table->schema()->GetFieldIndex("event_name");
         return at < 0 ? table : table->RemoveColumn(at).ValueOrDie();
       }},
      {"in another order",
       [](Table table) {
         std::vector<int> order(static_cast<size_t>(table->num_columns()));
         for (size_t i = 0; i < order.size(); ++i) {
           order[i] = static_cast<int>(order.size() - 1 - i);
         }
         return table->SelectColumns(order).ValueOrDie();
       }},
      {"ids wider", [](Table table) { return Cast(table, "id", arrow::uint64()); }},
      {"severities wider",
       [](Table table) { return Cast(table, "severity_number", arrow::int64()); }},
      {"severities required",
       [](Table table) {
         const int at = table->schema()->GetFieldIndex("time_unix_nano");
         const auto field = table->schema()->field(at)->WithNullable(false);
         return table->SetColumn(at, field, table->column(at)).ValueOrDie();
       }},
      {"severities as text",
       [](Table table) {
         const auto text =
             arrow::MakeArrayFromScalar(arrow::StringScalar("WARN"), table->num_rows())
                 .ValueOrDie();
         return testing::ReplaceColumn(*table, "severity_number", "severity_number", text)
             .ValueOrDie();
       },
       false},
      {"back to the first", [](Table table) { return table; }},
  };
}

void SchemaDrift(Trial& trial) {
  const std::vector<Drift> drifts = Drifts();
  const int64_t per_file = 100;
  const auto batches = CountedLogs(0, per_file * std::ssize(drifts), per_file, kStart);
  const fs::path lake = trial.Folder("lake");
  const auto written = testing::WriteLake(
      lake, batches, {.layout = LakeLayout::kOwn, .root_rows_per_file = 1}, trial.settings().seed);
  if (!trial.Expect(written.ok(), written.status().ToString())) {
    return;
  }
  std::vector<std::string> files;
  for (const auto& file : written->files) {
    if (file.table == otap::TableKind::kLogs) {
      files.push_back(file.path);
    }
  }
  if (!trial.Expect(files.size() == drifts.size(), "the tree has other files than planned")) {
    return;
  }
  std::vector<otap::BatchPtr> readable;
  for (size_t i = 0; i < drifts.size(); ++i) {
    const fs::path path = lake / files[i];
    const auto table = ReadFile(path);
    WriteFile(path, drifts[i].change(table), table->schema()->metadata());
    if (drifts[i].is_readable) {
      readable.push_back(batches[i]);
    }
  }
  const fs::path cache = trial.Folder("cache");
  const Replayed replayed = Replay(
      trial,
      {.base = lake,
       .signals = "[logs]",
       .more_receiver_config = fmt::format("      catalog: {{cache: '{}'}}\n", cache.string())});
  const otlp::Comparison found =
      Compare(otap::Signal::kLogs, readable, e2e::OtlpFiles(replayed.folder, "logs"));
  trial.Expect(found.missing == 0, found.Line(otap::Signal::kLogs) + ": " +
                                       fmt::format("{}", fmt::join(found.missing_examples, "; ")));
  // Of the file whose severities are texts the rest may come, when that is said.
  trial.Expect(found.extra == 0 || replayed.exit_code == 4,
               fmt::format("{} items more, exit code {}", found.extra, replayed.exit_code));
  trial.Expect(replayed.exit_code == 4,
               fmt::format("texts for numbers end with {}", replayed.exit_code));
  const Replayed schemas = Run(trial, {"schemas", cache.string()});
  trial.Expect(
      schemas.exit_code == 0 && schemas.output.find("of_a_later_version") != std::string::npos,
      "the schemas do not name the new column: " + schemas.output);
  trial.Figure(fmt::format("{} files exact, 1 named", found.expected / per_file));
}

void OddEntries(Trial& trial) {
  const fs::path lake = trial.Folder("lake");
  const auto batches = CountedLogs(0, 2'000, 100, kStart);
  const auto written = testing::WriteLake(
      lake, batches,
      {.layout = LakeLayout::kOwn, .batches_per_partition = 5, .root_rows_per_file = 100},
      trial.settings().seed);
  if (!trial.Expect(written.ok(), written.status().ToString())) {
    return;
  }
  const fs::path table = lake / "logs";
  const fs::path partition = e2e::FilesOf(lake, "logs").front().parent_path();
  std::ofstream(partition / "empty.parquet");
  std::ofstream(partition / ".hidden.parquet") << "x";
  std::ofstream(partition / "_SUCCESS");
  std::ofstream(partition / "notes.txt") << "not telemetry";
  std::ofstream(partition / "half.parquet.tmp") << "PAR1";
  std::ofstream(partition / "with \xff byte.parquet") << "PAR1";
  fs::create_directories(partition / "folder.parquet");
  fs::create_directories(table / "_part_id=empty");
  fs::create_directory_symlink(table, partition / "loop");
  const Replayed replayed =
      Replay(trial, {.base = lake, .signals = "[logs]", .more_receiver_config = ""});
  const otlp::Comparison found =
      Compare(otap::Signal::kLogs, batches, e2e::OtlpFiles(replayed.folder, "logs"));
  trial.Expect(found.is_equal(), found.Line(otap::Signal::kLogs));
  trial.Expect(replayed.exit_code == 4,
               fmt::format("files without Parquet end with {}", replayed.exit_code));
  const auto count = [&](const std::string& text) {
    int times = 0;
    for (size_t at = replayed.output.find(text); at != std::string::npos;
         at = replayed.output.find(text, at + 1)) {
      ++times;
    }
    return times;
  };
  for (const std::string odd : {"empty.parquet", "byte.parquet"}) {
    trial.Expect(count(odd) == 1, fmt::format("{} is named {} times", odd, count(odd)));
  }
  trial.Figure(fmt::format("{} items, 9 odd entries", found.expected));
}

/// Flips bytes and cuts files off, one at a time, and replays with sanitizers.
void Corruption(Trial& trial) {
  const int64_t num_partitions = 20;
  std::vector<std::vector<otap::BatchPtr>> partitions;
  const fs::path lake = trial.Folder("lake");
  std::vector<otap::BatchPtr> all;
  for (int64_t i = 0; i < num_partitions; ++i) {
    auto batches = i % 3 == 0
                       ? CountedLogs(i * 1'000, 60, 20, kStart)
                       : testing::RandomBatches(2, std::nullopt, {.root_rows = 15}, trial.random());
    const fs::path part = trial.Folder("part");
    const auto written = testing::WriteLake(part, batches, {.layout = LakeLayout::kOwn},
                                            static_cast<uint64_t>(i) + trial.settings().seed);
    if (!trial.Expect(written.ok(), written.status().ToString())) {
      return;
    }
    // As our own writer leaves them: its pages have checksums.
    const Replayed converted = Run(trial, {"convert", part.string(), "--to", "star-parquet", "-o",
                                           lake.string(), "--no-cache", "-q"});
    if (!trial.Expect(converted.exit_code == 0, "convert: " + converted.log)) {
      return;
    }
    all.insert(all.end(), batches.begin(), batches.end());
    partitions.push_back(std::move(batches));
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(lake)) {
    if (entry.path().extension() == ".parquet") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  ExpectSame(trial, "undamaged", all, Replay(trial, {.base = lake, .more_receiver_config = ""}));

  const int64_t num_damages = trial.Scaled(2'000, 20);
  int64_t num_named = 0;
  for (int64_t i = 0; i < num_damages; ++i) {
    const fs::path& file = files[trial.random()() % files.size()];
    const fs::path kept = file.string() + ".kept";
    fs::rename(file, kept);
    fs::copy_file(kept, file);
    const auto size = static_cast<int64_t>(fs::file_size(file));
    const int64_t at = testing::Between(trial.random(), 0, size - 1);
    std::string damage;
    if (trial.random()() % 4 == 0) {
      fs::resize_file(file, static_cast<uintmax_t>(at));
      damage = fmt::format("{} cut at {}", fs::relative(file, lake).string(), at);
    } else {
      const int bit = static_cast<int>(trial.random()() % 8);
      std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
      stream.seekg(at);
      const int byte = stream.get();
      stream.seekp(at);
      stream.put(static_cast<char>(byte ^ (1 << bit)));
      damage = fmt::format("{} bit {} at {}", fs::relative(file, lake).string(), bit, at);
    }
    const Replayed replayed = Replay(
        trial, {.base = lake, .more_receiver_config = "", .program = trial.settings().sanitized});
    const bool is_ended_well = replayed.exit_code == 0 || replayed.exit_code == 4;
    if (!is_ended_well) {
      const fs::path shown = fs::temp_directory_path() / fmt::format("damaged-{}", i);
      fs::copy(lake, shown, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
      damage += fmt::format(" (kept as {})", shown.string());
    }
    fs::remove(file);
    fs::rename(kept, file);
    trial.Expect(replayed.exit_code == 0 || replayed.exit_code == 4,
                 fmt::format("{}: exit code {}: {}", damage, replayed.exit_code,
                             replayed.log.substr(0, 2'000)));
    num_named += replayed.exit_code == 4 ? 1 : 0;
    trial.Expect(replayed.exit_code == 0 || !ProblemLines(replayed).empty(),
                 damage + ": nothing is named");
    // Whose file was damaged may have lost something; everybody else has lost nothing.
    int64_t largest_partition = 0;
    int64_t missing = 0;
    int64_t extra = 0;
    for (const auto& batches : partitions) {
      int64_t items = 0;
      for (const auto& batch : batches) {
        items += std::max(batch->num_items(), batch->num_root_rows());
      }
      largest_partition = std::max(largest_partition, items);
    }
    for (const otap::Signal signal : otap::kAllSignals) {
      const otlp::Comparison found =
          Compare(signal, all, e2e::OtlpFiles(replayed.folder, std::string(otap::Name(signal))));
      missing += found.missing;
      extra += found.extra;
    }
    trial.Expect(replayed.exit_code == 4 || (missing == 0 && extra == 0),
                 fmt::format("{}: exit code 0, but {} missing, {} extra", damage, missing, extra));
    trial.Expect(missing <= largest_partition && extra <= missing,
                 fmt::format("{}: {} missing, {} extra", damage, missing, extra));
    fs::remove_all(replayed.folder);
  }
  trial.Figure(fmt::format("{} damages to {} files: {} named, the rest harmless", num_damages,
                           files.size(), num_named));
}

}  // namespace

std::vector<Scenario> OddTrees() {
  return {{"S-08", "trees that broke old readers", KillersOfOldReaders},
          {"S-10", "files of many writers", ForeignFiles},
          {"S-12", "schemas that drift", SchemaDrift},
          {"S-13", "odd entries in folders", OddEntries},
          {"S-16", "damaged files, with sanitizers", Corruption}};
}

}  // namespace df::scenarios
