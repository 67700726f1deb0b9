// Tables that the model allows and that encoders have got wrong (format reference 9), from the
// producer to the consumer.
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/initialize.h>
#include <arrow/json/from_string.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/rows.h"
#include "otap/validate.h"
#include "otap_wire/consumer.h"
#include "otap_wire/message.h"
#include "otap_wire/producer.h"
#include "testing/naive_join.h"

namespace df::otap_wire {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;
using TablePtr = std::shared_ptr<arrow::RecordBatch>;

ArrayPtr Json(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

ArrayPtr Dictionary(const std::shared_ptr<arrow::DataType>& keys, const ArrayPtr& indices,
                    const ArrayPtr& entries) {
  return arrow::DictionaryArray::FromArrays(arrow::dictionary(keys, entries->type()), indices,
                                            entries)
      .ValueOrDie();
}

TablePtr Table(const std::vector<std::pair<std::string, ArrayPtr>>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& [name, array] : columns) {
    fields.push_back(arrow::field(name, array->type()));
    arrays.push_back(array);
  }
  const int64_t rows = arrays.front()->length();
  return arrow::RecordBatch::Make(arrow::schema(fields), rows, arrays);
}

otap::BatchPtr Logs(const TablePtr& root, const TablePtr& attributes) {
  otap::BatchBuilder builder(otap::Signal::kLogs);
  EXPECT_TRUE(builder.Set(otap::TableKind::kLogs, root).ok());
  EXPECT_TRUE(builder.Set(otap::TableKind::kLogAttrs, attributes).ok());
  auto batch = builder.Build();
  EXPECT_TRUE(otap::Validate(*batch).ok()) << otap::Validate(*batch);
  return batch;
}

/// Attributes of one key, a double each.
TablePtr Doubles(const std::string& parents, const std::vector<double>& values) {
  arrow::DoubleBuilder doubles;
  arrow::StringBuilder keys;
  arrow::UInt8Builder types;
  for (const double value : values) {
    EXPECT_TRUE(doubles.Append(value).ok() && keys.Append("k").ok() && types.Append(3).ok());
  }
  return Table({{"parent_id", Json(arrow::uint16(), parents)},
                {"key", keys.Finish().ValueOrDie()},
                {"type", types.Finish().ValueOrDie()},
                {"double", doubles.Finish().ValueOrDie()}});
}

class AwkwardTables : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }

  otap::BatchPtr Send(const otap::BatchPtr& batch) {
    const auto message = producer_.Produce(batch, 1);
    EXPECT_TRUE(message.ok()) << message.status();
    message_ = *message;
    const auto read = consumer_.Consume(message_);
    EXPECT_TRUE(read.ok()) << read.status();
    return *read;
  }

  void ExpectSame(const otap::BatchPtr& batch) {
    const auto expected = testing::CanonicalRecords({batch});
    const auto actual = testing::CanonicalRecords({Send(batch)});
    EXPECT_EQ(expected, actual) << testing::DescribeDifference(expected, actual);
  }

  Producer producer_{otap::Signal::kLogs};
  Consumer consumer_{otap::Signal::kLogs};
  std::string message_;
};

TEST_F(AwkwardTables, NullIdsDoNotTakeTheAttributesOfOthers) {
  // P1, P4: only the second and the last record have attributes.
  ExpectSame(Logs(Table({{"id", Json(arrow::uint16(), "[null, 0, null, 9]")},
                         {"flags", Json(arrow::uint32(), "[1, 2, 3, 4]")}}),
                  Table({{"parent_id", Json(arrow::uint16(), "[9, 0, 0]")},
                         {"key", Json(arrow::utf8(), R"(["a", "a", "b"])")},
                         {"type", Json(arrow::uint8(), "[1, 1, 1]")},
                         {"str", Json(arrow::utf8(), R"(["x", "y", "z"])")}})));
}

