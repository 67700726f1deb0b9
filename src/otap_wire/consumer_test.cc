// What the consumer makes of the tables of other producers, and what it refuses.
#include "otap_wire/consumer.h"

#include <deque>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/initialize.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>
#include <arrow/json/from_string.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/rows.h"

namespace df::otap_wire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct TestColumn {
  std::string name;
  std::shared_ptr<arrow::DataType> type;
  std::string json;
  std::string encoding = {};
};

std::shared_ptr<arrow::RecordBatch> Table(const std::vector<TestColumn>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const TestColumn& column : columns) {
    auto field = arrow::field(column.name, column.type);
    if (!column.encoding.empty()) {
      field = field->WithMetadata(arrow::key_value_metadata({"encoding"}, {column.encoding}));
    }
    fields.push_back(field);
    arrays.push_back(arrow::json::ArrayFromJSONString(column.type, column.json).ValueOrDie());
  }
  const int64_t rows = arrays.front()->length();
  return arrow::RecordBatch::Make(arrow::schema(fields), rows, arrays);
}

/// A whole stream of one table, without the mark of its end.
std::string Record(const arrow::RecordBatch& table, int times = 1) {
  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto writer = arrow::ipc::MakeStreamWriter(sink, table.schema()).ValueOrDie();
  for (int i = 0; i < times; ++i) {
    EXPECT_TRUE(writer->WriteRecordBatch(table).ok());
  }
  return sink->Finish().ValueOrDie()->ToString();
}

class ConsumerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }

  arrow::Result<otap::BatchPtr> Consume(
      const std::vector<std::pair<int, std::shared_ptr<arrow::RecordBatch>>>& tables) {
    std::vector<std::string> records;
    BatchArrowRecords message;
    for (const auto& [type, table] : tables) {
      records.push_back(Record(*table));
    }
    for (size_t i = 0; i < tables.size(); ++i) {
      ids_.push_back(std::to_string(ids_.size()));
      message.payloads.push_back({ids_.back(), tables[i].first, records[i]});
    }
    return consumer_.Consume(message);
  }

  /// The message of the error that a table of logs gives, which leaves the stream usable.
  std::string Refusal(const std::vector<TestColumn>& columns) {
    const auto read = Consume({{30, Table(columns)}});
    EXPECT_FALSE(read.ok());
    EXPECT_FALSE(consumer_.is_failed());
    return read.status().message();
  }

  Consumer consumer_{otap::Signal::kLogs};
  std::deque<std::string> ids_;  ///< does not move what messages borrow
};

std::vector<TestColumn> Attributes(const std::string& parents, const std::string& encoding) {
  return {{"parent_id", arrow::uint16(), parents, encoding},
          {"key", arrow::utf8(), R"(["k", "k", "k"])"},
          {"type", arrow::uint8(), "[1, 1, 1]"},
          {"str", arrow::utf8(), R"(["v", "v", "v"])"}};
}

TEST_F(ConsumerTest, IdsWithoutAMarkAreEncoded) {
  for (const char* encoding : {"", "delta"}) {
    const auto read =
        Consume({{31, Table(Attributes("[0, 1, 1]", encoding))},
                 {30, Table({{"id", arrow::uint16(), "[0, null, 1, 1]", encoding}})}});
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ((*read)->root()->GetColumnByName("id")->ToString(),
              arrow::json::ArrayFromJSONString(arrow::uint16(), "[0, null, 1, 2]")
                  .ValueOrDie()
                  ->ToString());
    EXPECT_EQ((*read)->table(otap::TableKind::kLogAttrs)->num_rows(), 3);
  }
}

TEST_F(ConsumerTest, IdsMarkedAsPlainStay) {
  const auto read = Consume({{31, Table(Attributes("[7, 3, 3]", "plain"))},
                             {30, Table({{"id", arrow::uint16(), "[7, null, 3]", "plain"}})}});
  ASSERT_TRUE(read.ok()) << read.status();
  const auto parents = otap::FindArray((*read)->table(otap::TableKind::kLogAttrs), "parent_id");
  std::vector<uint32_t> ids;
  otap::VisitIds(*parents, [&](int64_t, uint32_t id) { ids.push_back(id); });
  EXPECT_EQ(ids, (std::vector<uint32_t>{7, 3, 3}));
}

