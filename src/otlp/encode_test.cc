#include "otlp/encode.h"

#include <map>

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otlp/compare/canonical_text.h"

namespace df::otlp {
namespace {

using otap::BatchPtr;
using otap::Signal;
using otap::TableKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Columns by name, their values as JSON.
using Columns = std::vector<std::pair<std::string, std::string>>;

std::shared_ptr<arrow::RecordBatch> Table(TableKind kind, const Columns& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& [name, json] : columns) {
    const otap::Column* model = otap::FindColumn(otap::GetTable(kind).columns, name);
    const auto type = otap::NativeType(*model);
    fields.push_back(arrow::field(name, type));
    arrays.push_back(arrow::json::ArrayFromJSONString(type, json).ValueOrDie());
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), arrays.at(0)->length(), arrays);
}

BatchPtr MakeBatch(Signal signal, const std::vector<std::pair<TableKind, Columns>>& tables) {
  otap::BatchBuilder builder(signal);
  for (const auto& [kind, columns] : tables) {
    EXPECT_TRUE(builder.Set(kind, Table(kind, columns)).ok());
  }
  return builder.Build();
}

const std::vector<std::string_view>& Items(const std::vector<RawField>& fields, uint32_t number) {
  static const std::vector<std::string_view> kNone;
  for (const RawField& field : fields) {
    if (field.number == number) {
      return field.items;
    }
  }
  return kNone;
}

/// One line a record, in the order of the bytes: "r0 s0 <record>" under "resource" and "scope"
/// lines.
std::vector<std::string> Lines(const otap::Batch& batch, EncodeStats* stats = nullptr) {
  std::vector<std::string> lines;
  const std::string request = EncodeRequest(batch, stats).ValueOrDie();
  const MessageShape& shape = RequestShape(batch.signal());
  const MessageShape& resource_shape = *shape.Find(1)->message;
  const MessageShape& scope_shape = *resource_shape.Find(2)->message;
  const FieldShape& records = *scope_shape.Find(2);
  const auto fields = SplitMessage(shape, request);
  for (const std::string_view resource : Items(fields, 1)) {
    const auto resource_fields = SplitMessage(resource_shape, resource);
    lines.push_back("resource " + CanonicalText(resource_shape, resource_fields, {},
                                                {resource_shape.Find(2)->name}));
    for (const std::string_view scope : Items(resource_fields, 2)) {
      const auto scope_fields = SplitMessage(scope_shape, scope);
      lines.push_back("scope " + CanonicalText(scope_shape, scope_fields, {}, {records.name}));
      for (const std::string_view record : Items(scope_fields, 2)) {
        lines.push_back(CanonicalText(*records.message, record, {}));
      }
    }
  }
  return lines;
}

