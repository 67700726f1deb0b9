#include "app/commands/trace_tree.h"

#include <algorithm>
#include <random>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::app {
namespace {

using ::testing::HasSubstr;

TraceSpan Span(const std::string& id, const std::string& parent, int64_t start, int64_t end) {
  TraceSpan span;
  span.span_id = id;
  span.parent_id = parent;
  span.start = start;
  span.end = end;
  span.name = "name-" + id;
  span.service = "cart";
  return span;
}

/// "a, .b, ..c, .d!" : depth by dots, '!' for one whose parent is not there.
std::string Shape(const std::vector<TraceSpan>& spans) {
  std::string shape;
  for (const TreeLine& line : OrderTree(spans)) {
    shape += (shape.empty() ? "" : ", ") + std::string(static_cast<size_t>(line.depth), '.') +
             spans[line.span].span_id + (line.is_detached ? "!" : "");
  }
  return shape;
}

TEST(TraceTreeTest, ChildrenStandBelowTheirParentsByTheirStart) {
  EXPECT_EQ(Shape({Span("d", "a", 30, 40), Span("c", "b", 12, 13), Span("b", "a", 10, 20),
                   Span("a", "", 0, 50)}),
            "a, .b, ..c, .d");
}

TEST(TraceTreeTest, SpansWhoseParentIsNotThereAreRoots) {
  EXPECT_EQ(Shape({Span("b", "x", 10, 20), Span("c", "b", 11, 12), Span("a", "", 0, 50)}),
            "a, b!, .c");
  EXPECT_EQ(Shape({Span("b", "b", 10, 20)}), "b!") << "its own parent";
}

TEST(TraceTreeTest, CirclesAndDoubledIdsEnd) {
  EXPECT_EQ(Shape({Span("a", "c", 0, 1), Span("b", "a", 1, 2), Span("c", "b", 2, 3)}),
            "a!, .b, ..c");
  EXPECT_EQ(Shape({Span("a", "", 0, 9), Span("a", "", 1, 9), Span("b", "a", 2, 3)}), "a, .b, a");
}

TEST(TraceTreeTest, EverySpanStandsOnce) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const size_t count = random() % 30;
    std::vector<TraceSpan> spans;
    for (size_t i = 0; i < count; ++i) {
      const auto name = [&] { return fmt::format("{}", random() % (count + 1)); };
      spans.push_back(
          Span(name(), random() % 5 == 0 ? "" : name(), static_cast<int64_t>(random() % 50), 50));
    }
    std::set<size_t> seen;
    for (const TreeLine& line : OrderTree(spans)) {
      EXPECT_TRUE(seen.insert(line.span).second);
    }
    EXPECT_EQ(seen.size(), count);
  }
}

TEST(TraceTreeTest, ADeepTraceIsDrawn) {
  Trace trace;
  for (int i = 0; i < 100'000; ++i) {
    trace.spans.push_back(Span(fmt::format("{}", i), i == 0 ? "" : fmt::format("{}", i - 1), i, i));
  }
  const std::string text = DrawTrace(trace, 16, false);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 100'001);
}

TEST(TraceTreeTest, BarsAndLogRecordsStandWhereTheyBelong) {
  Trace trace;
  trace.id = "7c46";
  trace.spans = {Span("a", "", 1'000'000'000, 2'000'000'000),
                 Span("b", "a", 1'500'000'000, 1'750'000'000)};
  trace.spans[1].error = "ERROR: boom";
  trace.logs = {{.span_id = "b", .time = 1, .line = "of b", .json = ""},
                {.span_id = "", .time = 1, .line = "of none", .json = ""},
                {.span_id = "z", .time = 1, .line = "of another", .json = ""}};
  EXPECT_EQ(DrawTrace(trace, 8, false),
            "7c46  2 spans, 3 log records, 1 services, 1s, from 1970-01-01 00:00:01.000Z\n"
            "  00:00:01.000  name-a    cart  |########| 1s\n"
            "  00:00:01.500    name-b  cart  |    ##  | 250ms  ERROR: boom\n"
            "        of b\n"
            "  of none\n"
            "  of another  (its span is not there)\n");
}

}  // namespace
}  // namespace df::app