TEST_F(ConsumerTest, OrphansAreDroppedAndCounted) {
  const auto read = Consume({{31, Table(Attributes("[7, 9, 9]", "plain"))},
                             {30, Table({{"id", arrow::uint16(), "[7]", "plain"}})}});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)->table(otap::TableKind::kLogAttrs)->num_rows(), 1);
  EXPECT_EQ(consumer_.stats().orphans_dropped, 2);
}

TEST_F(ConsumerTest, TimesLoseTheirZoneAndColumnsTakeTheirPlaces) {
  const auto read = Consume(
      {{30,
        Table({{"flags", arrow::uint32(), "[1, 2]"},
               {"time_unix_nano", arrow::timestamp(arrow::TimeUnit::NANO, "UTC"), "[5, null]"}})}});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)->root()->schema()->field_names(),
            (std::vector<std::string>{"time_unix_nano", "flags"}));
  EXPECT_TRUE((*read)->root()->column(0)->type()->Equals(arrow::timestamp(arrow::TimeUnit::NANO)));
}

TEST_F(ConsumerTest, ANullBodyTypeIsAnEmptyBody) {
  const auto body =
      arrow::struct_({arrow::field("type", arrow::uint8()), arrow::field("str", arrow::utf8())});
  const auto read = Consume({{30, Table({{"body", body, R"([[1, "x"], null, [null, null]])"}})}});
  ASSERT_TRUE(read.ok()) << read.status();
  const auto& bodies =
      static_cast<const arrow::StructArray&>(*(*read)->root()->GetColumnByName("body"));
  EXPECT_TRUE(bodies.IsNull(1));
  EXPECT_EQ(static_cast<const arrow::UInt8Array&>(*bodies.field(0)).Value(2), 0);
}

TEST_F(ConsumerTest, PointsWithoutAPlaceAndUnknownTypesAreCounted) {
  const auto read_as = [&](const std::string& metric_type, ConsumerStats* stats) {
    Consumer metrics(otap::Signal::kMetrics);
    const auto points = Record(*Table({{"parent_id", arrow::uint16(), "[0, 0, 1]"}}));
    const auto root = Record(*Table({{"id", arrow::uint16(), "[0, 1]", "plain"},
                                     {"metric_type", arrow::uint8(), "[" + metric_type + ", 1]"},
                                     {"name", arrow::utf8(), R"(["m", "n"])"}}));
    const auto read =
        metrics.Consume(BatchArrowRecords{1, {{"0", 10, root}, {"1", 11, points}}, {}});
    EXPECT_TRUE(read.ok()) << read.status();
    *stats = metrics.stats();
    return read.ok() ? (*read)->num_items() : -1;
  };
  ConsumerStats stats;
  EXPECT_EQ(read_as("2", &stats), 3);
  EXPECT_EQ(stats.points_dropped, 0);
  EXPECT_EQ(stats.unknown_codes, 0);
  EXPECT_EQ(read_as("3", &stats), 1);
  EXPECT_EQ(stats.points_dropped, 2);
  EXPECT_EQ(stats.unknown_codes, 0);
  EXPECT_EQ(read_as("77", &stats), 1);
  EXPECT_EQ(stats.points_dropped, 2);
  EXPECT_EQ(stats.unknown_codes, 1);
}

TEST_F(ConsumerTest, LargeListsBecomeLists) {
  Consumer metrics(otap::Signal::kMetrics);
  const auto points =
      Record(*Table({{"parent_id", arrow::uint16(), "[0, 0]"},
                     {"bucket_counts", arrow::large_list(arrow::uint64()), "[[1, 2], [3]]"}}));
  const auto root = Record(*Table({{"id", arrow::uint16(), "[0]"},
                                   {"metric_type", arrow::uint8(), "[3]"},
                                   {"name", arrow::utf8(), R"(["m"])"}}));
  const auto read = metrics.Consume(BatchArrowRecords{1, {{"0", 10, root}, {"1", 13, points}}, {}});
  ASSERT_TRUE(read.ok()) << read.status();
  const auto counts =
      otap::FindArray((*read)->table(otap::TableKind::kHistogramDataPoints), "bucket_counts");
  EXPECT_EQ(counts->type_id(), arrow::Type::LIST);
  EXPECT_EQ(static_cast<const arrow::ListArray&>(*counts).value_length(0), 2);
}