TEST(EncodeLogs, WritesEveryFieldOfARecord) {
  const BatchPtr batch = MakeBatch(
      Signal::kLogs,
      {{TableKind::kLogs,
        {{"id", "[0]"},
         {"resource", R"([{"id":0,"schema_url":"r","dropped_attributes_count":1}])"},
         {"scope", R"([{"id":0,"name":"n","version":"v","dropped_attributes_count":2}])"},
         {"schema_url", R"(["s"])"},
         {"time_unix_nano", "[5]"},
         {"observed_time_unix_nano", "[-1]"},
         {"trace_id", R"(["0123456789abcdef"])"},
         {"span_id", R"(["01234567"])"},
         {"severity_number", "[9]"},
         {"severity_text", R"(["INFO"])"},
         {"body", R"([{"type":1,"str":"hello"}])"},
         {"dropped_attributes_count", "[3]"},
         {"event_name", R"(["e"])"},
         {"flags", "[257]"}}},
       {TableKind::kLogAttrs,
        {{"parent_id", "[0]"}, {"key", R"(["k"])"}, {"type", "[2]"}, {"int", "[-7]"}}},
       {TableKind::kResourceAttrs,
        {{"parent_id", "[0]"}, {"key", R"(["rk"])"}, {"type", "[3]"}, {"double", "[0.5]"}}},
       {TableKind::kScopeAttrs,
        {{"parent_id", "[0]"}, {"key", R"(["sk"])"}, {"type", "[4]"}, {"bool", "[true]"}}}});
  EncodeStats stats;
  EXPECT_THAT(
      Lines(*batch, &stats),
      ElementsAre(
          R"(resource resource={attributes=["rk": double_value 0.5] dropped_attributes_count=1} schema_url="r")",
          R"(scope scope={name="n" version="v" attributes=["sk": bool_value true] )"
          R"(dropped_attributes_count=2} schema_url="s")",
          R"(time_unix_nano=5 severity_number=9 severity_text="INFO" body=string_value "hello" )"
          R"(attributes=["k": int_value -7] dropped_attributes_count=3 flags=257 )"
          R"(trace_id=30313233343536373839616263646566 span_id=3031323334353637 )"
          R"(observed_time_unix_nano=18446744073709551615 event_name="e")"));
  EXPECT_EQ(stats.items, 1);
  EXPECT_TRUE(stats.is_exact());
}

TEST(EncodeLogs, RowsWithoutResourceScopeOrIdHaveNoAttributes) {
  const BatchPtr batch = MakeBatch(
      Signal::kLogs,
      {{TableKind::kLogs, {{"id", "[null,0]"}, {"flags", "[1,2]"}}},
       {TableKind::kLogAttrs, {{"parent_id", "[0]"}, {"key", R"(["k"])"}, {"type", "[0]"}}},
       {TableKind::kResourceAttrs, {{"parent_id", "[0]"}, {"key", R"(["r"])"}, {"type", "[0]"}}}});
  EXPECT_THAT(Lines(*batch),
              ElementsAre("resource ", "scope ", "flags=1", R"(attributes=["k": empty] flags=2)"));
}

TEST(EncodeLogs, RowsGoUnderOneResourceOnlyWhenAllTheySayIsEqual) {
  const BatchPtr batch = MakeBatch(
      Signal::kLogs, {{TableKind::kLogs,
                       {{"resource", R"([{"id":0},{"id":1},null,{"id":0,"schema_url":"u"},{"id":0},
                          {"id":0,"dropped_attributes_count":1},{"schema_url":""}])"},
                        {"flags", "[1,2,3,4,5,6,7]"}}},
                      {TableKind::kResourceAttrs,
                       {{"parent_id", "[0,1]"}, {"key", R"(["a","b"])"}, {"type", "[0,0]"}}}});
  EXPECT_THAT(
      Lines(*batch),
      ElementsAre(R"(resource resource={attributes=["a": empty]})", "scope ", "flags=1", "flags=5",
                  R"(resource resource={attributes=["b": empty]})", "scope ", "flags=2",
                  "resource ", "scope ", "flags=3", "flags=7",
                  R"(resource resource={attributes=["a": empty]} schema_url="u")", "scope ",
                  "flags=4",
                  R"(resource resource={attributes=["a": empty] dropped_attributes_count=1})",
                  "scope ", "flags=6"));
}

TEST(EncodeLogs, AScopeIdOfTwoResourcesGluesNothing) {
  const BatchPtr batch =
      MakeBatch(Signal::kLogs, {{TableKind::kLogs,
                                 {{"resource", R"([{"id":0},{"id":1},{"id":0},{"id":1}])"},
                                  {"scope", R"([{"id":0},{"id":0},{"id":0,"name":"n"},{"id":0}])"},
                                  {"schema_url", R"([null,null,null,"s"])"},
                                  {"flags", "[1,2,3,4]"}}}});
  EXPECT_THAT(Lines(*batch),
              ElementsAre("resource ", "scope ", "flags=1", R"(scope scope={name="n"})", "flags=3",
                          "resource ", "scope ", "flags=2", R"(scope schema_url="s")", "flags=4"));
}

