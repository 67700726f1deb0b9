// What a reader holds stays within its limit, whatever the shape of the files.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <new>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <arrow/builder.h>
#include <arrow/compute/api.h>
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
using ArrayPtr = std::shared_ptr<arrow::Array>;

ArrayPtr Ids(const std::vector<uint32_t>& values) {
  arrow::UInt32Builder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return builder.Finish().ValueOrDie();
}

std::vector<uint32_t> Count(size_t count) {
  std::vector<uint32_t> ids(count);
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

ArrayPtr Times(size_t count) {
  arrow::TimestampBuilder builder(arrow::timestamp(arrow::TimeUnit::NANO),
                                  arrow::default_memory_pool());
  for (size_t i = 0; i < count; ++i) {
    EXPECT_TRUE(builder.Append(static_cast<int64_t>(i) + 1).ok());
  }
  return builder.Finish().ValueOrDie();
}

ArrayPtr Durations(size_t count) {
  arrow::Int64Builder builder;
  EXPECT_TRUE(builder.AppendValues(std::vector<int64_t>(count, 5)).ok());
  return builder.Finish().ValueOrDie();
}

ArrayPtr Bytes(size_t count, int width) {
  arrow::FixedSizeBinaryBuilder builder(arrow::fixed_size_binary(width));
  for (size_t i = 0; i < count; ++i) {
    EXPECT_TRUE(builder.Append(std::string(static_cast<size_t>(width), 'a')).ok());
  }
  return builder.Finish().ValueOrDie();
}

ArrayPtr Texts(const std::vector<std::string>& values) {
  arrow::StringBuilder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return builder.Finish().ValueOrDie();
}

ArrayPtr Types(size_t count) {
  arrow::UInt8Builder builder;
  EXPECT_TRUE(builder.AppendValues(std::vector<uint8_t>(count, 1)).ok());
  return builder.Finish().ValueOrDie();
}

ArrayPtr Body(const std::vector<std::string>& values) {
  return arrow::StructArray::Make({Types(values.size()), Texts(values)},
                                  std::vector<std::string>{"type", "str"})
      .ValueOrDie();
}

/// A value of `size` bytes that tells which it is.
std::string Value(size_t index, size_t size) {
  std::string value = std::to_string(index) + ":";
  value.resize(std::max(size, value.size()), 'x');
  return value;
}

struct Writing {
  int64_t row_group_rows = 1 << 20;
  int64_t page_bytes = 1 << 20;
  bool dictionary = false;
  int64_t dictionary_bytes = 1 << 20;
};

/// A tree of its own, and reading it under a limit.
class MemoryLimit : public ::testing::Test {
 protected:
  MemoryLimit() {
    std::string pattern = (fs::temp_directory_path() / "memory-XXXXXX").string();
    base_ = mkdtemp(pattern.data());
  }
  ~MemoryLimit() override { fs::remove_all(base_); }

  void Write(const std::string& table, const std::vector<std::string>& names,
             const arrow::ArrayVector& columns, const Writing& writing = {}) {
    fs::create_directories(base_ / table);
    arrow::FieldVector fields;
    for (size_t i = 0; i < names.size(); ++i) {
      fields.push_back(arrow::field(names[i], columns[i]->type()));
    }
    parquet::WriterProperties::Builder properties;
    properties.max_row_group_length(writing.row_group_rows)
        ->data_pagesize(writing.page_bytes)
        ->write_batch_size(1)
        ->compression(arrow::Compression::ZSTD)
        ->dictionary_pagesize_limit(writing.dictionary_bytes);
    if (!writing.dictionary) {
      properties.disable_dictionary();
    }
    const auto status = parquet::arrow::WriteTable(
        *arrow::Table::Make(arrow::schema(fields), columns), arrow::default_memory_pool(),
        arrow::io::FileOutputStream::Open((base_ / table / "part-1-a.parquet").string())
            .ValueOrDie(),
        writing.row_group_rows, properties.build());
    ASSERT_TRUE(status.ok()) << status;
  }

  void WriteAttributes(const std::string& table, const std::vector<uint32_t>& parents,
                       const std::vector<std::string>& values, const Writing& writing = {}) {
    Write(table, {"parent_id", "key", "type", "str"},
          {Ids(parents), Texts(std::vector<std::string>(parents.size(), "k")),
           Types(parents.size()), Texts(values)},
          writing);
  }

  /// Reads one signal; `limit` is that of the receiver, of which a reader may hold two fifths.
  std::vector<otap::BatchPtr> Read(otap::Signal signal, int64_t limit, int64_t budget_bytes,
                                   const TableAssembler& assemble = AssembleTable) {
    const auto local_store = storage::Store::Local();
    storage::Store& local = *local_store;
    report_ = {};
    ReadOptions options;
    options.memory_limit_bytes = limit;
    options.batch_size = batch_size_;
    MemoryBudget budget(budget_bytes);
    const auto listing = ListLake(local, base_.string(), {signal}).ValueOrDie();
    PartitionTask task{.signal = signal, .files = nullptr, .root_files = {0}, .is_partial = false};
    task.files = std::make_shared<PartitionFiles>(
        LoadPartition(local, base_.string(), listing.partitions.at(0), &report_));
    std::vector<otap::BatchPtr> batches;
    if (task.files->of(otap::RootTable(signal)).empty()) {
      ADD_FAILURE() << Problems();
      return batches;
    }
    {
      const auto reader =
          PartitionReader::Make(&local, base_.string(), task, options, &budget, &report_, assemble)
              .ValueOrDie();
      while (const auto payload = reader->Next().ValueOrDie()) {
        EXPECT_TRUE(otap::Validate(*payload->batch).ok()) << otap::Validate(*payload->batch);
        batches.push_back(payload->batch);
      }
    }
    EXPECT_EQ(budget.used_bytes(), 0);
    peak_bytes_ = budget.peak_bytes();
    return batches;
  }
  std::vector<otap::BatchPtr> Read(otap::Signal signal, int64_t limit) {
    return Read(signal, limit, limit * 2 / 5);
  }

  static std::string Text(const arrow::Array& array, int64_t row) {
    return array.GetScalar(row).ValueOrDie()->ToString();
  }

  static ArrayPtr Column(const arrow::RecordBatch& table, const std::string& name) {
    ArrayPtr column = table.GetColumnByName(name);
    if (column != nullptr && column->type_id() == arrow::Type::DICTIONARY) {
      column = arrow::compute::Cast(*column, arrow::utf8()).ValueOrDie();
    }
    return column;
  }

  /// The values of the rows of a child table, by the text of their parent.
  static void Join(const arrow::RecordBatch* parents, const std::vector<std::string>& names,
                   const arrow::RecordBatch* children, std::vector<std::string>* joined,
                   std::vector<std::string>* child_names) {
    if (children == nullptr || parents == nullptr) {
      return;
    }
    std::map<std::string, std::string> name_of;
    const ArrayPtr ids = parents->GetColumnByName("id");
    for (int64_t row = 0; row < parents->num_rows(); ++row) {
      name_of[Text(*ids, row)] = names[static_cast<size_t>(row)];
    }
    const ArrayPtr parent_ids = children->GetColumnByName("parent_id");
    const ArrayPtr values = Column(*children, child_names == nullptr ? "str" : "name");
    for (int64_t row = 0; row < children->num_rows(); ++row) {
      std::string name = name_of.at(Text(*parent_ids, row)) + "/" + Text(*values, row);
      joined->push_back(name);
      if (child_names != nullptr) {
        child_names->push_back(std::move(name));
      }
    }
  }

  std::string Problems() const {
    std::string text;
    for (const Problem& problem : report_.problems) {
      text += problem.message + "\n";
    }
    return text;
  }

  fs::path base_;
  ReadReport report_;
  int64_t peak_bytes_ = 0;
  int64_t batch_size_ = 8192;
};

TEST_F(MemoryLimit, AValueThatIsTooLargeCostsItsRecord) {
  std::vector<std::string> bodies;
  for (size_t i = 0; i < 7; ++i) {
    bodies.push_back(Value(i, i == 3 ? 20 << 20 : 100));
  }
  Write("logs", {"id", "time_unix_nano", "body"}, {Ids(Count(7)), Times(7), Body(bodies)},
        {.page_bytes = 1});
  WriteAttributes("log_attrs", Count(7), std::vector<std::string>(7, "a"));
  const auto batches = Read(otap::Signal::kLogs, 16 << 20);
  std::vector<std::string> times;
  int64_t num_attributes = 0;
  for (const otap::BatchPtr& batch : batches) {
    for (int64_t row = 0; row < batch->root()->num_rows(); ++row) {
      times.push_back(std::to_string(static_cast<const arrow::TimestampArray&>(
                                         *batch->root()->GetColumnByName("time_unix_nano"))
                                         .Value(row)));
    }
    num_attributes += batch->table(otap::TableKind::kLogAttrs)->num_rows();
  }
  EXPECT_EQ(times, (std::vector<std::string>{"1", "2", "3", "5", "6", "7"}));
  EXPECT_EQ(num_attributes, 6);
  const TableCounts& logs = report_.table(otap::TableKind::kLogs);
  EXPECT_EQ(logs.rows_dropped[static_cast<size_t>(DropReason::kUnreadable)], 1);
  EXPECT_EQ(report_.table(otap::TableKind::kLogAttrs)
                .rows_dropped[static_cast<size_t>(DropReason::kLostParent)],
            1);
  EXPECT_EQ(report_.num_errors(), 1) << Problems();
  EXPECT_NE(Problems().find("column body.str: found a value of 20971520 bytes, expected at most"),
            std::string::npos)
      << Problems();
  EXPECT_NE(Problems().find("row_group=0"), std::string::npos) << Problems();
  EXPECT_LT(peak_bytes_, 16 << 20);
}

TEST_F(MemoryLimit, AnAttributeThatIsTooLargeCostsItself) {
  std::vector<std::string> values;
  for (size_t i = 0; i < 40; ++i) {
    values.push_back(Value(i, i == 13 ? 20 << 20 : 100));
  }
  std::vector<uint32_t> parents;  // four a log, not in order
  for (uint32_t i = 0; i < 40; ++i) {
    parents.push_back(i * 7 % 10);
  }
  Write("logs", {"id", "time_unix_nano"}, {Ids(Count(10)), Times(10)});
  WriteAttributes("log_attrs", parents, values, {.page_bytes = 1});
  const auto batches = Read(otap::Signal::kLogs, 16 << 20);
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0]->root()->num_rows(), 10);
  std::vector<std::string> names;
  for (size_t i = 0; i < 10; ++i) {
    names.push_back(std::to_string(i));
  }
  std::vector<std::string> found;
  Join(batches[0]->root().get(), names, batches[0]->table(otap::TableKind::kLogAttrs).get(), &found,
       nullptr);
  std::vector<std::string> expected;
  for (size_t i = 0; i < 40; ++i) {
    if (i != 13) {
      expected.push_back(std::to_string(parents[i]) + "/" + values[i]);
    }
  }
  std::sort(found.begin(), found.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(found, expected);
  EXPECT_EQ(report_.table(otap::TableKind::kLogAttrs)
                .rows_dropped[static_cast<size_t>(DropReason::kUnreadable)],
            1);
  EXPECT_EQ(report_.num_errors(), 1) << Problems();
}

