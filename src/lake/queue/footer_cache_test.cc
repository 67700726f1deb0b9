#include "lake/catalog/footer_cache.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/catalog/database.h"
#include "lake/catalog/summary_codec.h"
#include "lake/queue/work_list.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FooterCacheTest : public ::testing::Test {
 protected:
  FooterCacheTest() {
    options_.signals = {otap::Signal::kLogs, otap::Signal::kTraces};
    Write(1);
  }

  fs::path base() const { return folder_.path() / "lake"; }
  fs::path directory() const { return folder_.path() / "cache"; }
  fs::path file() const { return directory() / FooterCache::kFileName; }

  /// Adds records of a seed in folders of their own.
  void Write(uint64_t seed, bool has_extra_columns = false) {
    df::testing::RandomEngine random(seed);
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 60;
    shape.missing_column = 0;
    for (const otap::Signal signal : options_.signals) {
      df::testing::LakeWriterOptions layout;
      layout.layout =
          seed % 2 == 0 ? df::testing::LakeLayout::kUpstream : df::testing::LakeLayout::kOwn;
      layout.row_group_rows = 20;
      layout.extra_columns = has_extra_columns;
      ASSERT_TRUE(df::testing::WriteLake(
                      base(), df::testing::RandomBatches(2, signal, shape, random), layout, seed)
                      .ok());
    }
  }

  std::shared_ptr<FooterCache> Open(std::string* notice = nullptr) {
    std::string ignored;
    auto cache = FooterCache::Open(
        directory().string(), "tree", [this] { return now_; },
        notice == nullptr ? &ignored : notice);
    EXPECT_TRUE(cache.ok()) << cache.status();
    return cache.ok() ? *cache : nullptr;
  }

  struct Run {
    FooterCache::Counts counts;
    std::vector<std::string> summaries;
    std::vector<std::string> problems;
    std::vector<std::string> notices;
  };

  /// Takes all work as a receiver would, with a cache that was opened for it.
  Run TakeAll(UnknownSchemas policy = UnknownSchemas::kAccept,
              std::shared_ptr<FooterCache> cache = nullptr) {
    Run run;
    cache = cache == nullptr ? Open() : std::move(cache);
    {
      WorkList list(storage::Store::Local(), base().string(), options_, {},
                    [this] { return now_; });
      EXPECT_TRUE(list.UseCache(cache, policy).ok());
      while (true) {
        const auto taken = list.Take().ValueOrDie();
        if (!taken.work.has_value()) {
          EXPECT_FALSE(taken.wait_until.has_value());
          break;
        }
        for (const auto& table : taken.work->files->tables) {
          for (const FileSummaryPtr& file : table) {
            run.summaries.push_back(file->entry.path + "\n" + EncodeSummary(*file));
          }
        }
      }
      for (const Problem& problem : list.Report().problems) {
        run.problems.push_back(problem.message);
      }
      for (const Problem& notice : list.Report().notices) {
        run.notices.push_back(notice.message);
      }
    }
    run.counts = cache->counts();
    EXPECT_TRUE(cache->failure().ok()) << cache->failure();
    return run;
  }

  std::string ReadDatabase() const {
    std::ifstream stream(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }
  void WriteDatabase(const std::string& bytes) const {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << bytes;
    fs::remove(file().string() + "-wal");
    fs::remove(file().string() + "-shm");
  }

  df::testing::TemporaryFolder folder_;
  ReadOptions options_;
  std::chrono::system_clock::time_point now_ =
      std::chrono::system_clock::now() + std::chrono::hours(1);
};

TEST_F(FooterCacheTest, ASecondRunReadsNoFooterAndKnowsTheSame) {
  Write(2);
  const Run first = TakeAll();
  const auto num_files = std::ssize(first.summaries);
  ASSERT_GT(num_files, 20);
  EXPECT_EQ(first.counts.found, 0);
  EXPECT_EQ(first.counts.missing, num_files);
  EXPECT_EQ(first.counts.kept, num_files);
  const Run second = TakeAll();
  EXPECT_EQ(second.counts.found, num_files);
  EXPECT_EQ(second.counts.missing, 0);
  EXPECT_EQ(second.summaries, first.summaries);
  EXPECT_EQ(second.notices, first.notices);
  EXPECT_EQ(second.problems, first.problems);
}