TEST(EncodeLogs, TextsOfOneLengthAreToldApart) {
  const BatchPtr batch =
      MakeBatch(Signal::kLogs,
                {{TableKind::kLogs,
                  {{"resource", R"([{"schema_url":"a"},{"schema_url":"b"},{"schema_url":"a"}])"},
                   {"scope", R"([{"name":"n"},{"name":"n"},{"name":"m"}])"},
                   {"flags", "[1,2,3]"}}}});
  EXPECT_THAT(Lines(*batch),
              ElementsAre(R"(resource schema_url="a")", R"(scope scope={name="n"})", "flags=1",
                          R"(scope scope={name="m"})", "flags=3", R"(resource schema_url="b")",
                          R"(scope scope={name="n"})", "flags=2"));
}

TEST(EncodeLogs, ABodyThatIsNullIsAbsentAndOneOfTypeZeroIsEmpty) {
  const BatchPtr batch =
      MakeBatch(Signal::kLogs, {{TableKind::kLogs, {{"body", R"([null,{"type":0},{"type":1}])"}}}});
  const std::string json = EncodeJson(*batch).ValueOrDie();
  EXPECT_THAT(json, HasSubstr(R"("logRecords":[{},{"body":{}},{"body":{"stringValue":""}}])"));
}

/// The values of log attributes, each an attribute of its own log.
std::vector<std::string> Values(const Columns& columns, size_t count,
                                EncodeStats* stats = nullptr) {
  std::string ids = "[";
  std::string keys = "[";
  for (size_t i = 0; i < count; ++i) {
    ids += (i == 0 ? "" : ",") + std::to_string(i);
    keys += i == 0 ? "\"k\"" : ",\"k\"";
  }
  Columns table = {{"parent_id", ids + "]"}, {"key", keys + "]"}};
  table.insert(table.end(), columns.begin(), columns.end());
  const BatchPtr batch = MakeBatch(
      Signal::kLogs, {{TableKind::kLogs, {{"id", ids + "]"}}}, {TableKind::kLogAttrs, table}});
  std::vector<std::string> values = Lines(*batch, stats);
  values.erase(values.begin(), values.begin() + 2);
  for (std::string& value : values) {
    value = value.substr(std::string("attributes=[\"k\": ").size());
    value.pop_back();
  }
  return values;
}

TEST(EncodeValues, AnAbsentValueColumnIsTheDefaultOfItsType) {
  EXPECT_THAT(Values({{"type", "[0,1,2,3,4,5,6,7]"}}, 8),
              ElementsAre("empty", R"(string_value "")", "int_value 0", "double_value 0",
                          "bool_value false", "empty", "empty", "bytes_value "));
}

TEST(EncodeValues, ANullInAPresentColumnIsTheDefaultExceptForBool) {
  EXPECT_THAT(Values({{"type", "[1,2,3,4,5,7]"},
                      {"str", R"([null,"x","x","x","x","x"])"},
                      {"int", "[1,null,1,1,1,1]"},
                      {"double", "[1,1,null,1,1,1]"},
                      {"bool", "[true,true,true,null,true,true]"},
                      {"ser", "[null,null,null,null,null,null]"},
                      {"bytes", R"(["x","x","x","x","x",null])"}},
                     6),
              ElementsAre(R"(string_value "")", "int_value 0", "double_value 0", "empty", "empty",
                          "bytes_value "));
}

TEST(EncodeValues, ColumnsThatAreNotActiveAreIgnored) {
  EXPECT_THAT(Values({{"type", "[2,0]"}, {"str", R"(["x","y"])"}, {"int", "[5,6]"}}, 2),
              ElementsAre("int_value 5", "empty"));
}

