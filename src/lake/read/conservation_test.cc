// Whatever fails while a tree is read: the sums hold, and nothing wrong goes out.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <arrow/builder.h>
#include <arrow/compute/initialize.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "lake/catalog/catalog.h"
#include "lake/read/partition_reader.h"
#include "testing/faulty_file_system.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::FaultyFileSystem;
using df::testing::ReadFaults;
using df::testing::TemporaryFolder;
using otap::TableKind;
using ::testing::HasSubstr;

constexpr int64_t kSpans = 240;
constexpr int64_t kSpansOfFile = 80;
constexpr int64_t kSpansOfResource = 50;
constexpr int64_t kPerSpan = 2;  ///< attributes and events of each span
constexpr uint32_t kIdStep = 3;

template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> Column(const std::vector<int64_t>& rows, Value&& value,
                                     Builder builder) {
  for (const int64_t row : rows) {
    EXPECT_TRUE(builder.Append(value(row)).ok());
  }
  return builder.Finish().ValueOrDie();
}
std::shared_ptr<arrow::Array> Ids(const std::vector<int64_t>& rows, int64_t divisor) {
  return Column(
      rows, [=](int64_t i) { return static_cast<uint32_t>(i / divisor) * kIdStep; },
      arrow::UInt32Builder());
}
std::shared_ptr<arrow::Array> Times(const std::vector<int64_t>& rows) {
  return Column(
      rows, [](int64_t i) { return i; },
      arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::NANO),
                              arrow::default_memory_pool()));
}
std::shared_ptr<arrow::Array> Texts(const std::vector<int64_t>& rows) {
  return Column(rows, [](int64_t) { return "k"; }, arrow::StringBuilder());
}

/// Every row says in its value whose it is: span i starts at time i, its attributes and events have
/// the numbers 2i and 2i + 1, an event's attribute has the event's number, resource r the number r.
/// Attributes are long and stand in many pages with checksums, so that a row group takes several
/// slices and can break in the middle.
class NumberedTree {
 public:
  explicit NumberedTree(bool is_shuffled) : is_shuffled_(is_shuffled) {
    EXPECT_TRUE(arrow::compute::Initialize().ok());
    for (int64_t first = 0; first < kSpans; first += kSpansOfFile) {
      WriteSpans(first);
      WriteChildren(first);
    }
    std::vector<int64_t> resources((kSpans - 1) / kSpansOfResource + 1);
    std::iota(resources.begin(), resources.end(), 0);
    WriteAttributes("resource_attrs", "r", resources, 1);
  }
  const fs::path& path() const { return folder_.path(); }

 private:
  void Write(const std::string& name, const arrow::FieldVector& fields,
             const arrow::ArrayVector& columns, int64_t row_group_rows) {
    const fs::path path = folder_.path() / name;
    fs::create_directories(path.parent_path());
    const auto metadata =
        arrow::key_value_metadata({"otap.format_version", "otap.id_scope"}, {"1", "partition"});
    const auto table = arrow::Table::Make(arrow::schema(fields, metadata), columns);
    const auto status = parquet::arrow::WriteTable(
        *table, arrow::default_memory_pool(),
        arrow::io::FileOutputStream::Open(path.string()).ValueOrDie(), row_group_rows,
        parquet::WriterProperties::Builder()
            .enable_page_checksum()
            ->disable_dictionary("str")
            ->data_pagesize(8_KiB)
            ->write_batch_size(4)
            ->build(),
        parquet::ArrowWriterProperties::Builder().store_schema()->build());
    ASSERT_TRUE(status.ok()) << status;
  }