TEST_F(FooterCacheTest, ADecodedSummaryHasEveryField) {
  SchemaRegistry schemas;
  FileSummary file;
  file.kind = otap::TableKind::kSpans;
  file.schema = schemas.Intern(SchemaWith(file.kind, {"id INT32 optional"}));
  file.digest = "digest";
  file.has_partition_scope_ids = true;
  file.is_parquet_rs = true;
  file.holds_dead_letters = true;
  file.file_set = "set";
  file.rows_of_set = {{otap::TableKind::kSpanAttrs, 7}, {otap::TableKind::kSpanLinks, 0}};
  file.num_repaired_columns = 3;
  file.notices = {MakeError(ErrorKind::kParquet, "a notice", {.file = "f"})};
  file.problems = {MakeError(ErrorKind::kIo, "a problem", {}, /*retryable=*/true)};
  file.row_groups.push_back({.num_rows = 5,
                             .num_bytes = 6,
                             .parent_ids = IdRange{1, 2},
                             .claims_null_parents = true,
                             .ids = IdRange{3, UINT32_MAX},
                             .resource_ids = kEmptyIdRange,
                             .scope_ids = IdRange{0, 0},
                             .times = EventTimeRange{INT64_MIN, INT64_MAX}});
  file.row_groups.push_back({.num_rows = 0});
  const auto read = DecodeSummary(EncodeSummary(file), file.kind, schemas);
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->kind, file.kind);
  EXPECT_EQ(read->schema, file.schema);
  EXPECT_EQ(read->digest, "digest");
  EXPECT_TRUE(read->has_partition_scope_ids);
  EXPECT_TRUE(read->is_parquet_rs);
  EXPECT_TRUE(read->holds_dead_letters);
  EXPECT_EQ(read->file_set, "set");
  EXPECT_EQ(read->rows_of_set, file.rows_of_set);
  EXPECT_EQ(read->num_repaired_columns, 3);
  ASSERT_EQ(read->notices.size(), 1U);
  EXPECT_EQ(read->notices[0].message(), "a notice [file=f]");
  EXPECT_EQ(KindOf(read->notices[0]), ErrorKind::kParquet);
  ASSERT_EQ(read->problems.size(), 1U);
  EXPECT_TRUE(IsRetryable(read->problems[0]));
  ASSERT_EQ(read->row_groups.size(), 2U);
  const RowGroupSummary& group = read->row_groups[0];
  EXPECT_EQ(group.num_rows, 5);
  EXPECT_EQ(group.num_bytes, 6);
  EXPECT_EQ(group.parent_ids->max, 2U);
  EXPECT_TRUE(group.claims_null_parents);
  EXPECT_EQ(group.ids->max, UINT32_MAX);
  EXPECT_EQ(group.resource_ids->min, kEmptyIdRange.min);
  EXPECT_EQ(group.resource_ids->max, kEmptyIdRange.max);
  EXPECT_EQ(group.scope_ids->max, 0U);
  EXPECT_EQ(group.times->least, INT64_MIN);
  EXPECT_EQ(group.times->most, INT64_MAX);
  EXPECT_FALSE(read->row_groups[1].ids.has_value());
  EXPECT_FALSE(read->row_groups[1].times.has_value());
  // Of another table, or with a schema that nobody knows, it is nothing.
  EXPECT_EQ(DecodeSummary(EncodeSummary(file), otap::TableKind::kLogs, schemas), nullptr);
  EXPECT_EQ(DecodeSummary(EncodeSummary(file), file.kind, SchemaRegistry()), nullptr);
}

TEST_F(FooterCacheTest, AFileThatChangedIsReadAnew) {
  const Run first = TakeAll();
  const std::string path = first.summaries[0].substr(0, first.summaries[0].find('\n'));
  fs::last_write_time(base() / path, fs::last_write_time(base() / path) - std::chrono::hours(1));
  const Run second = TakeAll();
  EXPECT_EQ(second.counts.missing, 1);
  EXPECT_EQ(second.summaries, first.summaries);
}

TEST_F(FooterCacheTest, AFileThatMayStillChangeIsNotKept) {
  now_ = std::chrono::system_clock::now();
  for (const auto& entry : fs::recursive_directory_iterator(base())) {
    if (entry.is_regular_file()) {
      fs::last_write_time(entry.path(), std::chrono::file_clock::from_sys(now_));
    }
  }
  now_ += std::chrono::seconds(1);
  EXPECT_EQ(TakeAll().counts.kept, 0);
  now_ += std::chrono::hours(1);
  EXPECT_EQ(TakeAll().counts.found, 0);
  EXPECT_EQ(TakeAll().counts.missing, 0);
}

TEST_F(FooterCacheTest, AForgottenFileIsReadAnewByAll) {
  const Run first = TakeAll();
  const std::string path = first.summaries[0].substr(0, first.summaries[0].find('\n'));
  const auto cache = Open();
  cache->Forget(path);
  const Run second = TakeAll(UnknownSchemas::kAccept, cache);
  EXPECT_EQ(second.counts.missing, 1);
  EXPECT_EQ(second.counts.kept, 1);
  Open()->Forget(path);  // and written when it closes
  EXPECT_EQ(TakeAll().counts.missing, 1);
}