TEST(EncodeValues, AnUnknownTypeIsAnEmptyValueAndCounted) {
  EncodeStats stats;
  EXPECT_THAT(Values({{"type", "[8,255]"}, {"str", R"(["x","y"])"}}, 2, &stats),
              ElementsAre("empty", "empty"));
  EXPECT_EQ(stats.unknown_types, 2);
  EXPECT_FALSE(stats.is_exact());
}

// `cbor` in hex, as the value of one log attribute.
std::string CborValue(std::string_view hex, EncodeStats* stats) {
  arrow::BinaryBuilder builder;
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  EXPECT_TRUE(builder.Append(bytes).ok());
  auto attributes =
      Table(TableKind::kLogAttrs, {{"parent_id", "[0]"}, {"key", R"(["k"])"}, {"type", "[5]"}});
  attributes = attributes->AddColumn(3, "ser", builder.Finish().ValueOrDie()).ValueOrDie();
  otap::BatchBuilder batch(Signal::kLogs);
  EXPECT_TRUE(batch.Set(TableKind::kLogs, Table(TableKind::kLogs, {{"id", "[0]"}})).ok());
  EXPECT_TRUE(batch.Set(TableKind::kLogAttrs, attributes).ok());
  return Lines(*batch.Build(), stats).at(2);
}

TEST(EncodeValues, CborIsDecodedInAllItsForms) {
  EncodeStats stats;
  EXPECT_EQ(CborValue("9f0120f5f6f93e006161420102ff", &stats),
            R"(attributes=["k": array_value [int_value 1, int_value -1, bool_value true, empty, )"
            R"(double_value 1.5, string_value "a", bytes_value 0102]])");
  EXPECT_EQ(CborValue("83018080", &stats),
            R"(attributes=["k": array_value [int_value 1, array_value [], array_value []]])");
  EXPECT_EQ(CborValue("bf616101616102f6a0ff", &stats),
            R"(attributes=["k": kvlist_value ["": kvlist_value [], "a": int_value 1, )"
            R"("a": int_value 2]])");
  EXPECT_EQ(CborValue("a1616b9fff", &stats),
            R"(attributes=["k": kvlist_value ["k": array_value []]])");
  EXPECT_EQ(stats.invalid_values, 0);
}

TEST(EncodeValues, InvalidCborIsAnEmptyValueAndCounted) {
  const std::vector<std::string> invalid = {
      "",          // nothing
      "01",        // no container
      "8201",      // an element is missing
      "9f01",      // no end
      "a16161",    // a key without value
      "bf6161ff",  // the same, with an end
      "a10101",    // a key that is no text
      "8100"
      "00",                    // something behind it
      "811b8000000000000000",  // past int64
      "81c100",                // a tag
      "82ff01",                // an end inside a definite array
      "9b7fffffffffffffff01",  // an impossible length
  };
  for (const std::string& hex : invalid) {
    EncodeStats stats;
    EXPECT_EQ(CborValue(hex, &stats), R"(attributes=["k": empty])") << hex;
    EXPECT_EQ(stats.invalid_values, 1) << hex;
  }
}

