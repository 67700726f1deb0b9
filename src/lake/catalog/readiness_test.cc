#include "lake/catalog/readiness.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace df::lake {
namespace {

using otap::TableKind;

std::shared_ptr<FileSummary> File(TableKind kind, std::optional<IdRange> ids,
                                  std::optional<IdRange> parent_ids, std::string set = "") {
  auto file = std::make_shared<FileSummary>();
  file->kind = kind;
  file->file_set = std::move(set);
  file->row_groups.push_back({.num_rows = 10});
  file->row_groups[0].ids = ids;
  file->row_groups[0].parent_ids = parent_ids;
  return file;
}

TEST(MayBelongTo, FollowsTheIdsFromTableToTable) {
  std::vector<FileSummaryPtr> events = {
      File(TableKind::kSpanEvents, IdRange{0, 9}, IdRange{100, 109}),
      File(TableKind::kSpanEvents, IdRange{10, 19}, IdRange{200, 209})};
  const auto early = File(TableKind::kSpans, IdRange{100, 150}, std::nullopt);
  const auto late = File(TableKind::kSpans, IdRange{200, 250}, std::nullopt);
  const auto may = [&](const FileSummary& child, const FileSummary& root) {
    return MayBelongTo(child, root, FindRootIds(child, root.kind, [&](TableKind kind) {
                         return kind == TableKind::kSpanEvents ? events
                                                               : std::vector<FileSummaryPtr>();
                       }));
  };
  const auto attributes = File(TableKind::kSpanEventAttrs, std::nullopt, IdRange{12, 14});
  EXPECT_FALSE(may(*attributes, *early));
  EXPECT_TRUE(may(*attributes, *late));
  EXPECT_TRUE(may(*events[0], *early));
  EXPECT_FALSE(may(*events[0], *late));
  EXPECT_FALSE(may(*attributes, *File(TableKind::kLogs, IdRange{200, 250}, std::nullopt)));
  EXPECT_TRUE(may(*attributes, *File(TableKind::kSpans, std::nullopt, std::nullopt)))
      << "without statistics any row may be meant";
  events.push_back(File(TableKind::kSpanEvents, std::nullopt, IdRange{120, 121}));
  EXPECT_TRUE(may(*attributes, *early)) << "these may be events 12 to 14, too";
  events.back() = File(TableKind::kSpanEvents, IdRange{12, 14}, IdRange{120, 121}, "of a set");
  EXPECT_FALSE(may(*attributes, *early)) << "of another root";
}

TEST(MayBelongTo, FilesOfASetBelongToItsRoot) {
  const auto root = File(TableKind::kLogs, IdRange{0, 9}, std::nullopt, "one");
  const auto may = [&](const FileSummary& child) {
    return MayBelongTo(child, *root, FindRootIds(child, root->kind, [](TableKind) {
                         return std::vector<FileSummaryPtr>();
                       }));
  };
  EXPECT_TRUE(may(*File(TableKind::kLogAttrs, std::nullopt, IdRange{50, 60}, "one")));
  EXPECT_FALSE(may(*File(TableKind::kLogAttrs, std::nullopt, IdRange{0, 9}, "two")));
  EXPECT_FALSE(may(*File(TableKind::kLogAttrs, std::nullopt, IdRange{0, 9})));
}

TEST(SetCensus, CountsTheRowsOfEachSet) {
  PartitionFiles files;
  const auto root = File(TableKind::kLogs, IdRange{0, 9}, std::nullopt, "one");
  files.of(TableKind::kLogs) = {root};
  files.of(TableKind::kLogAttrs) = {File(TableKind::kLogAttrs, std::nullopt, IdRange{0, 9}, "one"),
                                    File(TableKind::kLogAttrs, std::nullopt, IdRange{0, 9}, "one"),
                                    File(TableKind::kLogAttrs, std::nullopt, IdRange{0, 9}, "two")};
  EXPECT_FALSE(SetCensus(files).HasWhole(*root)) << "it does not say what belongs to it";
  root->rows_of_set = {{TableKind::kLogAttrs, 20}};
  const SetCensus census(files);
  EXPECT_EQ(census.RowsOf("one", TableKind::kLogAttrs), 20);
  EXPECT_EQ(census.RowsOf("two", TableKind::kLogAttrs), 10);
  EXPECT_EQ(census.RowsOf("three", TableKind::kLogAttrs), 0);
  EXPECT_TRUE(census.HasWhole(*root));
  EXPECT_TRUE(census.HasOthers(TableKind::kLogAttrs)) << "no root names the set 'two'";
  EXPECT_FALSE(census.HasOthers(TableKind::kLogs));
  root->rows_of_set = {{TableKind::kLogAttrs, 30}};
  EXPECT_FALSE(SetCensus(files).HasWhole(*root));
}

}  // namespace
}  // namespace df::lake