TEST_F(FooterCacheTest, FilesThatAreGoneAreRemoved) {
  SchemaRegistry schemas;
  FileSummary file;
  file.digest = "digest";
  file.schema = schemas.Intern(SchemaWith(file.kind, {}));
  const auto cache = Open();
  for (int i = 0; i < 1300; ++i) {
    file.entry.path = "logs/" + std::to_string(i);
    cache->Keep(file);
  }
  ASSERT_TRUE(cache->Write(&schemas).ok());
  const auto num_files = [this] {
    const auto trees = FooterCache::ReadSchemas(directory().string()).ValueOrDie();
    return trees.size() == 1 && trees[0].tree == "tree" ? trees[0].num_files : -1;
  };
  LakeListing listing;
  listing.partitions.emplace_back();
  listing.partitions[0].tables[otap::TableIndex(file.kind)].push_back({.path = "logs/7"});
  listing.num_files = 200;
  cache->Prune(listing);
  EXPECT_EQ(num_files(), 1300) << "so many more may stay";
  listing.num_files = 100;
  cache->Prune(listing);
  EXPECT_EQ(num_files(), 1);
  EXPECT_TRUE(cache->failure().ok()) << cache->failure();
}

TEST_F(FooterCacheTest, WhatIsNoDatabaseIsSetAside) {
  const Run first = TakeAll();
  WriteDatabase(std::string(5000, 'x'));
  std::string notice;
  const auto cache = Open(&notice);
  EXPECT_THAT(notice, AllOf(HasSubstr("was damaged"), HasSubstr("footers.sqlite.damaged")));
  EXPECT_TRUE(fs::exists(file().string() + ".damaged"));
  const Run second = TakeAll(UnknownSchemas::kAccept, cache);
  EXPECT_EQ(second.counts.found, 0);
  EXPECT_EQ(second.summaries, first.summaries);
  EXPECT_EQ(TakeAll().counts.missing, 0);
}

TEST_F(FooterCacheTest, ANewerFormatIsRefusedAndAnOlderOneReadAnew) {
  TakeAll();
  const auto set_format = [this](int format) {
    bool is_damaged = false;
    auto database = Database::Open(file().string(), false, &is_damaged).ValueOrDie();
    ASSERT_TRUE(database->Run(("PRAGMA user_version=" + std::to_string(format)).c_str()).ok());
  };
  set_format(kSummaryFormat + 1);
  std::string notice;
  const auto refused =
      FooterCache::Open(directory().string(), "tree", [this] { return now_; }, &notice);
  EXPECT_THAT(refused.status().message(),
              AllOf(HasSubstr("a newer version of this program"), HasSubstr("footers.sqlite")));
  set_format(-1);
  EXPECT_NE(Open(&notice), nullptr);
  EXPECT_THAT(notice, HasSubstr("of an older version"));
  EXPECT_EQ(TakeAll().counts.found, 0);
}

TEST_F(FooterCacheTest, DamageNeverGivesAnotherSummary) {
  const Run first = TakeAll();
  std::map<std::string, FileEntry> entries;
  const auto store = storage::Store::Local();
  const LakeListing listing = ListLake(*store, base().string(), options_.signals).ValueOrDie();
  for (const PartitionListing& partition : listing.partitions) {
    for (const auto& table : partition.tables) {
      for (const FileEntry& entry : table) {
        entries.emplace(entry.path, entry);
      }
    }
  }
  const std::string good = ReadDatabase();
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  df::testing::RandomEngine random(seed);
  int64_t num_not_found = 0;
  int64_t num_found = 0;
  for (int i = 0; i < 150; ++i) {
    std::string bad = good;
    for (int flips = 0; flips < 3; ++flips) {
      bad[100 + random() % (bad.size() - 100)] ^= static_cast<char>(1U << random() % 8);
    }
    WriteDatabase(bad);
    std::string notice;
    const auto cache =
        FooterCache::Open(directory().string(), "tree", [this] { return now_; }, &notice);
    if (!cache.ok()) {
      continue;  // named, and the node does not start
    }
    SchemaRegistry schemas;
    if (!(*cache)->RestoreSchemas(&schemas).ok()) {
      continue;
    }
    for (const std::string& summary : first.summaries) {
      const std::string path = summary.substr(0, summary.find('\n'));
      const auto* table = otap::FindTable(path.substr(0, path.find('/')));
      const auto found = (*cache)->Find(entries.at(path), table->kind, schemas);
      num_not_found += found == nullptr ? 1 : 0;
      if (found != nullptr) {
        ++num_found;
        EXPECT_EQ(path + "\n" + EncodeSummary(*found), summary);
      }
    }
  }
  EXPECT_GT(num_not_found, 0) << "no flip hit a summary";
  EXPECT_GT(num_found, 0) << "no database gave any";
}

