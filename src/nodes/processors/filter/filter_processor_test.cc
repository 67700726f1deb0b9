#include "nodes/processors/filter/filter_processor.h"

#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <arrow/compute/initialize.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/problems.h"
#include "otap/attribute_rows.h"
#include "otap/validate.h"
#include "testing/naive_join.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::nodes::processors::filter {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using otap::BatchPtr;
using otap::Signal;
using otap::TableKind;
using testing::Cell;
using testing::CellColumn;
using testing::CellTable;
using ::testing::HasSubstr;
using testing::RandomEngine;

uint64_t FirstSeed() {
  const char* given = std::getenv("DF_TEST_SEED");
  return given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
}

std::string Document(const std::string& config) {
  return fmt::format(R"({{nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [filter]}}}}}},
      filter: {{kind: processor, plugin_urn: "urn:otel:processor:filter",
               out_ports: {{out: {{destinations: [sink]}}}}, config: {{{}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                     config);
}

std::string Problem(const std::string& config) {
  return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
}

/// The ids of rows of a naive batch for which a test holds.
using Ids = std::set<uint64_t>;

/// A batch as plain rows.
class NaiveBatch {
 public:
  explicit NaiveBatch(const otap::Batch& batch) {
    for (const otap::TableInfo& info : otap::AllTables()) {
      if (batch.table(info.kind) != nullptr) {
        tables_[info.kind] = testing::ReadCells(*batch.table(info.kind)).ValueOrDie();
      }
    }
  }

  CellTable& table(TableKind kind) { return tables_[kind]; }

  Cell At(TableKind kind, const std::string& column, int64_t row) {
    const CellColumn* found = FindCells(tables_[kind].columns, column);
    return found == nullptr ? Cell() : found->cells[static_cast<size_t>(row)];
  }

  Cell Child(TableKind kind, const std::string& group, const std::string& column, int64_t row) {
    const CellColumn* found = FindCells(tables_[kind].columns, group);
    if (found == nullptr || IsNull(found->cells[static_cast<size_t>(row)])) {
      return Cell();
    }
    const CellColumn* child = FindCells(found->children, column);
    return child == nullptr ? Cell() : child->cells[static_cast<size_t>(row)];
  }

  /// Parents of a row of which the test holds.
  Ids ParentsWhere(TableKind kind, const std::function<bool(int64_t row)>& test) {
    Ids parents;
    for (int64_t row = 0; row < tables_[kind].num_rows; ++row) {
      if (test(row)) {
        parents.insert(std::get<uint64_t>(At(kind, "parent_id", row)));
      }
    }
    return parents;
  }

  Ids ParentsWithText(TableKind kind, const std::string& key, const std::string& text) {
    return ParentsWhere(kind, [&](int64_t row) {
      return Text(At(kind, "key", row)) == key && At(kind, "type", row) == Cell(uint64_t{1}) &&
             Text(At(kind, "str", row)) == text;
    });
  }

  static std::string Text(const Cell& cell) {
    return IsNull(cell) ? "" : std::get<std::string>(cell);
  }
  static bool Has(const Ids& ids, const Cell& id) {
    return !IsNull(id) && ids.contains(std::get<uint64_t>(id));
  }

 private:
  std::map<TableKind, CellTable> tables_;
};

/// A key and text that some row of a table of attributes has, or something that none has.
AttributeMatch DrawAttribute(RandomEngine& rng, NaiveBatch& batch, TableKind kind) {
  for (int i = 0; i < 20 && batch.table(kind).num_rows > 0; ++i) {
    const int64_t row = testing::Between(rng, 0, batch.table(kind).num_rows - 1);
    if (batch.At(kind, "type", row) == Cell(uint64_t{1})) {
      return {NaiveBatch::Text(batch.At(kind, "key", row)),
              NaiveBatch::Text(batch.At(kind, "str", row))};
    }
  }
  return {"none", std::string("none")};
}

const std::string& TextOf(const AttributeMatch& match) {
  return std::get<std::string>(*match.value);
}

/// Compares a filter with the naive choice of root rows.
void ExpectRoots(const BatchPtr& batch, const FilterConfig& config,
                 const std::function<bool(int64_t row)>& keeps) {
  otap::RowSet rows(batch->num_root_rows());
  rows.SetWhere(keeps);
  const BatchPtr expected = otap::FilterRoots(batch, rows).ValueOrDie();
  Unanswered unanswered;
  const auto filtered = RecordFilter::Make(config).ValueOrDie().Apply(batch, &unanswered);
  ASSERT_TRUE(filtered.ok()) << filtered.status();
  ASSERT_EQ(*filtered == nullptr, expected == nullptr);
  if (expected != nullptr) {
    EXPECT_TRUE(otap::Validate(**filtered).ok());
    EXPECT_EQ(testing::DescribeDifference(testing::CanonicalRecords({expected}),
                                          testing::CanonicalRecords({*filtered})),
              "");
  }
}

class FilterTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};

TEST_F(FilterTest, ChoosesLogsAsANaiveSearchDoes) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomEngine rng(seed);
    testing::RandomBatchOptions options;
    options.values.distinct_texts = 5;
    const BatchPtr batch = testing::RandomBatch(Signal::kLogs, options, rng);
    NaiveBatch naive(*batch);
    LogMatch match;
    const bool is_include = testing::Chance(rng, 0.5);
    if (testing::Chance(rng, 0.5)) {
      match.resource_attributes = {DrawAttribute(rng, naive, TableKind::kResourceAttrs)};
    }
    if (testing::Chance(rng, 0.5) || match.resource_attributes.empty()) {
      match.record_attributes = {DrawAttribute(rng, naive, TableKind::kLogAttrs),
                                 DrawAttribute(rng, naive, TableKind::kLogAttrs)};
    }
    if (testing::Chance(rng, 0.3)) {
      match.severity_number =
          SeverityMatch{testing::Between(rng, 1, 24), testing::Chance(rng, 0.5)};
    }
    if (testing::Chance(rng, 0.3)) {
      match.severity_texts = {NaiveBatch::Text(naive.At(TableKind::kLogs, "severity_text", 0)),
                              "other"};
    }
    if (testing::Chance(rng, 0.3)) {
      match.bodies = {NaiveBatch::Text(naive.Child(TableKind::kLogs, "body", "str", 1))};
    }
    Ids with_resource;
    for (const AttributeMatch& wanted : match.resource_attributes) {
      with_resource = naive.ParentsWithText(TableKind::kResourceAttrs, wanted.key, TextOf(wanted));
    }
    Ids with_attribute;
    for (const AttributeMatch& wanted : match.record_attributes) {
      with_attribute.merge(naive.ParentsWithText(TableKind::kLogAttrs, wanted.key, TextOf(wanted)));
    }
    const auto matches = [&](int64_t row) {
      const auto at = [&](const char* column) { return naive.At(TableKind::kLogs, column, row); };
      const auto body = [&](const char* column) {
        return naive.Child(TableKind::kLogs, "body", column, row);
      };
      const Cell severity = at("severity_number");
      const int64_t number = IsNull(severity) ? 0 : std::get<int64_t>(severity);
      return (match.resource_attributes.empty() ||
              NaiveBatch::Has(with_resource,
                              naive.Child(TableKind::kLogs, "resource", "id", row))) &&
             (match.record_attributes.empty() || NaiveBatch::Has(with_attribute, at("id"))) &&
             (!match.severity_number.has_value() ||
              (number == 0 ? match.severity_number->match_undefined
                           : number >= match.severity_number->min)) &&
             (match.severity_texts.empty() ||
              NaiveBatch::Text(at("severity_text")) == match.severity_texts[0] ||
              NaiveBatch::Text(at("severity_text")) == "other") &&
             (match.bodies.empty() || (body("type") == Cell(uint64_t{1}) &&
                                       NaiveBatch::Text(body("str")) == match.bodies[0]));
    };
    FilterConfig config;
    (is_include ? config.logs.include : config.logs.exclude) = match;
    ExpectRoots(batch, config, [&](int64_t row) { return matches(row) == is_include; });
  }
}

TEST_F(FilterTest, ChoosesSpansAsANaiveSearchDoes) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomEngine rng(seed);
    testing::RandomBatchOptions options;
    options.values.distinct_texts = 5;
    const BatchPtr batch = testing::RandomBatch(Signal::kTraces, options, rng);
    NaiveBatch naive(*batch);
    TraceMatch match;
    const int64_t criterion = testing::Between(rng, 0, 4);
    std::function<bool(int64_t)> matches;
    const auto id_in = [&naive](const Ids& ids) {
      return [&naive, ids](int64_t row) {
        return NaiveBatch::Has(ids, naive.At(TableKind::kSpans, "id", row));
      };
    };
    if (criterion == 0) {
      match.span_attributes = {DrawAttribute(rng, naive, TableKind::kSpanAttrs)};
      matches = id_in(naive.ParentsWithText(TableKind::kSpanAttrs, match.span_attributes[0].key,
                                            TextOf(match.span_attributes[0])));
    } else if (criterion == 1) {
      match.span_names = {NaiveBatch::Text(naive.At(TableKind::kSpans, "name", 0))};
      matches = [&](int64_t row) {
        return NaiveBatch::Text(naive.At(TableKind::kSpans, "name", row)) == match.span_names[0];
      };
    } else if (criterion == 2 && naive.table(TableKind::kSpanEvents).num_rows > 0) {
      match.event_names = {NaiveBatch::Text(naive.At(TableKind::kSpanEvents, "name", 0))};
      matches = id_in(naive.ParentsWhere(TableKind::kSpanEvents, [&](int64_t row) {
        return NaiveBatch::Text(naive.At(TableKind::kSpanEvents, "name", row)) ==
               match.event_names[0];
      }));
    } else {
      const bool is_event = criterion == 3;
      const TableKind child = is_event ? TableKind::kSpanEvents : TableKind::kSpanLinks;
      const TableKind attributes =
          is_event ? TableKind::kSpanEventAttrs : TableKind::kSpanLinkAttrs;
      const AttributeMatch wanted = DrawAttribute(rng, naive, attributes);
      (is_event ? match.event_attributes : match.link_attributes) = {wanted};
      const Ids with = naive.ParentsWithText(attributes, wanted.key, TextOf(wanted));
      matches = id_in(naive.ParentsWhere(
          child, [&](int64_t row) { return NaiveBatch::Has(with, naive.At(child, "id", row)); }));
    }
    FilterConfig config;
    config.traces.include = match;
    ExpectRoots(batch, config, matches);
    config = {};
    config.traces.exclude = match;
    ExpectRoots(batch, config, [&](int64_t row) { return !matches(row); });
  }
}