  void WriteSpans(int64_t first) {
    std::vector<int64_t> rows(kSpansOfFile);
    std::iota(rows.begin(), rows.end(), first);
    const auto fixed = [&](int width) {
      return Column(
          rows, [=](int64_t) { return std::string(static_cast<size_t>(width), 'x'); },
          arrow::FixedSizeBinaryBuilder(arrow::fixed_size_binary(width)));
    };
    const auto resource =
        arrow::StructArray::Make({Ids(rows, kSpansOfResource)}, std::vector<std::string>{"id"})
            .ValueOrDie();
    const auto durations = Column(
        rows, [](int64_t) { return 1; },
        arrow::DurationBuilder(arrow::duration(arrow::TimeUnit::NANO),
                               arrow::default_memory_pool()));
    Write(
        "spans/part-" + std::to_string(first + 1) + "-a.parquet",
        {arrow::field("id", arrow::uint32()), arrow::field("resource", resource->type()),
         arrow::field("start_time_unix_nano", arrow::timestamp(arrow::TimeUnit::NANO)),
         arrow::field("duration_time_unix_nano", durations->type()),
         arrow::field("trace_id", arrow::fixed_size_binary(16)),
         arrow::field("span_id", arrow::fixed_size_binary(8)), arrow::field("name", arrow::utf8())},
        {Ids(rows, 1), resource, Times(rows), durations, fixed(16), fixed(8), Texts(rows)}, 50);
  }

  void WriteChildren(int64_t first) {
    std::vector<int64_t> rows(kSpansOfFile * kPerSpan);
    std::iota(rows.begin(), rows.end(), first * kPerSpan);
    const std::string name = std::to_string(first + 1);
    Shuffle(&rows);
    WriteAttributes("span_attrs", name, rows, kPerSpan);
    Shuffle(&rows);
    Write("span_events/part-" + name + "-a.parquet",
          {arrow::field("id", arrow::uint32()), arrow::field("parent_id", arrow::uint32()),
           arrow::field("time_unix_nano", arrow::timestamp(arrow::TimeUnit::NANO)),
           arrow::field("name", arrow::utf8())},
          {Ids(rows, 1), Ids(rows, kPerSpan), Times(rows), Texts(rows)}, 70);
    Shuffle(&rows);
    WriteAttributes("span_event_attrs", name, rows, 1);
  }

  /// Attributes of the rows whose number is their own divided by `divisor`.
  void WriteAttributes(const std::string& table, const std::string& name,
                       const std::vector<int64_t>& rows, int64_t divisor) {
    Write(table + "/part-1" + name + "-a.parquet",
          {arrow::field("parent_id", arrow::uint32()), arrow::field("key", arrow::utf8()),
           arrow::field("type", arrow::uint8()), arrow::field("int", arrow::int64()),
           arrow::field("str", arrow::utf8())},
          {Ids(rows, divisor), Texts(rows),
           Column(
               rows, [](int64_t) { return uint8_t{2}; }, arrow::UInt8Builder()),
           Column(
               rows, [](int64_t i) { return i; }, arrow::Int64Builder()),
           Column(
               rows,
               [](int64_t i) { return std::string(1000, ReadFaults::kFiller) + std::to_string(i); },
               arrow::StringBuilder())},
          is_shuffled_ ? 60 : 1000);
  }

  void Shuffle(std::vector<int64_t>* rows) {
    if (is_shuffled_) {
      std::shuffle(rows->begin(), rows->end(), random_);
    }
  }

  bool is_shuffled_;
  std::mt19937 random_{3};
  TemporaryFolder folder_;
};

/// Looks at every row that went out.
class Judge {
 public:
  void See(const otap::Batch& batch) {
    const arrow::RecordBatch& spans = *batch.root();
    const std::vector<int64_t> starts = Values(spans, "start_time_unix_nano");
    const std::vector<int64_t> ids = Values(spans, "id");
    std::map<int64_t, int64_t> span_of;
    std::map<int64_t, int64_t> resource_of;
    const auto resource = spans.GetColumnByName("resource");
    const auto resource_ids =
        Numbers(*static_cast<const arrow::StructArray&>(*resource).GetFieldByName("id"));
    for (size_t row = 0; row < starts.size(); ++row) {
      EXPECT_TRUE(spans_.insert(starts[row]).second) << "span " << starts[row] << " came twice";
      span_of[ids[row]] = starts[row];
      resource_of[resource_ids[row]] = starts[row] / kSpansOfResource;
    }
    Children(batch, TableKind::kSpanAttrs, "int", span_of, kPerSpan, &attributes_);
    const auto event_of =
        Children(batch, TableKind::kSpanEvents, "time_unix_nano", span_of, kPerSpan, &events_);
    Children(batch, TableKind::kSpanEventAttrs, "int", event_of, 1, &event_attributes_);
    std::set<int64_t> resources;
    Children(batch, TableKind::kResourceAttrs, "int", resource_of, 1, &resources);
    resources_.insert(resources.begin(), resources.end());
  }