TEST_F(MemoryLimit, ADictionaryThatIsTooLargeCostsTheRowsThatNeedIt) {
  std::vector<std::string> bodies;
  for (size_t i = 0; i < 60; ++i) {
    bodies.push_back(Value(i, 500'000));
  }
  Write("logs", {"id", "time_unix_nano", "body"}, {Ids(Count(60)), Times(60), Body(bodies)},
        {.page_bytes = 1000, .dictionary = true, .dictionary_bytes = 10 << 20});
  const auto batches = Read(otap::Signal::kLogs, 16 << 20);
  int64_t num_rows = 0;
  for (const otap::BatchPtr& batch : batches) {
    num_rows += batch->root()->num_rows();
  }
  const int64_t num_dropped = report_.table(otap::TableKind::kLogs)
                                  .rows_dropped[static_cast<size_t>(DropReason::kUnreadable)];
  EXPECT_GT(num_rows, 0) << "pages behind the dictionary's limit hold plain values";
  EXPECT_GT(num_dropped, 0);
  EXPECT_EQ(num_rows + num_dropped, 60);
  EXPECT_NE(Problems().find("column body.str: found a dictionary of"), std::string::npos)
      << Problems();
}

TEST_F(MemoryLimit, ABatchIsCutWhereItsChildrenDoNotFit) {
  constexpr size_t kLogs = 2'000;
  constexpr size_t kEach = 60;
  std::vector<uint32_t> parents;
  std::vector<std::string> values;
  for (size_t i = 0; i < kLogs * kEach; ++i) {
    parents.push_back(static_cast<uint32_t>(i / kEach));
    values.push_back(Value(i, 200));
  }
  Write("logs", {"id", "time_unix_nano"}, {Ids(Count(kLogs)), Times(kLogs)});
  WriteAttributes("log_attrs", parents, values);
  const auto batches = Read(otap::Signal::kLogs, 16 << 20);
  EXPECT_GT(batches.size(), 4U);
  size_t next = 0;
  for (const otap::BatchPtr& batch : batches) {
    const auto& attributes = *batch->table(otap::TableKind::kLogAttrs);
    EXPECT_LE(attributes.num_rows(), 40'000);
    const ArrayPtr text = Column(attributes, "str");
    for (int64_t row = 0; row < attributes.num_rows(); ++row) {
      ASSERT_EQ(Text(*text, row), values[next++]);
    }
  }
  EXPECT_EQ(next, values.size());
  EXPECT_EQ(report_.num_errors(), 0) << Problems();
  EXPECT_LT(peak_bytes_, 16 << 20);
}

TEST_F(MemoryLimit, ARecordWithTooManyChildrenIsNamed) {
  std::vector<uint32_t> parents;
  std::vector<std::string> values;
  for (size_t i = 0; i < 60'000; ++i) {
    parents.push_back(i < 50'000 ? 4 : static_cast<uint32_t>(i % 10));
    values.push_back(Value(i, 400));
  }
  Write("logs", {"id", "time_unix_nano"}, {Ids(Count(10)), Times(10)});
  WriteAttributes("log_attrs", parents, values);
  const auto batches = Read(otap::Signal::kLogs, 16 << 20);
  int64_t num_rows = 0;
  int64_t num_attributes = 0;
  for (const otap::BatchPtr& batch : batches) {
    num_rows += batch->root()->num_rows();
    num_attributes += batch->table(otap::TableKind::kLogAttrs)->num_rows();
  }
  EXPECT_EQ(num_rows, 9);
  EXPECT_EQ(num_attributes, 9'000);
  EXPECT_EQ(report_.num_errors(), 1) << Problems();
  EXPECT_NE(Problems().find("rows 4 to 4 (id 4) cannot be put into a batch: found children of more "
                            "than"),
            std::string::npos)
      << Problems();
  const TableCounts& counts = report_.table(otap::TableKind::kLogAttrs);
  EXPECT_EQ(counts.rows_dropped[static_cast<size_t>(DropReason::kLostParent)], 51'000);
}

TEST_F(MemoryLimit, ARowGroupWithVeryManyIdsGoesOut) {
  const size_t rows = 3'000'000;
  Write("logs", {"id", "time_unix_nano"}, {Ids(Count(10)), Times(10)});
  std::vector<uint32_t> parents(rows);
  for (size_t i = 0; i < rows; ++i) {
    parents[i] = static_cast<uint32_t>(i * 10 / rows);
  }
  arrow::UInt8Builder types;
  ASSERT_TRUE(types.AppendValues(std::vector<uint8_t>(rows, 1)).ok());
  Write("log_attrs", {"parent_id", "key", "type"},
        {Ids(parents),
         arrow::MakeArrayFromScalar(arrow::StringScalar("k"), static_cast<int64_t>(rows))
             .ValueOrDie(),
         types.Finish().ValueOrDie()},
        {.row_group_rows = 1 << 30});
  // The limit allows less than the ids take: they are read all the same.
  int64_t num_attributes = 0;
  for (const otap::BatchPtr& batch : Read(otap::Signal::kLogs, 16 << 20)) {
    num_attributes += batch->table(otap::TableKind::kLogAttrs)->num_rows();
  }
  EXPECT_EQ(num_attributes, 3'000'000);
  EXPECT_EQ(report_.num_errors(), 0) << Problems();
}

TEST_F(MemoryLimit, AnAllocationThatFailsCostsItsBatch) {
  Write("logs", {"id", "time_unix_nano"}, {Ids(Count(50)), Times(50)});
  WriteAttributes("log_attrs", Count(50), std::vector<std::string>(50, "a"));
  batch_size_ = 10;
  int num_calls = 0;
  const auto batches = Read(otap::Signal::kLogs, 256 << 20, 100 << 20,
                            [&](otap::TableKind kind, std::span<const Piece> pieces,
                                const NewIds& ids) -> Result<std::shared_ptr<arrow::RecordBatch>> {
                              if (++num_calls == 4) {  // the attributes of the second batch
                                throw std::bad_alloc();
                              }
                              return AssembleTable(kind, pieces, ids);
                            });
  EXPECT_EQ(batches.size(), 4U);
  EXPECT_EQ(report_.num_errors(), 1) << Problems();
  EXPECT_NE(
      Problems().find("rows 10 to 19 (ids 10 to 19) cannot be put into a batch: out of memory"),
      std::string::npos)
      << Problems();
  EXPECT_EQ(report_.table(otap::TableKind::kLogAttrs)
                .rows_dropped[static_cast<size_t>(DropReason::kLostParent)],
            10);
}

/// Spans with events with attributes, of sizes that average well and are not even, in any order.
class AnyLimit : public MemoryLimit, public ::testing::WithParamInterface<int> {
 protected:
  size_t Between(size_t low, size_t high) { return low + random_() % (high - low + 1); }

  size_t Size() {
    const size_t kind = Between(0, 99);
    return kind == 0   ? Between(100'000, 400'000)
           : kind < 10 ? Between(1'000, 20'000)
                       : Between(1, 60);
  }

  std::vector<std::string> Values(size_t count) {
    std::vector<std::string> values;
    const size_t distinct = Between(0, 2) == 0 ? Between(1, 50) : count;
    for (size_t i = 0; i < count; ++i) {
      values.push_back(i < distinct ? Value(i, Size()) : values[i % distinct]);
    }
    return values;
  }

  Writing AnyWriting() {
    return {.row_group_rows = static_cast<int64_t>(Between(50, 3'000)),
            .page_bytes = static_cast<int64_t>(Between(1, 300'000)),
            .dictionary = Between(0, 1) == 0,
            .dictionary_bytes = static_cast<int64_t>(Between(1'000, 2'000'000))};
  }

  std::vector<uint32_t> Parents(size_t count, size_t num_parents) {
    std::vector<uint32_t> parents;
    for (size_t i = 0; i < count; ++i) {
      parents.push_back(static_cast<uint32_t>(Between(0, num_parents - 1)));
    }
    const size_t order = Between(0, 2);
    if (order > 0) {
      std::sort(parents.begin(), parents.end());
    }
    for (size_t i = 0; order == 2 && i < count / 20; ++i) {
      std::swap(parents[Between(0, count - 1)], parents[Between(0, count - 1)]);
    }
    return parents;
  }

  /// Everything that was read, as sorted lines.
  std::vector<std::string> Lines(const std::vector<otap::BatchPtr>& batches) {
    std::vector<std::string> lines;
    for (const otap::BatchPtr& batch : batches) {
      const ArrayPtr names = Column(*batch->root(), "name");
      std::vector<std::string> spans;
      for (int64_t row = 0; row < batch->root()->num_rows(); ++row) {
        spans.push_back(Text(*names, row));
      }
      lines.insert(lines.end(), spans.begin(), spans.end());
      std::vector<std::string> events;
      const auto event_table = batch->table(otap::TableKind::kSpanEvents);
      Join(batch->root().get(), spans, event_table.get(), &lines, &events);
      Join(event_table.get(), events, batch->table(otap::TableKind::kSpanEventAttrs).get(), &lines,
           nullptr);
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }

  std::mt19937 random_;
};

TEST_P(AnyLimit, ReadsTheSameRows) {
  for (int run = 0; run < 3; ++run) {
    const int seed = GetParam() * 100 + run;
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    random_.seed(static_cast<uint32_t>(seed));
    const size_t spans = Between(1, 500);
    const size_t events = Between(1, 1'500);
    const size_t attributes = Between(1, 3'000);
    Write("spans",
          {"id", "start_time_unix_nano", "duration_time_unix_nano", "trace_id", "span_id", "name"},
          {Ids(Count(spans)), Times(spans), Durations(spans), Bytes(spans, 16), Bytes(spans, 8),
           Texts(Values(spans))},
          AnyWriting());
    Write("span_events", {"id", "parent_id", "time_unix_nano", "name"},
          {Ids(Count(events)), Ids(Parents(events, spans)), Times(events), Texts(Values(events))},
          AnyWriting());
    WriteAttributes("span_event_attrs", Parents(attributes, events), Values(attributes),
                    AnyWriting());
    const auto expected = Lines(Read(otap::Signal::kTraces, int64_t{4} << 30));
    ASSERT_EQ(report_.num_errors(), 0) << Problems();
    ASSERT_EQ(expected.size(), spans + events + attributes);
    for (const int64_t budget : {1 << 10, 300 << 10, 3 << 20}) {
      EXPECT_EQ(Lines(Read(otap::Signal::kTraces, 256 << 20, budget)), expected)
          << "budget " << budget;
      EXPECT_EQ(report_.num_errors(), 0) << Problems();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, AnyLimit, ::testing::Range(1, 7));

}  // namespace
}  // namespace df::lake