TEST_F(FilterTest, ChoosesDataPointsByAttribute) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomEngine rng(seed);
    testing::RandomBatchOptions options;
    options.values.distinct_texts = 4;
    const BatchPtr batch = testing::RandomBatch(Signal::kMetrics, options, rng);
    NaiveBatch naive(*batch);
    MetricMatch match;
    match.datapoint_attributes = {DrawAttribute(rng, naive, TableKind::kNumberDpAttrs)};
    int64_t num_matching = 0;
    for (const auto& [points, attributes] :
         {std::pair(TableKind::kNumberDataPoints, TableKind::kNumberDpAttrs),
          std::pair(TableKind::kSummaryDataPoints, TableKind::kSummaryDpAttrs),
          std::pair(TableKind::kHistogramDataPoints, TableKind::kHistogramDpAttrs),
          std::pair(TableKind::kExpHistogramDataPoints, TableKind::kExpHistogramDpAttrs)}) {
      const Ids with = naive.ParentsWithText(attributes, match.datapoint_attributes[0].key,
                                             TextOf(match.datapoint_attributes[0]));
      for (int64_t row = 0; row < naive.table(points).num_rows; ++row) {
        num_matching += NaiveBatch::Has(with, naive.At(points, "id", row)) ? 1 : 0;
      }
    }
    FilterConfig config;
    Unanswered unanswered;
    config.metrics.include = match;
    const BatchPtr kept = RecordFilter::Make(config)->Apply(batch, &unanswered).ValueOrDie();
    config = {};
    config.metrics.exclude = match;
    const BatchPtr rest = RecordFilter::Make(config)->Apply(batch, &unanswered).ValueOrDie();
    EXPECT_EQ(kept == nullptr ? 0 : kept->num_items(), num_matching);
    EXPECT_EQ(rest == nullptr ? 0 : rest->num_items(), batch->num_items() - num_matching);
    std::vector<std::string> together;
    for (const BatchPtr& part : {kept, rest}) {
      if (part != nullptr) {
        EXPECT_TRUE(otap::Validate(*part).ok());
        const auto records = testing::CanonicalRecords({part});
        together.insert(together.end(), records.begin(), records.end());
      }
    }
    std::sort(together.begin(), together.end());
    EXPECT_EQ(testing::DescribeDifference(testing::CanonicalRecords({batch}), together), "");
  }
}