  void CompareWith(const ReadReport& report) const {
    EXPECT_EQ(report.table(TableKind::kSpans).rows_emitted, std::ssize(spans_));
    EXPECT_EQ(report.table(TableKind::kSpanAttrs).rows_emitted, std::ssize(attributes_));
    EXPECT_EQ(report.table(TableKind::kSpanEvents).rows_emitted, std::ssize(events_));
    EXPECT_EQ(report.table(TableKind::kSpanEventAttrs).rows_emitted, std::ssize(event_attributes_));
    EXPECT_EQ(report.table(TableKind::kResourceAttrs).rows_emitted, std::ssize(resources_));
  }

  bool has_everything() const {
    return std::ssize(spans_) == kSpans && std::ssize(attributes_) == kSpans * kPerSpan &&
           std::ssize(events_) == kSpans * kPerSpan &&
           std::ssize(event_attributes_) == kSpans * kPerSpan &&
           std::ssize(resources_) == (kSpans - 1) / kSpansOfResource + 1;
  }

 private:
  /// Rows whose children cannot be told have no id: -1.
  static std::vector<int64_t> Numbers(const arrow::Array& array) {
    std::vector<int64_t> values;
    for (int64_t row = 0; row < array.length(); ++row) {
      const auto scalar = array.GetScalar(row).ValueOrDie();
      values.push_back(scalar->is_valid
                           ? std::stoll(scalar->CastTo(arrow::int64()).ValueOrDie()->ToString())
                           : -1);
    }
    return values;
  }
  static std::vector<int64_t> Values(const arrow::RecordBatch& table, const std::string& column) {
    return Numbers(*table.GetColumnByName(column));
  }

  /// Checks that each row of a table stands below the parent that its value names; returns the
  /// values by id.
  static std::map<int64_t, int64_t> Children(const otap::Batch& batch, TableKind kind,
                                             const std::string& column,
                                             const std::map<int64_t, int64_t>& parents,
                                             int64_t divisor, std::set<int64_t>* seen) {
    std::map<int64_t, int64_t> by_id;
    if (batch.table(kind) == nullptr) {
      return by_id;
    }
    const arrow::RecordBatch& table = *batch.table(kind);
    const std::vector<int64_t> parent_ids = Values(table, "parent_id");
    const std::vector<int64_t> values = Values(table, column);
    const std::vector<int64_t> ids =
        table.GetColumnByName("id") == nullptr ? parent_ids : Values(table, "id");
    for (size_t row = 0; row < values.size(); ++row) {
      const auto parent = parents.find(parent_ids[row]);
      if (parent == parents.end()) {
        ADD_FAILURE() << otap::GetTable(kind).directory << ": a row without parent";
        continue;
      }
      EXPECT_EQ(values[row] / divisor, parent->second) << otap::GetTable(kind).directory;
      EXPECT_TRUE(seen->insert(values[row]).second) << "came twice";
      by_id[ids[row]] = values[row];
    }
    return by_id;
  }

  std::set<int64_t> spans_;
  std::set<int64_t> attributes_;
  std::set<int64_t> events_;
  std::set<int64_t> event_attributes_;
  std::set<int64_t> resources_;
};

/// What goes wrong in one run.
struct Plan {
  ReadFaults faults;
  ReadOptions options;
  int64_t leave_after = INT64_MAX;       ///< payloads
  int64_t failing_assembly = INT64_MAX;  ///< number of the table that cannot be put together
  std::vector<size_t> root_files = {0, 1, 2};
  bool fails_from_the_start = false;  ///< also while footers are read
};