TEST_F(AwkwardTables, RunsOfDoublesGoByTheirBits) {
  // P40: zeros of both signs and numbers that are none, several rows of each.
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double other_nan = std::nan("7");
  const std::vector<double> values = {0.0, -0.0, nan, other_nan, 0.0, -0.0, nan, other_nan, -nan};
  const auto batch = Logs(Table({{"id", Json(arrow::uint16(), "[0, 1, 2, 3, 4, 5, 6, 7, 8]")},
                                 {"flags", Json(arrow::uint32(), "[0, 1, 2, 3, 4, 5, 6, 7, 8]")}}),
                          Doubles("[8, 7, 6, 5, 4, 3, 2, 1, 0]", values));
  const auto read = Send(batch);
  const auto& attributes = read->table(otap::TableKind::kLogAttrs);
  ASSERT_EQ(attributes->num_rows(), 9);
  const auto& doubles =
      static_cast<const arrow::DoubleArray&>(*otap::FindArray(attributes, "double"));
  std::map<uint32_t, uint64_t> bits_of_record;
  const auto& flags =
      static_cast<const arrow::UInt32Array&>(*otap::FindArray(read->root(), "flags"));
  std::map<uint32_t, uint32_t> flag_of_id;
  otap::VisitIds(*otap::FindArray(read->root(), "id"),
                 [&](int64_t row, uint32_t id) { flag_of_id[id] = flags.Value(row); });
  otap::VisitIds(*otap::FindArray(attributes, "parent_id"), [&](int64_t row, uint32_t id) {
    const double value = doubles.Value(row);
    std::memcpy(&bits_of_record[flag_of_id[id]], &value, sizeof(value));
  });
  for (size_t i = 0; i < values.size(); ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, &values[i], sizeof(bits));
    EXPECT_EQ(bits_of_record[static_cast<uint32_t>(8 - i)], bits) << i;
  }
}

TEST_F(AwkwardTables, AValueThatADictionaryHasTwiceGoesOutOnce) {
  // 3.4: consumers that compare keys and those that compare values have to agree.
  const auto values = Dictionary(arrow::uint16(), Json(arrow::uint16(), "[0, 1, 2, 1]"),
                                 Json(arrow::utf8(), R"(["same", "same", "other"])"));
  ExpectSame(Logs(Table({{"id", Json(arrow::uint16(), "[0, 1, 2, 3]")}}),
                  Table({{"parent_id", Json(arrow::uint16(), "[0, 1, 2, 3]")},
                         {"key", Json(arrow::utf8(), R"(["k", "k", "k", "k"])")},
                         {"type", Json(arrow::uint8(), "[1, 1, 1, 1]")},
                         {"str", values}})));
  const auto read = Send(Logs(Table({{"id", Json(arrow::uint16(), "[0]")}}),
                              Table({{"parent_id", Json(arrow::uint16(), "[0]")},
                                     {"key", Json(arrow::utf8(), R"(["k"])")},
                                     {"type", Json(arrow::uint8(), "[1]")},
                                     {"str", values->Slice(2, 1)}})));
  const auto& sent = static_cast<const arrow::DictionaryArray&>(
      *otap::FindArray(read->table(otap::TableKind::kLogAttrs), "str"));
  EXPECT_EQ(sent.dictionary()->length(), 2);
}

TEST_F(AwkwardTables, ANullThatADictionaryHasStaysANull) {
  // P26.
  ExpectSame(
      Logs(Table({{"id", Json(arrow::uint16(), "[0, 1, 2]")},
                  {"severity_text", Dictionary(arrow::uint8(), Json(arrow::uint8(), "[0, 1, null]"),
                                               Json(arrow::utf8(), R"(["info", null])"))}}),
           nullptr));
}

TEST_F(AwkwardTables, EntriesThatNoRowUsesGoNowhereNew) {
  // P23: a slice refers to one of three entries.
  const auto texts = Dictionary(arrow::uint8(), Json(arrow::uint8(), "[0, 1, 2]"),
                                Json(arrow::utf8(), R"(["a", "secret", "b"])"));
  const auto sliced =
      Table({{"id", Json(arrow::uint16(), "[0]")}, {"severity_text", texts->Slice(2, 1)}});
  ExpectSame(Logs(sliced, nullptr));
}

