// What becomes of files of an object store that are replaced while they are read.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <arrow/compute/initialize.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/catalog/footer_cache.h"
#include "lake/queue/work_list.h"
#include "storage/store_failure.h"
#include "testing/lake_writer.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"
#include "testing/scripted_store.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::Answer;
using ::testing::HasSubstr;

constexpr size_t kFileBytes = 500'000;

/// Two versions of a tree with the same names; a store has the first, and some time the second.
class ReplacedTree : public ::testing::Test {
 protected:
  void SetUp() override {
    static const arrow::Status kInitialized = arrow::compute::Initialize();
    ASSERT_TRUE(kInitialized.ok());
    for (size_t version = 0; version < 2; ++version) {
      df::testing::RandomEngine random(version + 1);
      df::testing::RandomBatchOptions shape;
      shape.root_rows = 400;
      shape.missing_column = 0;
      shape.without_attributes = 1;  // one file has everything
      shape.group_attributes = false;
      batches_[version] = df::testing::RandomBatches(1, otap::Signal::kLogs, shape, random);
      df::testing::LakeWriterOptions layout;
      layout.layout = df::testing::LakeLayout::kOwn;
      layout.row_group_rows = 50;
      layout.partition_levels = 0;
      ASSERT_TRUE(df::testing::WriteLake(Folder(version), batches_[version], layout, 1).ok());
    }
    options_.signals = {otap::Signal::kLogs};
    options_.batch_size = 50;
    Put(0);
  }

  fs::path Folder(size_t version) const { return folder_.path() / std::to_string(version); }

  /// Replaces the tree by one of its versions; each table is one file, of the same name in both.
  void Put(size_t version) {
    for (const auto& entry : fs::recursive_directory_iterator(Folder(version))) {
      if (!entry.is_regular_file()) {
        continue;
      }
      std::ifstream file(entry.path(), std::ios::binary);
      std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
      // Of one size and time in a listing: between pages and footer there may be anything.
      uint32_t footer_bytes = 0;
      std::memcpy(&footer_bytes, bytes.data() + bytes.size() - 8, sizeof(footer_bytes));
      bytes.insert(bytes.size() - 8 - footer_bytes, kFileBytes - bytes.size(), '\0');
      const std::string folder = "b/lake/" + entry.path().parent_path().filename().string();
      ASSERT_TRUE(objects_->CreateDir(folder, true).ok());
      ASSERT_TRUE(objects_->CreateFile(folder + "/part-0.parquet", bytes).ok());
    }
  }

  std::unique_ptr<WorkList> List(FollowOptions follow) {
    return std::make_unique<WorkList>(store_, "b/lake", options_, follow, [this] { return now_; });
  }

  /// Reads all that a list gives out, at most `num_listings` of a tree that is followed.
  std::vector<otap::BatchPtr> Drain(WorkList* list, int num_listings) {
    std::vector<otap::BatchPtr> sent;
    MemoryBudget budget(options_.memory_limit_bytes);
    while (true) {
      auto taken = list->Take();
      EXPECT_TRUE(taken.ok()) << taken.status();
      if (!taken->work.has_value()) {
        if (!taken->wait_until.has_value() || --num_listings == 0) {
          return sent;
        }
        now_ = std::max(now_, *taken->wait_until);
        continue;
      }
      ReadReport report;
      std::vector<RootOutcome> outcomes;
      for (const PartitionTask& task : taken->work->tasks) {
        auto reader =
            PartitionReader::Make(store_.get(), "b/lake", task, options_, &budget, &report)
                .ValueOrDie();
        while (true) {
          auto payload = reader->Next();
          if (!payload.ok() || !payload->has_value()) {
            break;
          }
          const Origin& origin = (**payload).origin;
          sent.push_back((**payload).batch);
          task.claims[0]->Send(origin.row_group, origin.first_row, origin.num_rows).Ack();
        }
        outcomes.insert(outcomes.end(), reader->outcomes().begin(), reader->outcomes().end());
      }
      const Status sums = list->Done(outcomes, report).CheckConservation();
      EXPECT_TRUE(sums.ok()) << sums;
    }
  }

