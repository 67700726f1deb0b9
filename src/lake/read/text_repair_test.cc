// Text that is not UTF-8 costs its value only.
#include <string>
#include <vector>

#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/cell.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::Cell;
using df::testing::CellTable;
using ::testing::HasSubstr;

constexpr std::string_view kBad = "caf\xE9 \xF0\x9F\x92";
constexpr std::string_view kMended = "caf\xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD";

/// Returns the batch with a text in some rows of a column of one of its tables.
otap::BatchPtr WithText(const otap::BatchPtr& batch, otap::TableKind kind, const std::string& path,
                        const std::vector<size_t>& rows, std::string_view text) {
  otap::BatchBuilder builder(batch->signal());
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (batch->table(table.kind) == nullptr) {
      continue;
    }
    CellTable cells = df::testing::ReadCells(*batch->table(table.kind)).ValueOrDie();
    if (table.kind == kind) {
      df::testing::VisitLeaves(
          cells, [&](const std::string& leaf, df::testing::CellColumn& column) {
            for (const size_t row : leaf == path ? rows : std::vector<size_t>()) {
              column.cells[row] = Cell(std::string(text));
            }
            if (leaf == path) {
              column.type = arrow::utf8();
            }
          });
    }
    EXPECT_TRUE(builder.Set(table.kind, df::testing::BuildRecords(cells).ValueOrDie()).ok());
  }
  return builder.Build();
}

struct Place {
  otap::TableKind kind;
  std::string path;
};

class TextRepair : public ::testing::TestWithParam<df::testing::ValueEncoding> {};

TEST_P(TextRepair, CostsTheValueAndIsCountedAndNamedOncePerFile) {
  df::testing::RandomEngine random(11);
  df::testing::RandomBatchOptions shape;
  shape.root_rows = 200;
  shape.missing_column = 0;
  const auto clean = df::testing::RandomBatch(otap::Signal::kLogs, shape, random);
  const std::vector<size_t> rows = {3, 4, 17};
  for (const Place& place :
       {Place{otap::TableKind::kLogs, "severity_text"}, Place{otap::TableKind::kLogs, "scope.name"},
        Place{otap::TableKind::kLogAttrs, "key"}, Place{otap::TableKind::kLogAttrs, "str"}}) {
    SCOPED_TRACE(place.path);
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.encoding = GetParam();
    df::testing::TemporaryFolder folder;
    const auto written = df::testing::WriteLake(
        folder.path(), {WithText(clean, place.kind, place.path, rows, kBad)}, layout, 3);
    ASSERT_TRUE(written.ok()) << written.status();
    ReadOptions options;
    options.signals = {otap::Signal::kLogs};
    options.batch_size = 64;
    const auto replayed = df::testing::ReplayTree(folder.path(), options);
    df::testing::ExpectSameRecords({WithText(clean, place.kind, place.path, rows, kMended)},
                                   replayed);
    EXPECT_EQ(replayed.report.table(place.kind).replaced_texts, std::ssize(rows));
    ASSERT_EQ(replayed.report.problems.size(), 1U);
    EXPECT_EQ(replayed.report.problems[0].count, std::ssize(rows));
    EXPECT_THAT(replayed.report.problems[0].message,
                HasSubstr("column " + place.path + ": text that is not UTF-8"));
    EXPECT_THAT(replayed.report.problems[0].message, HasSubstr("file="));
  }
}

INSTANTIATE_TEST_SUITE_P(Encodings, TextRepair,
                         ::testing::Values(df::testing::ValueEncoding::kDictionary,
                                           df::testing::ValueEncoding::kPlain,
                                           df::testing::ValueEncoding::kDelta));

/// Two halves of a character in two values make valid text only together.
TEST(TextRepair, HalvesOfACharacterAreNoText) {
  df::testing::RandomEngine random(12);
  df::testing::RandomBatchOptions shape;
  shape.root_rows = 2;
  shape.missing_column = 0;
  const auto clean = df::testing::RandomBatch(otap::Signal::kLogs, shape, random);
  const auto split = WithText(WithText(clean, otap::TableKind::kLogs, "event_name", {0}, "a\xC3"),
                              otap::TableKind::kLogs, "event_name", {1}, "\xA9z");
  for (const auto encoding :
       {df::testing::ValueEncoding::kDictionary, df::testing::ValueEncoding::kPlain}) {
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.encoding = encoding;
    df::testing::TemporaryFolder folder;
    ASSERT_TRUE(df::testing::WriteLake(folder.path(), {split}, layout, 3).ok());
    const auto replayed = df::testing::ReplayTree(folder.path(), {});
    EXPECT_EQ(replayed.report.table(otap::TableKind::kLogs).replaced_texts, 2);
  }
}

}  // namespace
}  // namespace df::lake