TEST_F(FilterTest, DropsByNameAndCountsAndAcksWhatIsEmpty) {
  testing::PipelineHarness harness(
      Document("metrics: {include: {match_type: regexp, metric_names: [no such name at all]}}"),
      {&kDescriptor});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  RandomEngine rng(FirstSeed());
  const BatchPtr metrics = testing::RandomBatch(Signal::kMetrics, {}, rng);
  harness.source().Send(metrics);
  harness.source().Send(testing::SmallLogs(3));
  harness.source().End();
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.source().outcomes.at(0).is_ack);
  ASSERT_EQ(harness.sink().taken.size(), 1U);
  EXPECT_EQ(harness.sink().taken[0]->signal(), Signal::kLogs);
  const auto dropped = [&](const char* signal) {
    return harness.metric("filter", "df.processor.filter.items.dropped", {{"signal", signal}});
  };
  EXPECT_EQ(dropped("metrics"), metrics->num_items());
  EXPECT_EQ(dropped("logs"), 0);
}

/// Items whose time a test holds for, counted row by row.
int64_t CountTimes(const BatchPtr& batch, TableKind table, const std::string& column,
                   const std::function<bool(int64_t)>& test) {
  NaiveBatch naive(*batch);
  int64_t count = 0;
  for (int64_t row = 0; row < naive.table(table).num_rows; ++row) {
    const Cell cell = naive.At(table, column, row);
    count += test(IsNull(cell) ? 0 : std::get<int64_t>(cell)) ? 1 : 0;
  }
  return count;
}