  /// The tree is replaced before request number `at` for the root file.
  void ReplaceAt(int64_t at) {
    is_replaced_ = false;
    script_ = [this, at, count = std::make_shared<int64_t>(0)](std::string_view operation,
                                                               const std::string& path) {
      if (operation != "write" && path.find("/logs/") != std::string::npos && (*count)++ == at) {
        is_replaced_ = true;
        Put(1);
      }
      return Answer::kWhole;
    };
  }

  static std::string Messages(const WorkList& list) {
    std::string messages;
    for (const Problem& problem : list.Report().problems) {
      messages += problem.message + "\n";
    }
    return messages;
  }

  bool is_replaced_ = false;
  df::testing::TemporaryFolder folder_;
  std::array<std::vector<otap::BatchPtr>, 2> batches_;
  std::function<Answer(std::string_view, const std::string&)> script_ =
      [](std::string_view, const std::string&) { return Answer::kWhole; };
  std::shared_ptr<df::testing::ScriptedStore> objects_ =
      std::make_shared<df::testing::ScriptedStore>(
          [this](std::string_view operation, const std::string& path) {
            return script_(operation, path);
          });
  std::shared_ptr<storage::Store> store_ = storage::Store::Over(
      {.kind = storage::StoreKind::kS3, .path = "b/lake"},
      {.read = {.request_bytes = 4096, .hole_bytes = 10, .tail_bytes = 64, .cache_bytes = 4096}},
      objects_, std::make_unique<df::testing::NoWaits>());
  ReadOptions options_;
  std::chrono::system_clock::time_point now_{std::chrono::seconds(1'800'000'000)};
};

TEST_F(ReplacedTree, GivesRecordsOfOneVersionAndNamesTheOthers) {
  int64_t num_named = 0;
  for (int64_t at = 0; at < 60; at += 3) {
    Put(0);
    ReplaceAt(at);
    const auto list = List({});
    const auto sent = Drain(list.get(), 100);
    script_ = [](std::string_view, const std::string&) { return Answer::kWhole; };
    const auto records = df::testing::CanonicalRecords(sent);
    const TableCounts roots = list->Report().table(otap::TableKind::kLogs);
    const std::string& messages = Messages(*list);
    if (records.size() == 400) {
      EXPECT_TRUE(records == df::testing::CanonicalRecords(batches_[0]) ||
                  records == df::testing::CanonicalRecords(batches_[1]))
          << "at request " << at;
    } else {
      EXPECT_THAT(messages, HasSubstr("replaced while it was read")) << "at request " << at;
      const auto first = df::testing::CanonicalRecords(batches_[0]);
      EXPECT_TRUE(std::includes(first.begin(), first.end(), records.begin(), records.end()));
      EXPECT_EQ(roots.dropped(DropReason::kUnreadable), 400 - std::ssize(records));
      ++num_named;
    }
  }
  EXPECT_GT(num_named, 0);
}

TEST_F(ReplacedTree, IsAskedForAgainAtTheNextListing) {
  const std::vector<std::string> second = df::testing::CanonicalRecords(batches_[1]);
  int64_t num_torn = 0;
  for (int64_t at = 0; at < 60; at += 3) {
    Put(0);
    ReplaceAt(at);
    const auto list = List({.polling_interval = std::chrono::seconds(60)});
    const auto records = df::testing::CanonicalRecords(Drain(list.get(), 6));
    script_ = [](std::string_view, const std::string&) { return Answer::kWhole; };
    if (!is_replaced_) {
      break;  // there were fewer requests
    }
    EXPECT_TRUE(std::includes(records.begin(), records.end(), second.begin(), second.end()))
        << "at request " << at << "\n"
        << Messages(*list);
    num_torn += records.size() > second.size() && records.size() < 2 * second.size() ? 1 : 0;
    if (records.size() > second.size() && records.size() < 2 * second.size()) {
      EXPECT_THAT(Messages(*list), HasSubstr("replaced while it was read"));
    }
  }
  EXPECT_GT(num_torn, 0);
}

// Nothing in a listing tells the two versions apart; their footers do.
TEST_F(ReplacedTree, ACacheThatKnowsTheFirstVersionGivesTheSecond) {
  std::string notice;
  const auto drain = [&] {
    const auto list = List({});
    auto cache = FooterCache::Open((folder_.path() / "cache").string(), "tree",
                                   [this] { return now_; }, &notice)
                     .ValueOrDie();
    EXPECT_TRUE(list->UseCache(cache, UnknownSchemas::kAccept).ok());
    const auto records = df::testing::CanonicalRecords(Drain(list.get(), 100));
    return std::pair(records, cache->counts());
  };
  EXPECT_EQ(drain().first, df::testing::CanonicalRecords(batches_[0]));
  const auto again = drain();
  EXPECT_EQ(again.first, df::testing::CanonicalRecords(batches_[0]));
  EXPECT_GT(again.second.found, 0);
  EXPECT_EQ(again.second.missing, 0);
  Put(1);
  const auto second = df::testing::CanonicalRecords(batches_[1]);
  const auto replaced = drain().first;
  EXPECT_TRUE(std::includes(second.begin(), second.end(), replaced.begin(), replaced.end()));
  EXPECT_EQ(drain().first, second);
}

TEST_F(ReplacedTree, WhatIsDeniedIsAskedForOnce) {
  int64_t num_asked = 0;
  script_ = [&](std::string_view operation, const std::string& path) {
    if (operation != "open" || path.find("/logs/") == std::string::npos) {
      return Answer::kWhole;
    }
    ++num_asked;
    return Answer::kDenied;
  };
  const auto list = List({});
  EXPECT_TRUE(Drain(list.get(), 1).empty());
  EXPECT_EQ(num_asked, 1);
  EXPECT_THAT(Messages(*list), HasSubstr("access denied"));
}

TEST(ReplacedFile, OfTheSameFooterIsNamedWhenItIsOpenedAgain) {
  df::testing::TemporaryFolder folder;
  df::testing::RandomEngine random(7);
  const auto sent = df::testing::RandomBatches(1, otap::Signal::kLogs, {}, random);
  df::testing::LakeWriterOptions layout;
  layout.partition_levels = 0;
  const auto written = df::testing::WriteLake(folder.path(), sent, layout, 1).ValueOrDie();
  const auto logs = std::find_if(written.files.begin(), written.files.end(), [](const auto& file) {
    return file.table == otap::TableKind::kLogs;
  });
  std::ifstream file(folder.path() / logs->path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto objects = std::make_shared<df::testing::ScriptedStore>(
      [](std::string_view, const std::string&) { return Answer::kWhole; });
  ASSERT_TRUE(objects->CreateDir("b/logs", true).ok());
  ASSERT_TRUE(objects->CreateFile("b/logs/f", bytes).ok());
  const auto store = storage::Store::Over({.kind = storage::StoreKind::kS3, .path = "b"},
                                          {.read = {.tail_bytes = 64}}, objects,
                                          std::make_unique<df::testing::NoWaits>());
  const FileEntry entry{.path = "logs/f", .size_bytes = std::ssize(bytes)};
  const auto summary = Summarise(*store, "b", entry, otap::TableKind::kLogs, "").ValueOrDie();
  ASSERT_TRUE(OpenSummarised(*store, "b", *summary, {}).ok());
  bytes[20] = static_cast<char>(bytes[20] ^ 1);  // of a page
  ASSERT_TRUE(objects->CreateFile("b/logs/f", bytes).ok());
  const auto opened = OpenSummarised(*store, "b", *summary, {});
  EXPECT_TRUE(storage::IsReplaced(opened.status())) << opened.status();
}

}  // namespace
}  // namespace df::lake
