#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "otlp/encode.h"
#include "testing/random_batch.h"

namespace df::otlp {
namespace {

using otap::Signal;
using otap::TableKind;
using Columns = std::vector<std::pair<std::string, std::string>>;

void Set(otap::BatchBuilder* builder, TableKind kind, const Columns& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& [name, json] : columns) {
    const auto type = otap::NativeType(*otap::FindColumn(otap::GetTable(kind).columns, name));
    fields.push_back(arrow::field(name, type));
    arrays.push_back(arrow::json::ArrayFromJSONString(type, json).ValueOrDie());
  }
  ASSERT_TRUE(
      builder
          ->Set(kind, arrow::RecordBatch::Make(arrow::schema(fields), arrays[0]->length(), arrays))
          .ok());
}

otap::BatchPtr TwoLogs() {
  otap::BatchBuilder builder(Signal::kLogs);
  Set(&builder, TableKind::kLogs,
      {{"id", "[0,null]"},
       {"resource", R"([{"id":0,"schema_url":"u"},{"id":0,"schema_url":"u"}])"},
       {"scope", R"([{"name":"s"},{"name":"s"}])"},
       {"time_unix_nano", "[1790001004445685180,0]"},
       {"severity_text", R"(["INFO","WARN"])"},
       {"body", R"([{"type":1,"str":"two\nlines"},{"type":0}])"},
       {"trace_id", R"(["0123456789abcdef",null])"}});
  Set(&builder, TableKind::kLogAttrs,
      {{"parent_id", "[0,0]"}, {"key", R"(["k.a","k b"])"}, {"type", "[2,0]"}, {"int", "[7,0]"}});
  Set(&builder, TableKind::kResourceAttrs,
      {{"parent_id", "[0]"}, {"key", R"(["service.name"])"}, {"type", "[1]"}, {"str", R"(["x"])"}});
  return builder.Build();
}

TEST(EncodeText, LinesGivesALineToEveryRecord) {
  EXPECT_EQ(EncodeText(*TwoLogs(), TextLayout::kLines).ValueOrDie(),
            R"(resource attributes={service.name: "x"} schemaUrl="u"
  scope name="s"
    log timeUnixNano=2026-09-21T14:30:04.445685180Z severityText="INFO" body="two\nlines" )"
            R"(attributes={k.a: 7, "k b": empty} traceId=30313233343536373839616263646566
    log severityText="WARN" body=empty
)");
}

TEST(EncodeText, DetailedGivesALineToEveryField) {
  EXPECT_EQ(EncodeText(*TwoLogs(), TextLayout::kDetailed).ValueOrDie(), R"(resource
  attributes
    service.name: "x"
  schemaUrl: "u"
  scope
    name: "s"
    log
      timeUnixNano: 2026-09-21T14:30:04.445685180Z
      severityText: "INFO"
      body: "two\nlines"
      attributes
        k.a: 7
        "k b": empty
      traceId: 30313233343536373839616263646566
    log
      severityText: "WARN"
      body: empty
)");
}

otap::BatchPtr OneMetric() {
  otap::BatchBuilder builder(Signal::kMetrics);
  Set(&builder, TableKind::kUnivariateMetrics,
      {{"id", "[0]"},
       {"metric_type", "[3]"},
       {"name", R"(["m"])"},
       {"aggregation_temporality", "[2]"}});
  Set(&builder, TableKind::kHistogramDataPoints,
      {{"id", "[0,1]"},
       {"parent_id", "[0,0]"},
       {"count", "[3,0]"},
       {"bucket_counts", "[[1,2],[]]"},
       {"explicit_bounds", "[[0.5],[]]"}});
  Set(&builder, TableKind::kHistogramDpExemplars,
      {{"id", "[null,null]"},
       {"parent_id", "[1,1]"},
       {"time_unix_nano", "[0,0]"},
       {"int_value", "[4,5]"}});
  return builder.Build();
}

TEST(EncodeText, LinesGivesALineToEveryDataPoint) {
  EXPECT_EQ(EncodeText(*OneMetric(), TextLayout::kLines).ValueOrDie(), R"(resource
  scope
    metric name="m" histogram aggregationTemporality=2(cumulative)
        point count=3 bucketCounts=[1, 2] explicitBounds=[0.5]
        point exemplars=[{asInt=4}, {asInt=5}]
)");
}

TEST(EncodeText, DetailedShowsWhatIsInsideAPoint) {
  EXPECT_EQ(EncodeText(*OneMetric(), TextLayout::kDetailed).ValueOrDie(), R"(resource
  scope
    metric
      name: "m"
      histogram
        aggregationTemporality: 2(cumulative)
        point
          count: 3
          bucketCounts: [1, 2]
          explicitBounds: [0.5]
        point
          exemplars
            -
              asInt: 4
            -
              asInt: 5
)");
}

class RandomText : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomText, ::testing::Range(1, 31));

TEST_P(RandomText, LinesHasALineForEveryResourceScopeRecordAndPoint) {
  testing::RandomEngine rng(static_cast<uint64_t>(GetParam()));
  RecordProperty("seed", GetParam());
  const Signal signal = otap::kAllSignals[static_cast<size_t>(GetParam()) % 3];
  const otap::BatchPtr batch = testing::RandomBatch(signal, {}, rng);
  const std::string text = EncodeText(*batch, TextLayout::kLines).ValueOrDie();
  int64_t num_records = 0;
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    const std::string_view word = line.substr(std::min(line.find_first_not_of(' '), line.size()));
    EXPECT_TRUE(word.starts_with("resource") || word.starts_with("scope") ||
                word.starts_with("log") || word.starts_with("span") || word.starts_with("metric") ||
                word.starts_with("point"))
        << line;
    num_records += word.starts_with("log") || word.starts_with("span") || word.starts_with("point");
    begin = end + 1;
  }
  EXPECT_EQ(num_records, batch->num_items()) << "seed " << GetParam();
}

}  // namespace
}  // namespace df::otlp