Plan RandomPlan(std::mt19937* random) {
  auto one_in = [random](uint32_t n) { return (*random)() % n == 0; };
  Plan plan;
  constexpr int64_t kBatchSizes[] = {7, 33, 50, 64, 1000};
  plan.options.batch_size = kBatchSizes[(*random)() % 5];
  plan.options.memory_limit_bytes = one_in(3) ? 20_KiB : 256_MiB;
  plan.options.signals = {otap::Signal::kTraces};
  plan.options.validate_relations = one_in(4);
  if (!one_in(4)) {
    plan.faults.first = (*random)() % 200;
    constexpr int64_t kCounts[] = {1, 1, 2, 40, INT64_MAX / 2};
    plan.faults.count = kCounts[(*random)() % 5];
    constexpr ReadFaults::Form kForms[] = {ReadFaults::Form::kError, ReadFaults::Form::kShort,
                                           ReadFaults::Form::kFlipped};
    plan.faults.form = kForms[(*random)() % 3];
    plan.fails_from_the_start = one_in(3);
  }
  plan.leave_after = one_in(5) ? (*random)() % 12 : INT64_MAX;
  plan.failing_assembly = one_in(4) ? (*random)() % 60 : INT64_MAX;
  while (one_in(3) && !plan.root_files.empty()) {
    plan.root_files.erase(plan.root_files.begin() +
                          static_cast<int64_t>((*random)() % plan.root_files.size()));
  }
  return plan;
}

/// Reads the tree once and checks everything that must hold.
void Check(const NumberedTree& tree, Plan plan) {
  ReadReport report;
  MemoryBudget budget(plan.options.memory_limit_bytes);
  const auto faulty_store =
      storage::Store::Over({}, {}, std::make_shared<FaultyFileSystem>(&plan.faults));
  storage::Store& faulty = *faulty_store;
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  const std::string base = tree.path().string();
  const auto listing = ListLake(local, base, plan.options.signals).ValueOrDie();
  auto& footers = plan.fails_from_the_start ? faulty : local;
  const auto files = std::make_shared<PartitionFiles>(
      LoadPartition(footers, base, listing.partitions.at(0), &report));
  PartitionTask task{.signal = otap::Signal::kTraces, .files = files, .root_files = {}};
  for (const size_t file : plan.root_files) {
    if (file < files->of(TableKind::kSpans).size()) {
      task.root_files.push_back(file);
    }
  }
  task.is_partial = plan.root_files.size() < 3;
  int64_t assemblies = 0;
  auto assemble = [&](TableKind kind, std::span<const Piece> pieces,
                      const NewIds& ids) -> Result<std::shared_ptr<arrow::RecordBatch>> {
    if (assemblies++ == plan.failing_assembly) {
      return Status::CapacityError("offset overflow");
    }
    return AssembleTable(kind, pieces, ids);
  };
  Judge judge;
  bool is_left = false;
  {
    const auto reader =
        PartitionReader::Make(&faulty, base, task, plan.options, &budget, &report, assemble)
            .ValueOrDie();
    for (int64_t payloads = 0;; ++payloads) {
      is_left = payloads == plan.leave_after;
      if (is_left) {
        break;
      }
      const auto payload = reader->Next();
      ASSERT_TRUE(payload.ok()) << payload.status();
      if (!payload->has_value()) {
        break;
      }
      judge.See(*(**payload).batch);
    }
  }
  const Status holds = report.CheckConservation();
  EXPECT_TRUE(holds.ok()) << holds;
  judge.CompareWith(report);
  EXPECT_EQ(budget.used_bytes(), 0);
  const bool is_whole = !is_left && !task.is_partial;
  const bool is_sound = plan.faults.num_failed == 0 && assemblies <= plan.failing_assembly;
  for (const TableKind kind : {TableKind::kSpans, TableKind::kSpanAttrs, TableKind::kSpanEvents}) {
    EXPECT_TRUE(!is_whole || report.table(kind).rows_left == 0);
  }
  if (is_sound) {
    EXPECT_EQ(report.num_errors(), 0);
    EXPECT_TRUE(!is_whole || judge.has_everything());
  }
  EXPECT_TRUE(!is_whole || judge.has_everything() || report.num_errors() > 0)
      << "something is missing and nothing is named";
  for (const Problem& problem : report.problems) {
    EXPECT_EQ(problem.message.find('\n'), std::string::npos) << problem.message;
    EXPECT_EQ(problem.message.find("table="), problem.message.rfind("table="));
    EXPECT_NE(problem.message.find("table="), std::string::npos) << problem.message;
  }
}