TEST_F(ConsumerTest, RefusesWhatTheModelLacksAndSaysWhere) {
  EXPECT_THAT(Refusal({{"colour", arrow::utf8(), R"(["red"])"}}),
              AllOf(HasSubstr("payload 30 (logs)"), HasSubstr("column colour")));
  EXPECT_THAT(Refusal({{"flags", arrow::uint32(), "[1]"}, {"flags", arrow::uint32(), "[1]"}}),
              HasSubstr("column flags: found it twice"));
  EXPECT_THAT(Refusal({{"flags", arrow::int64(), "[1]"}}),
              HasSubstr("column flags: found int64, expected uint32"));
  EXPECT_THAT(
      Refusal({{"severity_text", arrow::dictionary(arrow::int32(), arrow::utf8()), R"(["x"])"}}),
      HasSubstr("expected string or a dictionary of it with uint8 or uint16 keys"));
  EXPECT_THAT(Refusal({{"id", arrow::uint16(), "[4, 4]", "plain"}}), HasSubstr("found id 4 twice"));
  EXPECT_TRUE(Consume({{30, Table({{"flags", arrow::uint32(), "[1]"}})}}).ok());
}

TEST_F(ConsumerTest, RefusesMoreRecordsThanIdsCanCount) {
  const auto flags = arrow::MakeArrayOfNull(arrow::uint32(), 65'536).ValueOrDie();
  const auto table = arrow::RecordBatch::Make(
      arrow::schema({arrow::field("flags", arrow::uint32())}), 65'536, {flags});
  const auto read = Consume({{30, table}});
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.status().message(), HasSubstr("65536 rows"));
  EXPECT_FALSE(consumer_.is_failed());
}

TEST_F(ConsumerTest, RefusesPayloadsThatDoNotBelong) {
  const std::string logs = Record(*Table({{"flags", arrow::uint32(), "[1]"}}));
  const auto refusal = [&](std::vector<ArrowPayload> payloads) {
    Consumer consumer(otap::Signal::kLogs);
    const auto read = consumer.Consume(BatchArrowRecords{1, std::move(payloads), {}});
    EXPECT_FALSE(read.ok());
    EXPECT_TRUE(consumer.is_failed());
    return read.status().message();
  };
  EXPECT_THAT(refusal({{"0", 0, logs}}), HasSubstr("found payload type 0"));
  EXPECT_THAT(refusal({{"0", 99, logs}}), HasSubstr("found payload type 99"));
  EXPECT_THAT(refusal({{"0", 40, logs}}), HasSubstr("expected one of logs"));
  EXPECT_THAT(refusal({{"0", 30, logs}, {"1", 30, logs}}), HasSubstr("twice"));
  EXPECT_THAT(refusal({{"0", 30, logs}, {"0", 31, logs}}), HasSubstr("one payload type only"));
  EXPECT_THAT(refusal({{"0", 30, ""}}), HasSubstr("found no record batch"));
  const std::string two = Record(*Table({{"flags", arrow::uint32(), "[1]"}}), 2);
  EXPECT_THAT(refusal({{"0", 30, two}}), HasSubstr("found a second record batch"));
}

TEST_F(ConsumerTest, NoPayloadsAndNoRowsAreAnEmptyBatch) {
  const auto nothing = consumer_.Consume(BatchArrowRecords{});
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_EQ((*nothing)->num_items(), 0);
  const auto no_rows = Consume({{30, Table({{"flags", arrow::uint32(), "[]"}})}});
  ASSERT_TRUE(no_rows.ok()) << no_rows.status();
  EXPECT_EQ((*no_rows)->num_items(), 0);
}

}  // namespace
}  // namespace df::otap_wire