TEST_F(FilterTest, ChoosesSpansAndDataPointsByTime) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomEngine rng(seed);
    const BatchPtr spans = testing::RandomBatch(Signal::kTraces, {}, rng);
    const BatchPtr metrics = testing::RandomBatch(Signal::kMetrics, {}, rng);
    NaiveBatch naive(*spans);
    const Cell some = naive.At(TableKind::kSpans, "start_time_unix_nano",
                               testing::Between(rng, 0, spans->num_root_rows() - 1));
    const int64_t border = IsNull(some) ? 0 : std::get<int64_t>(some);
    const auto is_later = [border](int64_t time) { return time >= border; };
    FilterConfig config;
    config.traces.include = TraceMatch{.min_time = border};
    config.metrics.exclude = MetricMatch{.max_time = border - 1};
    const RecordFilter filter = RecordFilter::Make(config).ValueOrDie();
    Unanswered unanswered;
    const BatchPtr kept_spans = filter.Apply(spans, &unanswered).ValueOrDie();
    EXPECT_EQ(kept_spans == nullptr ? 0 : kept_spans->num_items(),
              CountTimes(spans, TableKind::kSpans, "start_time_unix_nano", is_later));
    const BatchPtr kept = filter.Apply(metrics, &unanswered).ValueOrDie();
    int64_t num_later = 0;
    for (const TableKind points :
         {TableKind::kNumberDataPoints, TableKind::kSummaryDataPoints,
          TableKind::kHistogramDataPoints, TableKind::kExpHistogramDataPoints}) {
      num_later += CountTimes(metrics, points, "time_unix_nano", is_later);
    }
    EXPECT_EQ(kept == nullptr ? 0 : kept->num_items(), num_later);
  }
}