/// DF_CONSERVATION_RUNS and DF_CONSERVATION_SEED ask for more runs and for others.
int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

TEST(Conservation, HoldsWhateverFails) {
  const NumberedTree sorted(false);
  const NumberedTree shuffled(true);
  const int64_t first = FromEnvironment("DF_CONSERVATION_SEED", 0);
  const int64_t runs = FromEnvironment("DF_CONSERVATION_RUNS", 160);
  for (int64_t seed = first; seed < first + runs && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(::testing::Message() << "DF_CONSERVATION_SEED=" << seed);
    std::mt19937 random(static_cast<uint32_t>(seed));
    Check(seed % 2 == 0 ? sorted : shuffled, RandomPlan(&random));
  }
}

TEST(Conservation, HoldsForEveryCallThatFails) {
  const NumberedTree tree(true);
  Plan plan;
  plan.options.signals = {otap::Signal::kTraces};
  plan.options.batch_size = 60;
  for (int64_t call = 0; call < 90 && !::testing::Test::HasFailure(); ++call) {
    SCOPED_TRACE(::testing::Message() << "call " << call);
    plan.faults.first = call;
    Check(tree, plan);
  }
}

TEST(Conservation, ABatchThatCannotBeBuiltCostsItsRowsAndIsNamed) {
  const NumberedTree tree(false);
  ReadReport report;
  MemoryBudget budget(256_MiB);
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  const std::string base = tree.path().string();
  const auto listing = ListLake(local, base, {otap::Signal::kTraces}).ValueOrDie();
  const auto files = std::make_shared<PartitionFiles>(
      LoadPartition(local, base, listing.partitions.at(0), &report));
  ReadOptions options;
  options.batch_size = 20;
  int64_t attempts = 0;
  const auto reader =
      PartitionReader::Make(
          &local, base, {.signal = otap::Signal::kTraces, .files = files, .root_files = {0, 1, 2}},
          options, &budget, &report,
          [&](TableKind kind, std::span<const Piece> pieces,
              const NewIds& ids) -> Result<std::shared_ptr<arrow::RecordBatch>> {
            if (kind == TableKind::kSpanEvents && attempts++ == 1) {
              return Status::CapacityError("offset overflow\nwhile concatenating arrays");
            }
            return AssembleTable(kind, pieces, ids);
          })
          .ValueOrDie();
  while (reader->Next().ValueOrDie().has_value()) {
  }
  EXPECT_EQ(report.table(TableKind::kSpans).dropped(DropReason::kUnreadable), 20);
  EXPECT_EQ(report.table(TableKind::kSpans).rows_emitted, kSpans - 20);
  EXPECT_EQ(report.table(TableKind::kSpanAttrs).dropped(DropReason::kLostParent), 40);
  EXPECT_EQ(report.table(TableKind::kSpanEvents).dropped(DropReason::kLostParent), 40);
  EXPECT_EQ(report.table(TableKind::kSpanEventAttrs).dropped(DropReason::kLostParent), 40);
  EXPECT_TRUE(report.CheckConservation().ok());
  ASSERT_EQ(report.problems.size(), 1U);
  EXPECT_THAT(report.problems[0].message,
              HasSubstr("rows 20 to 39 (ids 60 to 117) cannot be put into a batch: offset "
                        "overflow while concatenating arrays [table=spans "
                        "file=spans/part-1-a.parquet row_group=0]"));
}

TEST(Conservation, TheLawIsBrokenByALostRow) {
  ReadReport report;
  report.table(TableKind::kLogs).rows_listed = 3;
  report.table(TableKind::kLogs).AddEmitted(2);
  EXPECT_FALSE(report.CheckConservation().ok());
  report.table(TableKind::kLogs).AddDropped(DropReason::kOrphan, 1);
  EXPECT_TRUE(report.CheckConservation().ok());
  report.table(TableKind::kLogs).rows_left = 1;
  EXPECT_THAT(report.CheckConservation().message(),
              HasSubstr("table logs: 3 rows listed, 3 read, 2 emitted, 1 dropped, 1 left"));
}

}  // namespace
}  // namespace df::lake