TEST(EncodeValues, NestingIsBounded) {
  const auto nested = [](int depth) {
    std::string hex;
    for (int i = 0; i < depth; ++i) {
      hex += "81";
    }
    return hex + "01";
  };
  EncodeStats stats;
  CborValue(nested(47), &stats);
  EXPECT_EQ(stats.invalid_values, 0);
  CborValue(nested(48), &stats);
  EXPECT_EQ(stats.invalid_values, 1);
  CborValue(nested(100'000), &stats);
  EXPECT_EQ(stats.invalid_values, 2);
}

TEST(EncodeValues, LongValuesAndKeysKeepTheirBytes) {
  for (const size_t size : {126U, 127U, 128U, 16'383U, 16'384U, 3'000'000U}) {
    const std::string text(size, 'x');
    EXPECT_THAT(Values({{"type", "[1,1]"}, {"str", R"([")" + text + R"(","y"])"}}, 2),
                ElementsAre("string_value \"" + text + "\"", R"(string_value "y")"))
        << size;
  }
}

TEST(EncodeTraces, WritesEveryFieldOfASpanItsEventsAndLinks) {
  const BatchPtr batch = MakeBatch(
      Signal::kTraces,
      {{TableKind::kSpans,
        {{"id", "[4]"},
         {"start_time_unix_nano", "[100]"},
         {"duration_time_unix_nano", "[-30]"},
         {"trace_id", R"(["0123456789abcdef"])"},
         {"span_id", R"(["01234567"])"},
         {"trace_state", R"(["t"])"},
         {"parent_span_id", R"(["76543210"])"},
         {"name", R"(["n"])"},
         {"kind", "[2]"},
         {"dropped_attributes_count", "[1]"},
         {"dropped_events_count", "[2]"},
         {"dropped_links_count", "[3]"},
         {"status", R"([{"code":2,"status_message":"bad"}])"},
         {"flags", "[256]"}}},
       {TableKind::kSpanAttrs, {{"parent_id", "[4]"}, {"key", R"(["a"])"}, {"type", "[0]"}}},
       {TableKind::kSpanEvents,
        {{"id", "[null,9]"},
         {"parent_id", "[4,4]"},
         {"time_unix_nano", "[1,2]"},
         {"name", R"(["e1","e2"])"},
         {"dropped_attributes_count", "[0,5]"}}},
       {TableKind::kSpanEventAttrs, {{"parent_id", "[9]"}, {"key", R"(["b"])"}, {"type", "[0]"}}},
       {TableKind::kSpanLinks,
        {{"id", "[7]"},
         {"parent_id", "[4]"},
         {"trace_id", R"(["0123456789abcdef"])"},
         {"span_id", R"(["01234567"])"},
         {"trace_state", R"(["l"])"},
         {"dropped_attributes_count", "[6]"},
         {"flags", "[3]"}}},
       {TableKind::kSpanLinkAttrs, {{"parent_id", "[7]"}, {"key", R"(["c"])"}, {"type", "[0]"}}}});
  EXPECT_EQ(Lines(*batch).at(2),
            R"(trace_id=30313233343536373839616263646566 span_id=3031323334353637 trace_state="t" )"
            R"(parent_span_id=3736353433323130 name="n" kind=2 start_time_unix_nano=100 )"
            R"(end_time_unix_nano=70 attributes=["a": empty] dropped_attributes_count=1 )"
            R"(events=[{time_unix_nano=1 name="e1"}, {time_unix_nano=2 name="e2" )"
            R"(attributes=["b": empty] dropped_attributes_count=5}] dropped_events_count=2 )"
            R"(links=[{trace_id=30313233343536373839616263646566 span_id=3031323334353637 )"
            R"(trace_state="l" attributes=["c": empty] dropped_attributes_count=6 flags=3}] )"
            R"(dropped_links_count=3 status={message="bad" code=2} flags=256)");
}

TEST(EncodeTraces, TheEndWrapsAroundWhereTheSumDoes) {
  const BatchPtr batch =
      MakeBatch(Signal::kTraces, {{TableKind::kSpans,
                                   {{"start_time_unix_nano", "[9223372036854775807,-1,0]"},
                                    {"duration_time_unix_nano", "[2,2,0]"}}}});
  const auto lines = Lines(*batch);
  EXPECT_EQ(lines.at(2),
            "start_time_unix_nano=9223372036854775807 end_time_unix_nano=9223372036854775809");
  EXPECT_EQ(lines.at(3), "start_time_unix_nano=18446744073709551615 end_time_unix_nano=1");
  EXPECT_EQ(lines.at(4), "");
}

TEST(EncodeMetrics, WritesTheDataOfEveryType) {
  const BatchPtr batch = MakeBatch(
      Signal::kMetrics,
      {{TableKind::kUnivariateMetrics,
        {{"id", "[0,1,2,3,4,5]"},
         {"metric_type", "[0,1,2,3,4,5]"},
         {"name", R"(["none","gauge","sum","hist","exp","summary"])"},
         {"description", R"(["d",null,null,null,null,null])"},
         {"unit", R"(["u",null,null,null,null,null])"},
         {"aggregation_temporality", "[null,null,2,1,1,null]"},
         {"is_monotonic", "[null,null,true,null,null,null]"}}},
       {TableKind::kMetricAttrs, {{"parent_id", "[0]"}, {"key", R"(["m"])"}, {"type", "[0]"}}},
       {TableKind::kNumberDataPoints,
        {{"id", "[0,1,2,3]"},
         {"parent_id", "[1,2,1,1]"},
         {"start_time_unix_nano", "[1,1,1,1]"},
         {"time_unix_nano", "[2,2,2,2]"},
         {"int_value", "[0,-5,null,null]"},
         {"double_value", "[null,null,-0.0,null]"},
         {"flags", "[1,0,0,0]"}}},
       {TableKind::kNumberDpAttrs, {{"parent_id", "[1]"}, {"key", R"(["p"])"}, {"type", "[0]"}}}});
  EXPECT_THAT(
      Lines(*batch),
      ElementsAre(
          "resource ", "scope ", R"(name="none" description="d" unit="u" metadata=["m": empty])",
          R"(name="gauge" gauge={data_points=[{start_time_unix_nano=1 time_unix_nano=2 as_double=-0.0}, )"
          R"({start_time_unix_nano=1 time_unix_nano=2 as_int=0 flags=1}, )"
          R"({start_time_unix_nano=1 time_unix_nano=2}]})",
          R"(name="sum" sum={data_points=[{start_time_unix_nano=1 time_unix_nano=2 as_int=-5 )"
          R"(attributes=["p": empty]}] aggregation_temporality=2 is_monotonic=true})",
          R"(name="hist" histogram={aggregation_temporality=1})",
          R"(name="exp" exponential_histogram={aggregation_temporality=1})",
          R"(name="summary" summary={})"));
}

TEST(EncodeMetrics, WritesEveryFieldOfHistogramsAndSummaries) {
  const BatchPtr batch = MakeBatch(
      Signal::kMetrics,
      {{TableKind::kUnivariateMetrics, {{"id", "[0,1,2]"}, {"metric_type", "[3,4,5]"}}},
       {TableKind::kHistogramDataPoints,
        {{"parent_id", "[0,0]"},
         {"count", "[3,0]"},
         {"sum", "[0.0,null]"},
         {"bucket_counts", "[[1,2],null]"},
         {"explicit_bounds", "[[0.5],[]]"},
         {"min", "[-1,null]"},
         {"max", "[0,null]"}}},
       {TableKind::kExpHistogramDataPoints,
        {{"parent_id", "[1,1]"},
         {"count", "[3,0]"},
         {"scale", "[-2,0]"},
         {"zero_count", "[1,0]"},
         {"positive", R"([{"offset":-3,"bucket_counts":[1,300]},null])"},
         {"negative", R"([{"offset":0,"bucket_counts":[]},null])"},
         {"min", "[0,null]"},
         {"zero_threshold", "[0.25,0]"}}},
       {TableKind::kSummaryDataPoints,
        {{"parent_id", "[2,2]"},
         {"count", "[2,0]"},
         {"sum", "[1.5,0]"},
         {"quantile", R"([[{"quantile":0.5,"value":2},{"quantile":1,"value":0}],[]])"}}}});
  EXPECT_THAT(
      Lines(*batch),
      ElementsAre("resource ", "scope ",
                  "histogram={data_points=[{count=3 sum=0 bucket_counts=[1, 2] "
                  "explicit_bounds=[0.5] min=-1 max=0}, {}]}",
                  "exponential_histogram={data_points=[{count=3 scale=-2 zero_count=1 "
                  "positive={offset=-3 bucket_counts=[1, 300]} min=0 zero_threshold=0.25}, {}]}",
                  "summary={data_points=[{count=2 sum=1.5 quantile_values=[{quantile=0.5 value=2}, "
                  "{quantile=1}]}, {}]}"));
  EXPECT_THAT(EncodeJson(*batch).ValueOrDie(), HasSubstr(R"("negative":{})"));
}

TEST(EncodeMetrics, ExemplarsBelongToTheirPointAndKeepTheirValues) {
  const BatchPtr batch = MakeBatch(
      Signal::kMetrics,
      {{TableKind::kUnivariateMetrics, {{"id", "[0]"}, {"metric_type", "[1]"}}},
       {TableKind::kNumberDataPoints, {{"id", "[8,9]"}, {"parent_id", "[0,0]"}}},
       {TableKind::kNumberDpExemplars,
        {{"id", "[0,1,2]"},
         {"parent_id", "[9,9,8]"},
         {"time_unix_nano", "[1,2,3]"},
         {"int_value", "[0,0,null]"},
         {"double_value", "[null,1.5,null]"},
         {"span_id", R"(["01234567","\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000",null])"},
         {"trace_id", R"(["0123456789abcdef",null,null])"}}},
       {TableKind::kNumberDpExemplarAttrs,
        {{"parent_id", "[1]"}, {"key", R"(["x"])"}, {"type", "[0]"}}}});
  EXPECT_EQ(Lines(*batch).at(2),
            "gauge={data_points=[{exemplars=[{time_unix_nano=1 span_id=3031323334353637 "
            "trace_id=30313233343536373839616263646566 as_int=0}, "
            "{time_unix_nano=2 as_double=1.5 filtered_attributes=[\"x\": empty]}]}, "
            "{exemplars=[{time_unix_nano=3}]}]}");
}

TEST(EncodeMetrics, DataThatCannotBeWrittenIsCounted) {
  const BatchPtr batch =
      MakeBatch(Signal::kMetrics,
                {{TableKind::kUnivariateMetrics, {{"id", "[0,1]"}, {"metric_type", "[1,9]"}}},
                 {TableKind::kNumberDataPoints, {{"parent_id", "[0,1,7]"}}},
                 {TableKind::kSummaryDataPoints, {{"parent_id", "[0]"}}}});
  EncodeStats stats;
  EXPECT_THAT(Lines(*batch, &stats),
              ElementsAre("resource ", "scope ", "gauge={data_points=[{}]}", ""));
  EXPECT_EQ(stats.items, 1);
  EXPECT_EQ(stats.unknown_metrics, 1);
  EXPECT_EQ(stats.unreachable_points, 3);
}

TEST(EncodeAny, ABatchWithoutRowsIsAnEmptyRequest) {
  const BatchPtr batch = MakeBatch(Signal::kLogs, {});
  EXPECT_EQ(EncodeRequest(*batch).ValueOrDie(), "");
  EXPECT_EQ(EncodeJson(*batch).ValueOrDie(), R"({"resourceLogs":[]})");
}

TEST(EncodeAny, TransportIdsAreRefused) {
  otap::BatchBuilder builder(Signal::kLogs, otap::IdEncoding::kTransport);
  EXPECT_TRUE(EncodeRequest(*builder.Build()).status().IsInvalid());
}

TEST(EncodeAny, AColumnOfAWrongTypeIsNamed) {
  const auto ids = arrow::json::ArrayFromJSONString(arrow::uint32(), "[1]").ValueOrDie();
  otap::BatchBuilder builder(Signal::kLogs);
  ASSERT_TRUE(builder
                  .Set(TableKind::kLogs,
                       arrow::RecordBatch::Make(arrow::schema({arrow::field("id", ids->type())}), 1,
                                                arrow::ArrayVector{ids}))
                  .ok());
  const auto status = EncodeRequest(*builder.Build()).status();
  EXPECT_TRUE(status.IsInvalid());
  EXPECT_THAT(status.message(), HasSubstr("column logs.id is uint32, expected uint16"));
}

TEST(EncodeAny, ANullInsideADictionaryIsANull) {
  for (const auto& index : {arrow::uint8(), arrow::uint16(), arrow::int32(), arrow::int64()}) {
    const auto type = arrow::dictionary(index, arrow::fixed_size_binary(8));
    const auto ids =
        arrow::json::DictArrayFromJSONString(type, "[2,1,0,2]", R"(["00000000",null,"11111111"])")
            .ValueOrDie()
            ->Slice(1);
    const auto schema = arrow::schema({arrow::field("span_id", type)});
    otap::BatchBuilder builder(Signal::kLogs);
    ASSERT_TRUE(
        builder.Set(TableKind::kLogs, arrow::RecordBatch::Make(schema, 3, arrow::ArrayVector{ids}))
            .ok());
    EXPECT_THAT(Lines(*builder.Build()),
                ElementsAre("resource ", "scope ", "", "span_id=3030303030303030",
                            "span_id=3131313131313131"))
        << index->ToString();
  }
}

TEST(EncodeJson, WritesNumbersIdsAndBytesAsOtlpJsonDoes) {
  const BatchPtr batch = MakeBatch(
      Signal::kLogs, {{TableKind::kLogs,
                       {{"id", "[0,1,2,3]"},
                        {"time_unix_nano", "[-1,0,0,0]"},
                        {"trace_id", R"(["0123456789abcdef",null,null,null])"},
                        {"severity_number", "[9,0,0,0]"},
                        {"body", R"([{"type":1,"str":"\"\\\u0001\né"},null,null,null])"}}},
                      {TableKind::kLogAttrs,
                       {{"parent_id", "[0,1,2,3]"},
                        {"key", R"(["i","d","b","n"])"},
                        {"type", "[2,3,7,3]"},
                        {"int", "[-9223372036854775808,null,null,null]"},
                        {"double", "[null,-0.0,null,Inf]"},
                        {"bytes", R"([null,null,"\u0001?\u0002>",null])"}}}});
  EXPECT_EQ(EncodeJson(*batch).ValueOrDie(),
            R"({"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":{},"logRecords":[)"
            R"({"timeUnixNano":"18446744073709551615","severityNumber":9,)"
            R"("body":{"stringValue":"\"\\\u0001\né"},)"
            R"("attributes":[{"key":"i","value":{"intValue":"-9223372036854775808"}}],)"
            R"("traceId":"30313233343536373839616263646566"},)"
            R"({"attributes":[{"key":"d","value":{"doubleValue":-0.0}}]},)"
            R"({"attributes":[{"key":"b","value":{"bytesValue":"AT8CPg=="}}]},)"
            R"({"attributes":[{"key":"n","value":{"doubleValue":"Infinity"}}]}]}]}]})");
}

TEST(EncodeJson, BytesThatAreNoTextAreReplacedAndCounted) {
  arrow::StringBuilder builder;
  ASSERT_TRUE(builder.Append("a\xFFz\xE2\x82").ok());
  const auto text = builder.Finish().ValueOrDie();
  otap::BatchBuilder batch(Signal::kLogs);
  ASSERT_TRUE(
      batch
          .Set(TableKind::kLogs,
               arrow::RecordBatch::Make(arrow::schema({arrow::field("event_name", arrow::utf8())}),
                                        1, arrow::ArrayVector{text}))
          .ok());
  EncodeStats stats;
  EXPECT_THAT(EncodeJson(*batch.Build(), &stats).ValueOrDie(),
              HasSubstr("\"eventName\":\"a\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\""));
  EXPECT_EQ(stats.replaced_texts, 1);
}

}  // namespace
}  // namespace df::otlp