TEST_F(FilterTest, AConditionWithoutAnAnswerMatchesNothingAndIsCounted) {
  for (const auto& [side, num_kept] : {std::pair("include", 0), std::pair("exclude", 3)}) {
    testing::PipelineHarness harness(
        Document(fmt::format(
            "logs: {{{}: {{where: 'HasPrefix(attributes[\"no such key\"], \"a\")'}}}}", side)),
        {&kDescriptor});
    ASSERT_TRUE(harness.status().ok()) << harness.status();
    harness.source().Send(testing::SmallLogs(3));
    harness.source().End();
    harness.RunUntilIdle();
    int64_t num_items = 0;
    for (const BatchPtr& batch : harness.sink().taken) {
      num_items += batch->num_items();
    }
    EXPECT_EQ(num_items, num_kept) << side;
    EXPECT_EQ(
        harness.metric("filter", "df.processor.filter.items.unanswered", {{"signal", "logs"}}), 3)
        << side;
  }
}

BatchPtr LogsAt(const std::vector<int64_t>& times) {
  arrow::TimestampBuilder builder(arrow::timestamp(arrow::TimeUnit::NANO),
                                  arrow::default_memory_pool());
  EXPECT_TRUE(builder.AppendValues(times).ok());
  const auto column = builder.Finish().ValueOrDie();
  otap::BatchBuilder batch(Signal::kLogs);
  EXPECT_TRUE(batch
                  .Set(TableKind::kLogs,
                       arrow::RecordBatch::Make(
                           arrow::schema({arrow::field("time_unix_nano", column->type())}),
                           column->length(), {column}))
                  .ok());
  return batch.Build();
}

TEST_F(FilterTest, KeepsATimeRangeWithBothEnds) {
  testing::PipelineHarness harness(
      Document("logs: {include: {min_time: '1970-01-01T00:00:01Z', max_time: 2000000000}}"),
      {&kDescriptor});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.source().Send(LogsAt({999'999'999, 1'000'000'000, 2'000'000'000, 2'000'000'001}));
  harness.source().End();
  harness.RunUntilIdle();
  ASSERT_EQ(harness.sink().taken.size(), 1U);
  EXPECT_EQ(harness.sink().taken[0]->num_items(), 2);
}

TEST_F(FilterTest, RefusesBadDocumentsWithTheirPlace) {
  EXPECT_THAT(Problem("logs: {include: {match_type: regexp, bodies: ['a', 'b(']}}"),
              ::testing::AllOf(HasSubstr("bodies[1]"), HasSubstr("missing )")));
  EXPECT_THAT(Problem("traces: {exclude: {match_type: regexp, "
                      "span_attributes: [{key: a, value: '[z-a]'}]}}"),
              ::testing::AllOf(HasSubstr("span_attributes[0].value"), HasSubstr("at character 2")));
  EXPECT_THAT(Problem("logs: {include: {bodies: ['b(']}}"), "");
  EXPECT_THAT(Problem("traces: {include: {where: 'knd == 1'}}"),
              ::testing::AllOf(HasSubstr("traces.include.where"), HasSubstr("1:1: found 'knd'"),
                               HasSubstr("did you mean 'kind'?")));
  EXPECT_THAT(Problem("logs: {include: {}}"), HasSubstr("no criterion"));
  EXPECT_THAT(Problem("logs: {include: {span_names: [a]}}"), HasSubstr("unknown key"));
  EXPECT_THAT(Problem("logs: {include: {min_time: yesterday}}"), HasSubstr("a time like"));
  EXPECT_THAT(Problem("logs: {include: {min_time: '2025-01-31T12:00:00'}}"),
              HasSubstr("a time like"));
  EXPECT_THAT(Problem("logs: {include: {min_time: 2, max_time: 1}}"), HasSubstr("later than"));
  EXPECT_THAT(Problem("logs: {include: {severity_number: {min: 25}}}"), HasSubstr("1..24"));
  EXPECT_THAT(Problem("metrics: {include: {datapoint_attributes: [{value: 1}]}}"),
              HasSubstr("'key' is missing"));
}

}  // namespace
}  // namespace df::nodes::processors::filter
