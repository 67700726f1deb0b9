// Files past the widths of ids, made of as few columns as a join needs.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <arrow/builder.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "lake/catalog/catalog.h"
#include "lake/read/partition_reader.h"
#include "otap/validate.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;

struct Shape {
  int64_t rows;
  uint32_t id_step;
  int64_t batch_size;
  int64_t row_group_rows;
  bool shuffled_children;
};

void Write(const fs::path& path, const arrow::FieldVector& fields,
           const arrow::ArrayVector& columns, int64_t row_group_rows) {
  fs::create_directories(path.parent_path());
  const auto table = arrow::Table::Make(arrow::schema(fields), columns);
  const auto status = parquet::arrow::WriteTable(
      *table, arrow::default_memory_pool(),
      arrow::io::FileOutputStream::Open(path.string()).ValueOrDie(), row_group_rows);
  ASSERT_TRUE(status.ok()) << status;
}

class LargeFile : public ::testing::TestWithParam<Shape> {};

/// Log i has the time i + 1 and one attribute with the value i.
TEST_P(LargeFile, EveryLogKeepsItsAttribute) {
  const Shape& shape = GetParam();
  std::string pattern = (fs::temp_directory_path() / "large-XXXXXX").string();
  const fs::path base = mkdtemp(pattern.data());
  std::vector<int64_t> order(static_cast<size_t>(shape.rows));
  std::iota(order.begin(), order.end(), 0);
  arrow::UInt32Builder ids;
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::NANO),
                                arrow::default_memory_pool());
  for (const int64_t i : order) {
    ASSERT_TRUE(ids.Append(static_cast<uint32_t>(i) * shape.id_step).ok());
    ASSERT_TRUE(times.Append(i + 1).ok());
  }
  Write(base / "logs/part-1-a.parquet",
        {arrow::field("id", arrow::uint32()), arrow::field("time_unix_nano", times.type())},
        {ids.Finish().ValueOrDie(), times.Finish().ValueOrDie()}, shape.row_group_rows);
  if (shape.shuffled_children) {
    std::mt19937 random(9);
    std::shuffle(order.begin(), order.end(), random);
  }
  arrow::UInt32Builder parents;
  arrow::StringBuilder keys;
  arrow::UInt8Builder types;
  arrow::Int64Builder values;
  for (const int64_t i : order) {
    ASSERT_TRUE(parents.Append(static_cast<uint32_t>(i) * shape.id_step).ok());
    ASSERT_TRUE(keys.Append("k").ok());
    ASSERT_TRUE(types.Append(2).ok());
    ASSERT_TRUE(values.Append(i).ok());
  }
  Write(base / "log_attrs/part-1-a.parquet",
        {arrow::field("parent_id", arrow::uint32()), arrow::field("key", arrow::utf8()),
         arrow::field("type", arrow::uint8()), arrow::field("int", arrow::int64())},
        {parents.Finish().ValueOrDie(), keys.Finish().ValueOrDie(), types.Finish().ValueOrDie(),
         values.Finish().ValueOrDie()},
        shape.row_group_rows);

  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  ReadReport report;
  ReadOptions options;
  options.batch_size = shape.batch_size;
  MemoryBudget budget(options.memory_limit_bytes);
  const auto listing = ListLake(local, base.string(), {otap::Signal::kLogs}).ValueOrDie();
  PartitionTask task{
      .signal = otap::Signal::kLogs, .files = nullptr, .root_files = {0}, .is_partial = false};
  task.files = std::make_shared<PartitionFiles>(
      LoadPartition(local, base.string(), listing.partitions.at(0), &report));
  const auto reader =
      PartitionReader::Make(&local, base.string(), task, options, &budget, &report).ValueOrDie();
  int64_t next = 0;
  while (const auto payload = reader->Next().ValueOrDie()) {
    const otap::Batch& batch = *payload->batch;
    ASSERT_TRUE(otap::Validate(batch).ok()) << otap::Validate(batch);
    const auto& logs = *batch.root();
    const auto& attributes = *batch.table(otap::TableKind::kLogAttrs);
    ASSERT_LE(logs.num_rows(), shape.batch_size);
    ASSERT_EQ(attributes.num_rows(), logs.num_rows());
    const auto& time =
        static_cast<const arrow::TimestampArray&>(*logs.GetColumnByName("time_unix_nano"));
    const auto& parent =
        static_cast<const arrow::UInt16Array&>(*attributes.GetColumnByName("parent_id"));
    const auto& value = static_cast<const arrow::Int64Array&>(*attributes.GetColumnByName("int"));
    for (int64_t row = 0; row < attributes.num_rows(); ++row) {
      ASSERT_EQ(value.Value(row), next + parent.Value(row));
      ASSERT_EQ(time.Value(row), next + row + 1);
    }
    next += logs.num_rows();
  }
  EXPECT_EQ(next, shape.rows);
  EXPECT_EQ(report.num_errors(), 0);
  fs::remove_all(base);
}

INSTANTIATE_TEST_SUITE_P(Sizes, LargeFile,
                         ::testing::Values(Shape{65'535, 1, 65'535, 1 << 20, false},
                                           Shape{65'536, 1, 65'535, 1 << 20, false},
                                           Shape{200'000, 1, 65'535, 1 << 20, false},
                                           Shape{200'000, 100, 8'192, 70'000, false},
                                           Shape{200'000, 1, 10'000, 50'000, true},
                                           Shape{65'537, 65'535, 1'000, 1 << 20, true}));

}  // namespace
}  // namespace df::lake