TEST_F(AwkwardTables, ParentsInANarrowDictionaryHaveRoomForAllDifferences) {
  // P25: as many parents as the keys can count, and orders that make every difference another.
  arrow::UInt32Builder ids;
  arrow::UInt16Builder parents_of_events;
  arrow::UInt8Builder indices;
  for (uint32_t i = 0; i < 255; ++i) {
    ASSERT_TRUE(ids.Append(i * i).ok() && parents_of_events.Append(0).ok() &&
                indices.Append(static_cast<uint8_t>((i * 97) % 255)).ok());
  }
  const ArrayPtr event_ids = ids.Finish().ValueOrDie();
  const ArrayPtr keys = indices.Finish().ValueOrDie();
  const ArrayPtr parents = Dictionary(arrow::uint8(), keys, event_ids);
  const auto repeat = [](const std::string& value) {
    std::string json = "[";
    for (int i = 0; i < 255; ++i) {
      json += (i > 0 ? "," : "") + value;
    }
    return json + "]";
  };
  otap::BatchBuilder builder(otap::Signal::kTraces);
  const std::string zeros32 = R"(["0123456789abcdef"])";
  ASSERT_TRUE(
      builder
          .Set(
              otap::TableKind::kSpans,
              Table(
                  {{"id", Json(arrow::uint16(), "[0]")},
                   {"start_time_unix_nano", Json(arrow::timestamp(arrow::TimeUnit::NANO), "[1]")},
                   {"duration_time_unix_nano", Json(arrow::duration(arrow::TimeUnit::NANO), "[1]")},
                   {"trace_id", Json(arrow::fixed_size_binary(16), zeros32)},
                   {"span_id", Json(arrow::fixed_size_binary(8), R"(["01234567"])")},
                   {"name", Json(arrow::utf8(), R"(["s"])")}}))
          .ok());
  ASSERT_TRUE(builder
                  .Set(otap::TableKind::kSpanEvents,
                       Table({{"id", event_ids},
                              {"parent_id", parents_of_events.Finish().ValueOrDie()},
                              {"name", Json(arrow::utf8(), repeat(R"("e")"))}}))
                  .ok());
  ASSERT_TRUE(builder
                  .Set(otap::TableKind::kSpanEventAttrs,
                       Table({{"parent_id", parents},
                              {"key", Json(arrow::utf8(), repeat(R"("k")"))},
                              {"type", Json(arrow::uint8(), repeat("2"))},
                              {"int", Json(arrow::int64(), repeat("1"))}}))
                  .ok());
  const otap::BatchPtr batch = builder.Build();
  ASSERT_TRUE(otap::Validate(*batch).ok()) << otap::Validate(*batch);
  Producer producer(otap::Signal::kTraces);
  Consumer consumer(otap::Signal::kTraces);
  const auto read = consumer.Consume(producer.Produce(batch, 1).ValueOrDie());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(testing::CanonicalRecords({batch}), testing::CanonicalRecords({*read}));
}

TEST_F(AwkwardTables, AResourceThatComesBackKeepsItsAttributes) {
  const auto group = [](const std::string& ids) {
    const auto column = Json(arrow::uint16(), ids);
    return arrow::StructArray::Make({column}, std::vector<std::string>{"id"}).ValueOrDie();
  };
  otap::BatchBuilder builder(otap::Signal::kLogs);
  ASSERT_TRUE(
      builder
          .Set(otap::TableKind::kLogs, Table({{"id", Json(arrow::uint16(), "[0, 1, 2, 3]")},
                                              {"resource", group("[7, 3, 7, 3]")},
                                              {"scope", group("[2, 1, 2, 2]")},
                                              {"flags", Json(arrow::uint32(), "[0, 1, 2, 3]")}}))
          .ok());
  for (const auto kind : {otap::TableKind::kResourceAttrs, otap::TableKind::kScopeAttrs}) {
    const bool is_resource = kind == otap::TableKind::kResourceAttrs;
    ASSERT_TRUE(builder
                    .Set(kind, Table({{"parent_id",
                                       Json(arrow::uint16(), is_resource ? "[3, 7]" : "[1, 2]")},
                                      {"key", Json(arrow::utf8(), R"(["k", "k"])")},
                                      {"type", Json(arrow::uint8(), "[1, 1]")},
                                      {"str", Json(arrow::utf8(), R"(["x", "y"])")}}))
                    .ok());
  }
  ExpectSame(builder.Build());
}

}  // namespace
}  // namespace df::otap_wire
