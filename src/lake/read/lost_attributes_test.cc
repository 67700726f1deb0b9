// What a tree says when one file of its resource and scope attributes is gone.
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::CanonicalRecords;
using df::testing::LakeLayout;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;
using otap::TableKind;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

/// The batches without some tables.
std::vector<otap::BatchPtr> Without(const std::vector<otap::BatchPtr>& batches,
                                    const std::set<TableKind>& left_out) {
  std::vector<otap::BatchPtr> rest;
  for (const otap::BatchPtr& batch : batches) {
    otap::BatchBuilder builder(batch->signal());
    for (const otap::TableInfo& table : otap::AllTables()) {
      if (table.has_signal(batch->signal()) && !left_out.contains(table.kind)) {
        EXPECT_TRUE(builder.Set(table.kind, batch->table(table.kind)).ok());
      }
    }
    rest.push_back(builder.Build());
  }
  return rest;
}

/// Every record as it was sent, and without the attributes of its resource, its scope, or both.
std::set<std::string> RightRecords(const std::vector<otap::BatchPtr>& sent) {
  std::set<std::string> records;
  for (const auto& left_out :
       std::vector<std::set<TableKind>>{{},
                                        {TableKind::kResourceAttrs},
                                        {TableKind::kScopeAttrs},
                                        {TableKind::kResourceAttrs, TableKind::kScopeAttrs}}) {
    for (std::string& record : CanonicalRecords(Without(sent, left_out))) {
      records.insert(std::move(record));
    }
  }
  return records;
}

/// Whose files are imitated.
struct Writer {
  LakeLayout layout = LakeLayout::kUpstream;
  std::string created_by = "parquet-rs version 58.4.0";
};

df::testing::RandomBatchOptions ShapeFor(const Writer& writer) {
  df::testing::RandomBatchOptions shape;
  shape.root_rows = 15;
  shape.max_children = 1;
  shape.missing_column = 0;
  shape.null_struct = 0;
  shape.without_children = 0;
  shape.without_attributes = 0;
  shape.valueless_exemplars = false;
  shape.upstream_columns_only = writer.layout == LakeLayout::kUpstream;
  return shape;
}

int64_t NumSaid(const ReadReport& report) {
  return report.num_errors() + static_cast<int64_t>(report.notices.size());
}

/// Six batches of a writer, one a file in every table.
struct Tree {
  Tree(const Writer& writer, otap::Signal signal) {
    df::testing::RandomEngine random(1);
    sent = df::testing::RandomBatches(6, signal, ShapeFor(writer), random);
    df::testing::LakeWriterOptions layout;
    layout.layout = writer.layout;
    layout.created_by = writer.created_by;
    layout.root_rows_per_file = 1;
    layout.child_rows_per_file = 1;
    written = df::testing::WriteLake(folder.path(), sent, layout, 1).ValueOrDie();
  }

  std::vector<otap::BatchPtr> sent;
  TemporaryFolder folder;
  df::testing::WrittenLake written;
};

/// Every file of resource and scope attributes is taken away in turn.
TEST(LostAttributes, AFileThatIsGoneIsNamed) {
  for (const Writer& writer : {Writer{}, Writer{LakeLayout::kOwn, "other"}}) {
    for (const otap::Signal signal : otap::kAllSignals) {
      const Tree tree(writer, signal);
      const std::set<std::string> right = RightRecords(tree.sent);
      const Replayed whole = ReplayTree(tree.folder.path(), {});
      EXPECT_EQ(NumSaid(whole.report), 0);
      int num_taken = 0;
      for (const auto& file : tree.written.files) {
        if (file.table != TableKind::kResourceAttrs && file.table != TableKind::kScopeAttrs) {
          continue;
        }
        SCOPED_TRACE(file.path);
        fs::rename(tree.folder.path() / file.path, tree.folder.path() / "_aside");
        const Replayed replayed = ReplayTree(tree.folder.path(), {});
        fs::rename(tree.folder.path() / "_aside", tree.folder.path() / file.path);
        for (const std::string& record : CanonicalRecords(replayed.batches)) {
          ASSERT_TRUE(right.contains(record)) << "attributes of another batch: " << record;
        }
        EXPECT_EQ(replayed.report.num_errors(), 0);
        ASSERT_EQ(replayed.report.notices.size(), 1U);
        EXPECT_THAT(replayed.report.notices[0].message,
                    AllOf(HasSubstr("found no row of " +
                                    std::string(otap::GetTable(file.table).directory) + " for "),
                          HasSubstr(": a file may be missing"), HasSubstr("partition=_part_id=")));
        ++num_taken;
      }
      EXPECT_EQ(num_taken, 12);
    }
  }
}