TEST_F(FooterCacheTest, SchemasAreKnownFromRunToRun) {
  EXPECT_THAT(TakeAll(UnknownSchemas::kWarn).notices, IsEmpty()) << "of each table one schema";
  Write(2, true);
  const Run warned = TakeAll(UnknownSchemas::kWarn);
  EXPECT_THAT(warned.notices,
              ::testing::Contains(AllOf(HasSubstr("found schema "), HasSubstr("added "),
                                        HasSubstr("beside "), HasSubstr("table=logs"))));
  for (const std::string& notice : TakeAll(UnknownSchemas::kWarn).notices) {
    EXPECT_THAT(notice, ::testing::Not(HasSubstr("found schema"))) << "it is known now";
  }
  const auto trees = FooterCache::ReadSchemas(directory().string()).ValueOrDie();
  int64_t num_of_logs = 0;
  for (const SchemaVersion& version : trees.at(0).versions) {
    num_of_logs += version.schema->table == otap::TableKind::kLogs ? 1 : 0;
    EXPECT_TRUE(fs::exists(base() / version.first_file));
    EXPECT_LE(version.first_modified_nanos, version.last_modified_nanos);
  }
  EXPECT_GE(num_of_logs, 2);
}

TEST_F(FooterCacheTest, UnknownSchemasAreRefused) {
  const Run nothing = TakeAll(UnknownSchemas::kRefuse);
  EXPECT_THAT(nothing.summaries, IsEmpty());
  EXPECT_THAT(nothing.problems,
              ::testing::Contains(HasSubstr("no schema of this table is known yet")));
  const Run accepted = TakeAll();
  EXPECT_EQ(TakeAll(UnknownSchemas::kRefuse).summaries, accepted.summaries);
  Write(2, true);
  const Run refused = TakeAll(UnknownSchemas::kRefuse);
  EXPECT_EQ(refused.summaries, accepted.summaries) << "the others are read as before";
  EXPECT_THAT(refused.problems, ::testing::Contains(AllOf(
                                    HasSubstr("which no file of the table has had before"),
                                    HasSubstr("The file is not read"), HasSubstr("table=spans"))));
  EXPECT_GT(TakeAll().summaries.size(), accepted.summaries.size());
}

TEST(SchemaRegistry, KnowsABoundedNumber) {
  SchemaRegistry schemas;
  FileSummary file;
  const auto schema = [](size_t i) {
    return SchemaWith(otap::TableKind::kLogs, {std::to_string(i)});
  };
  for (size_t i = 0; i < SchemaRegistry::kMostSchemas; ++i) {
    file.schema = schemas.Intern(schema(i));
    file.entry = {.path = std::to_string(i), .modified_nanos = static_cast<int64_t>(i)};
    ASSERT_NE(file.schema, nullptr);
    const auto news = schemas.Admit(file, "", UnknownSchemas::kWarn).ValueOrDie();
    ASSERT_EQ(news.has_value(), i > 0);
    if (i > 0) {
      ASSERT_THAT(news->message(), HasSubstr(" of " + std::to_string(i - 1) + ":"));
    }
  }
  EXPECT_EQ(schemas.Intern(schema(SchemaRegistry::kMostSchemas)), nullptr);
  EXPECT_NE(schemas.Intern(schema(7)), nullptr);
}

TEST(TableSchema, TellsWhatHasChanged) {
  const auto schema = [](std::vector<std::string> columns) {
    return SchemaWith(otap::TableKind::kLogs, std::move(columns));
  };
  const TableSchema before = schema({"id INT32 optional", "flags INT32 optional"});
  EXPECT_EQ(DescribeChange(before, before), "nothing");
  EXPECT_EQ(DescribeChange(before, schema({"flags INT32 optional", "id INT32 optional"})),
            "the order of its columns");
  EXPECT_EQ(DescribeChange(before, schema({"id INT64 optional", "event_name BYTE_ARRAY optional"})),
            "added event_name (BYTE_ARRAY optional); id is INT64 optional and was INT32 optional; "
            "removed flags");
  std::vector<std::string> many;
  for (char name = 'a'; name < 'a' + 12; ++name) {
    many.push_back(std::string(1, name) + " INT32 optional");
  }
  EXPECT_THAT(DescribeChange(schema({}), schema(many)), HasSubstr("; and 4 more"));
}

}  // namespace
}  // namespace df::lake
