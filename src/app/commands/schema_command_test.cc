#include "app/commands/schema_command.h"

#include <memory>

#include <gtest/gtest.h>

namespace df::app {
namespace {

TEST(DescribeSchemas, SaysWhatEachVersionChanged) {
  const auto schema = [](otap::TableKind table, std::vector<std::string> columns) {
    return std::make_shared<const lake::TableSchema>(lake::SchemaWith(table, std::move(columns)));
  };
  const auto first = schema(otap::TableKind::kLogs, {"id INT32 optional"});
  const auto second =
      schema(otap::TableKind::kLogs, {"id INT32 optional", "event_name BYTE_ARRAY optional"});
  const auto spans = schema(otap::TableKind::kSpans, {"id INT32 optional"});
  constexpr int64_t kNanos = 1'000'000'000;
  const std::string text = DescribeSchemas(
      {{.tree = "/lake",
        .num_files = 7,
        .versions = {{first, "logs/a.parquet", 0, "logs/b.parquet", 60 * kNanos},
                     {second, "logs/c.parquet", 120 * kNanos, "logs/c.parquet", 120 * kNanos},
                     {spans, "spans/a.parquet", 0, "spans/a.parquet", 0}}}});
  EXPECT_EQ(text,
            "/lake: footers of 7 files\n"
            "  logs " +
                first->fingerprint +
                ": 1 columns, from 1970-01-01T00:00:00Z logs/a.parquet to 1970-01-01T00:01:00Z "
                "logs/b.parquet\n"
                "  logs " +
                second->fingerprint +
                ": 2 columns, from 1970-01-01T00:02:00Z logs/c.parquet to 1970-01-01T00:02:00Z "
                "logs/c.parquet\n"
                "    added event_name (BYTE_ARRAY optional)\n"
                "  spans " +
                spans->fingerprint +
                ": 1 columns, from 1970-01-01T00:00:00Z spans/a.parquet to 1970-01-01T00:00:00Z "
                "spans/a.parquet\n");
}

}  // namespace
}  // namespace df::app