/// A copied file of theirs must not give a record each attribute twice.
TEST(LostAttributes, AFileThatIsThereTwiceGivesNothingTwice) {
  for (const Writer& writer :
       {Writer{}, Writer{LakeLayout::kUpstream, "pyarrow"}, Writer{LakeLayout::kOwn, "other"}}) {
    for (const otap::Signal signal : otap::kAllSignals) {
      const Tree tree(writer, signal);
      const auto whole = CanonicalRecords(ReplayTree(tree.folder.path(), {}).batches);
      for (const auto& file : tree.written.files) {
        if (file.table != TableKind::kResourceAttrs && file.table != TableKind::kScopeAttrs) {
          continue;
        }
        SCOPED_TRACE(file.path);
        const fs::path copy =
            (tree.folder.path() / file.path).parent_path() / "part-z-copy.parquet";
        fs::copy_file(tree.folder.path() / file.path, copy);
        const Replayed replayed = ReplayTree(tree.folder.path(), {});
        fs::remove(copy);
        EXPECT_TRUE(CanonicalRecords(replayed.batches) == whole);
        EXPECT_EQ(replayed.report.num_errors(), 0);
        EXPECT_THAT(replayed.report.notices,
                    Contains(Field(&Problem::message, HasSubstr("has the bytes of"))));
      }
    }
  }
}

/// Batches of one resource and one scope, whose ids follow each other: only attributes show where
/// one of them starts.
std::vector<otap::BatchPtr> AlikeBatches(int count, otap::Signal signal, const Writer& writer) {
  df::testing::RandomBatchOptions shape = ShapeFor(writer);
  shape.root_rows = 15;
  shape.max_children = 0;
  shape.without_children = 1;
  shape.max_resources = 1;
  shape.max_scopes_per_resource = 1;
  df::testing::RandomEngine random(7);
  return df::testing::RandomBatches(count, signal, shape, random);
}

/// What came of a tree without one of its files of attributes.
struct Outcomes {
  int num_files = 0;
  int num_wrong = 0;   ///< rows with attributes of another batch
  int num_silent = 0;  ///< files
};

Outcomes TakeEachAway(const fs::path& base, const std::vector<otap::BatchPtr>& sent,
                      const df::testing::WrittenLake& written, TableKind table) {
  const std::set<std::string> right = RightRecords(sent);
  const Replayed whole = ReplayTree(base, {});
  EXPECT_EQ(whole.report.num_errors(), 0);
  Outcomes outcomes;
  for (const auto& file : written.files) {
    if (file.table != table) {
      continue;
    }
    ++outcomes.num_files;
    fs::rename(base / file.path, base / "_aside");
    const Replayed replayed = ReplayTree(base, {});
    fs::rename(base / "_aside", base / file.path);
    for (const std::string& record : CanonicalRecords(replayed.batches)) {
      outcomes.num_wrong += right.contains(record) ? 0 : 1;
    }
    outcomes.num_silent += NumSaid(replayed.report) == NumSaid(whole.report) ? 1 : 0;
  }
  return outcomes;
}

/// Files that were written anew one by one hold whole batches still.
TEST(LostAttributes, NoFileGoesOnWithABatchWhoseAttributesAreGone) {
  const Writer writer{LakeLayout::kUpstream, "pyarrow"};
  for (const otap::Signal signal : {otap::Signal::kLogs, otap::Signal::kTraces}) {
    for (const bool has_scopes : {true, false}) {
      SCOPED_TRACE(::testing::Message()
                   << "signal " << static_cast<int>(signal) << ", scopes " << has_scopes);
      auto sent = AlikeBatches(6, signal, writer);
      if (!has_scopes) {
        sent = Without(sent, {TableKind::kScopeAttrs});
      }
      df::testing::LakeWriterOptions layout;
      layout.created_by = writer.created_by;
      layout.root_rows_per_file = 1;  // one batch a file
      layout.child_rows_per_file = 1;
      TemporaryFolder folder;
      const auto written = df::testing::WriteLake(folder.path(), sent, layout, 1).ValueOrDie();
      const Outcomes outcomes =
          TakeEachAway(folder.path(), sent, written, TableKind::kResourceAttrs);
      EXPECT_EQ(outcomes.num_files, 6);
      EXPECT_EQ(outcomes.num_wrong, 0);
      EXPECT_EQ(outcomes.num_silent, 0);
    }
  }
}

/// A root file of many batches, beside files of attributes of several batches each.
TEST(LostAttributes, NoBatchGrowsByThoseWhoseAttributesAreGone) {
  for (const std::string created_by : {"parquet-rs version 58.4.0", "pyarrow"}) {
    for (const bool has_scopes : {true, false}) {
      SCOPED_TRACE(::testing::Message() << created_by << ", scopes " << has_scopes);
      const Writer writer{LakeLayout::kUpstream, created_by};
      auto sent = AlikeBatches(30, otap::Signal::kLogs, writer);
      if (!has_scopes) {
        sent = Without(sent, {TableKind::kScopeAttrs});
      }
      df::testing::LakeWriterOptions layout;
      layout.created_by = writer.created_by;
      layout.child_rows_per_file = 16;
      TemporaryFolder folder;
      const auto written = df::testing::WriteLake(folder.path(), sent, layout, 1).ValueOrDie();
      const Outcomes outcomes =
          TakeEachAway(folder.path(), sent, written, TableKind::kResourceAttrs);
      EXPECT_GT(outcomes.num_files, 2);
      EXPECT_LT(outcomes.num_files, 10);
      EXPECT_EQ(outcomes.num_wrong, 0);
      // Rows in front of all attributes look like one batch of a resource without any.
      EXPECT_LE(outcomes.num_silent, has_scopes ? 0 : 1);
    }
  }
}

}  // namespace
}  // namespace df::lake
