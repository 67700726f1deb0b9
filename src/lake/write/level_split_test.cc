// Files in folders of times: a slice of a day reads its hours, and nothing is lost between them.
#include "lake/write/level_split.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>

#include "lake/queue/work_list.h"
#include "lake/write/signal_writer.h"
#include "select/selector.h"
#include "testing/levelled_lake.h"
#include "testing/random_batch.h"
#include "testing/table_rewrites.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::BatchesWithTimes;
using df::testing::Draw;
using df::testing::ExpectSameRecords;
using df::testing::kHour;
using df::testing::kMidnight;
using df::testing::RandomEngine;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;
using df::testing::WithTimes;
using df::testing::WriteHours;
using ::testing::Contains;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

constexpr int64_t kHalfHour = kHour / 2;

std::shared_ptr<const select::Selector> Slice(std::optional<int64_t> from,
                                              std::optional<int64_t> to) {
  select::Wishes wishes;
  wishes.time.from = from;
  wishes.time.to = to;
  return std::make_shared<const select::Selector>(wishes);
}

std::vector<otap::BatchPtr> SelectInMemory(const std::vector<otap::BatchPtr>& batches,
                                           const select::Selector& selector) {
  std::vector<otap::BatchPtr> selected;
  for (const otap::BatchPtr& batch : batches) {
    if (auto kept = selector.Select(batch).ValueOrDie(); kept.batch != nullptr) {
      selected.push_back(std::move(kept.batch));
    }
  }
  return selected;
}

/// Reads a slice and compares it with that of what was written.
Replayed ExpectSlice(const std::vector<otap::BatchPtr>& sent, const fs::path& base,
                     std::optional<int64_t> from, std::optional<int64_t> to) {
  ReadOptions options;
  options.selector = Slice(from, to);
  Replayed replayed = ReplayTree(base, options);
  EXPECT_EQ(replayed.report.num_errors(), 0) << df::testing::Messages(replayed);
  ExpectSameRecords(SelectInMemory(sent, *options.selector), replayed);
  return replayed;
}

int64_t CountItems(const std::vector<otap::BatchPtr>& batches) {
  int64_t sum = 0;
  for (const otap::BatchPtr& batch : batches) {
    sum += batch->num_items();
  }
  return sum;
}

/// The folders of times of a table, as paths.
std::set<std::string> Levels(const fs::path& table) {
  std::set<std::string> levels;
  for (const auto& entry : fs::recursive_directory_iterator(table)) {
    if (entry.is_regular_file() && entry.path().extension() == ".parquet") {
      levels.insert(entry.path().parent_path().parent_path().lexically_relative(table).string());
    }
  }
  return levels;
}

class LevelledSignals : public ::testing::TestWithParam<otap::Signal> {};

TEST_P(LevelledSignals, HalfHoursOfADayAreDisjointAndTheWhole) {
  RandomEngine random(31);
  // Half of the times are borders of slices, or a nanosecond off.
  const Draw draw = [&]() -> std::optional<int64_t> {
    if (random() % 12 == 0) {
      return std::nullopt;
    }
    const auto slice = static_cast<int64_t>(random() % 48);
    return kMidnight + slice * kHalfHour +
           (random() % 2 == 0 ? static_cast<int64_t>(random() % 2)
                              : kHalfHour - 1 - static_cast<int64_t>(random() % 2));
  };
  // Batches of one signal come in order of time, but for some rows.
  const auto sent = BatchesWithTimes(3, GetParam(), draw, random);
  TemporaryFolder folder;
  const auto store = MakeLocalStore(folder.path());
  const df::testing::WriteOutcomes outcomes = WriteHours(store.get(), sent, 2);
  EXPECT_EQ(outcomes.num_acked, std::ssize(sent));
  int64_t num_items = 0;
  int64_t num_folders_skipped = 0;
  for (int64_t slice = 0; slice < 48; ++slice) {
    const int64_t from = kMidnight + slice * kHalfHour;
    const Replayed replayed = ExpectSlice(sent, folder.path(), from, from + kHalfHour);
    num_items += CountItems(replayed.batches);
    num_folders_skipped += replayed.num_folders_skipped;
  }
  // Points without time are before all of them.
  num_items += CountItems(ExpectSlice(sent, folder.path(), std::nullopt, kMidnight).batches);
  EXPECT_EQ(num_items, CountItems(sent));
  EXPECT_GT(num_folders_skipped, 0);
  const Replayed whole = ReplayTree(folder.path(), {});
  EXPECT_EQ(CountItems(whole.batches), CountItems(sent));
  EXPECT_EQ(whole.num_folders_skipped, 0);
  if (GetParam() != otap::Signal::kMetrics) {  // a metric stands in the hour of each point
    ExpectSameRecords(sent, whole);
  }
}

TEST_P(LevelledSignals, ABatchOfManyHoursIsCutByFewOfThem) {
  RandomEngine random(32);
  const Draw draw = [&] {
    return std::optional(kMidnight + static_cast<int64_t>(random() % 10'000) * kHour);
  };
  const auto sent = BatchesWithTimes(1, GetParam(), draw, random);
  TemporaryFolder folder;
  const auto store = MakeLocalStore(folder.path());
  EXPECT_EQ(WriteHours(store.get(), sent, 1).num_acked, 1);
  const std::set<std::string> levels =
      Levels(folder.path() / otap::GetTable(otap::RootTable(GetParam())).directory);
  EXPECT_LE(levels.size(), kMostLevels + 1);
  EXPECT_THAT(levels, Contains("date=mixed/hour=mixed"));
  ExpectSlice(sent, folder.path(), kMidnight + 100 * kHour, kMidnight + 5'000 * kHour);
  EXPECT_EQ(CountItems(ReplayTree(folder.path(), {}).batches), CountItems(sent));
}

TEST_P(LevelledSignals, ABatchWithRowsOfNoRecordIsWrittenWhole) {
  RandomEngine random(37);
  const Draw draw = [&] {
    return std::optional(kMidnight + static_cast<int64_t>(random() % 4) * kHour);
  };
  const auto whole = BatchesWithTimes(1, GetParam(), draw, random)[0];
  const otap::TableKind root = otap::RootTable(GetParam());
  otap::BatchBuilder builder(GetParam());
  for (const otap::TableInfo& info : otap::AllTables()) {
    if (const auto& rows = whole->table(info.kind); rows != nullptr) {
      const bool is_cut = info.kind == root;
      EXPECT_TRUE(
          builder.Set(info.kind, is_cut ? rows->Slice(0, rows->num_rows() / 2) : rows).ok());
    }
  }
  const auto sent = builder.Build();
  TemporaryFolder folder;
  const auto store = MakeLocalStore(folder.path());
  EXPECT_EQ(WriteHours(store.get(), {sent}, 1).num_acked, 1);
  for (const otap::TableInfo& info : otap::AllTables()) {
    if (sent->table(info.kind) == nullptr || info.kind == root) {
      continue;
    }
    int64_t num_rows = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path() / info.directory)) {
      if (entry.path().extension() == ".parquet") {
        num_rows +=
            parquet::ParquetFileReader::OpenFile(entry.path().string())->metadata()->num_rows();
      }
    }
    EXPECT_EQ(num_rows, sent->table(info.kind)->num_rows()) << info.directory;
  }
  EXPECT_THAT(Levels(folder.path() / otap::GetTable(root).directory),
              ::testing::ElementsAre("date=mixed/hour=mixed"));
}

/// Fails when the file of one number is made visible.
class FailingStore final : public FileStore {
 public:
  FailingStore(std::unique_ptr<FileStore> store, int failing)
      : store_(std::move(store)), left_(failing) {}
  Result<std::unique_ptr<StagedFile>> Create(const std::string& directory,
                                             const std::string& name) override {
    class Failing final : public StagedFile {
     public:
      Failing(std::unique_ptr<StagedFile> file, int* left) : file_(std::move(file)), left_(left) {}
      const std::shared_ptr<arrow::io::OutputStream>& stream() override { return file_->stream(); }
      Status Sync() override { return file_->Sync(); }
      Status Publish() override {
        return (*left_)-- == 0 ? MakeError(ErrorKind::kIo, "injected", {}, true) : file_->Publish();
      }
      void Remove() override { file_->Remove(); }

     private:
      std::unique_ptr<StagedFile> file_;
      int* left_;
    };
    ARROW_ASSIGN_OR_RAISE(auto file, store_->Create(directory, name));
    return std::make_unique<Failing>(std::move(file), &left_);
  }
  Status MarkTimeLevels(const std::string& table) override { return store_->MarkTimeLevels(table); }
  Result<int64_t> RemoveStale() override { return store_->RemoveStale(); }
  bool has_failed() const { return left_ < 0; }

 private:
  std::unique_ptr<FileStore> store_;
  int left_;
};

TEST_P(LevelledSignals, AFailureInOneHourLeavesNoFileOfAny) {
  RandomEngine random(33);
  const Draw draw = [&] {
    return std::optional(kMidnight + static_cast<int64_t>(random() % 3) * kHour);
  };
  const auto sent = BatchesWithTimes(1, GetParam(), draw, random);
  int num_failures = 0;
  for (int failing = 0;; ++failing) {
    TemporaryFolder folder;
    FailingStore store(MakeLocalStore(folder.path()), failing);
    const df::testing::WriteOutcomes outcomes = WriteHours(&store, sent, 1);
    if (!store.has_failed()) {
      EXPECT_EQ(outcomes.num_acked, 1);
      break;
    }
    ++num_failures;
    EXPECT_EQ(outcomes.num_failed, 1);
    EXPECT_THAT(Levels(folder.path()), IsEmpty());
  }
  EXPECT_GE(num_failures, 6);
}

INSTANTIATE_TEST_SUITE_P(, LevelledSignals, ::testing::ValuesIn(otap::kAllSignals),
                         [](const auto& signal) { return std::string(otap::Name(signal.param)); });

TEST(Levels, FilesAreClosedWhenTooManyHoursAreOpen) {
  RandomEngine random(34);
  int64_t hour = 0;
  std::vector<otap::BatchPtr> sent;
  for (; hour < 40; ++hour) {
    const Draw draw = [&] { return std::optional(kMidnight + hour * kHour); };
    sent.push_back(BatchesWithTimes(1, otap::Signal::kLogs, draw, random)[0]);
  }
  TemporaryFolder folder;
  const auto store = MakeLocalStore(folder.path());
  const df::testing::WriteOutcomes outcomes = WriteHours(store.get(), sent, 1'000);
  EXPECT_THAT(outcomes.reasons, ::testing::ElementsAre(CloseReason::kLevels, CloseReason::kLevels,
                                                       CloseReason::kEnd));
  EXPECT_EQ(Levels(folder.path() / "logs").size(), 40U);
  ExpectSameRecords(sent, ReplayTree(folder.path(), {}));
}

/// The values of a column of ids, in any order.
std::vector<uint32_t> ReadIds(const fs::path& path, const std::string& column) {
  auto input = arrow::io::ReadableFile::Open(path.string()).ValueOrDie();
  auto reader =
      ::parquet::arrow::OpenFile(std::move(input), arrow::default_memory_pool()).ValueOrDie();
  const auto table = reader->ReadTable().ValueOrDie();
  std::vector<uint32_t> ids;
  for (const auto& chunk : table->GetColumnByName(column)->chunks()) {
    const auto& values = static_cast<const arrow::UInt32Array&>(*chunk);
    for (int64_t row = 0; row < values.length(); ++row) {
      if (values.IsValid(row)) {
        ids.push_back(values.Value(row));
      }
    }
  }
  return ids;
}

TEST(Levels, IdsAreUniqueOverAllHoursOfAPartition) {
  RandomEngine random(35);
  const Draw draw = [&] {
    return std::optional(kMidnight + static_cast<int64_t>(random() % 4) * kHour);
  };
  const auto sent = BatchesWithTimes(4, otap::Signal::kTraces, draw, random);
  TemporaryFolder folder;
  const auto store = MakeLocalStore(folder.path());
  WriteHours(store.get(), sent, 3);
  EXPECT_THAT(Levels(folder.path() / "spans"), ::testing::SizeIs(4));
  std::set<std::string> partitions;
  for (const auto& [table, column] :
       {std::pair("spans", "id"), std::pair("resource_attrs", "parent_id")}) {
    std::set<uint32_t> of_others;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path() / table)) {
      if (entry.path().extension() != ".parquet") {
        continue;
      }
      partitions.insert(entry.path().parent_path().filename().string());
      const std::vector<uint32_t> ids = ReadIds(entry.path(), column);
      for (const uint32_t id : ids) {
        EXPECT_FALSE(of_others.contains(id)) << table << " " << id;
      }
      of_others.insert(ids.begin(), ids.end());
    }
    EXPECT_FALSE(of_others.empty()) << table;
  }
  EXPECT_THAT(partitions, ::testing::SizeIs(1));
}

TEST(Levels, AWorkListTakesTheHoursThatAreWantedAndCountsTheOthers) {
  RandomEngine random(38);
  std::vector<otap::BatchPtr> sent;
  for (int64_t hour = 0; hour < 6; ++hour) {
    const Draw draw = [&] { return std::optional(kMidnight + hour * kHour); };
    sent.push_back(BatchesWithTimes(1, otap::Signal::kLogs, draw, random)[0]);
  }
  TemporaryFolder folder;
  const auto store = MakeLocalStore(folder.path());
  WriteHours(store.get(), sent, 1'000);
  const auto count = [&](int64_t from, int64_t to, int64_t* num_skipped) {
    ReadOptions options;
    options.selector = Slice(from, to);
    WorkList list(storage::Store::Local(), folder.path().string(), options, {},
                  [] { return std::chrono::system_clock::now(); });
    int num_partitions = 0;
    while (list.Take().ValueOrDie().work.has_value()) {
      ++num_partitions;
    }
    EXPECT_TRUE(list.has_found_files());
    EXPECT_EQ(list.Report().num_errors(), 0);
    *num_skipped = list.num_folders_skipped();
    return num_partitions;
  };
  const auto num_tables = std::distance(fs::directory_iterator(folder.path()), {});
  int64_t num_skipped = 0;
  EXPECT_EQ(count(kMidnight + kHour, kMidnight + 3 * kHour, &num_skipped), 2);
  EXPECT_GT(num_skipped, 4 * 1);
  EXPECT_LE(num_skipped, 4 * num_tables);
  // A tree of which nothing is wanted is no wrong folder.
  EXPECT_EQ(count(kMidnight + 48 * kHour, kMidnight + 49 * kHour, &num_skipped), 0);
  EXPECT_EQ(num_skipped, num_tables);
}

/// Trees with folders that mean something else, or of which nobody knows what they mean.
class ForeignLevels : public ::testing::Test {
 protected:
  void SetUp() override {
    const Draw draw = [] { return std::optional(kMidnight + kHour); };
    sent_ = BatchesWithTimes(2, otap::Signal::kLogs, draw, random_);
    // By the day on which it came in.
    FileSet set(store_.get(), {}, otap::Signal::kLogs, "date=2030-01-01/_part_id=a", 1);
    ASSERT_TRUE(set.Add(*sent_[0], 0).ok());
    ASSERT_TRUE(set.Publish().ok());
  }

  void Mark(const std::string& table) const {
    std::ofstream(folder_.path() / table / kTimeLevelsMarker) << "x";
  }

  RandomEngine random_{36};
  TemporaryFolder folder_;
  std::unique_ptr<FileStore> store_ = MakeLocalStore(folder_.path());
  std::vector<otap::BatchPtr> sent_;
};

TEST_F(ForeignLevels, AreNeverPassedOver) {
  const Replayed replayed =
      ExpectSlice({sent_[0]}, folder_.path(), kMidnight, kMidnight + 2 * kHour);
  EXPECT_EQ(replayed.num_folders_skipped, 0);
  EXPECT_THAT(replayed.report.notices, IsEmpty());
}

TEST_F(ForeignLevels, StayForeignWhenTheExporterWritesBesideThem) {
  WriteHours(store_.get(), {sent_[1]}, 1);
  EXPECT_FALSE(fs::exists(folder_.path() / "logs" / kTimeLevelsMarker));
  const Replayed replayed = ExpectSlice(sent_, folder_.path(), kMidnight, kMidnight + 2 * kHour);
  EXPECT_EQ(replayed.num_folders_skipped, 0);
}

TEST_F(ForeignLevels, OneTableThatSaysNothingKeepsAllOthersListed) {
  Mark("logs");
  ASSERT_TRUE(fs::exists(folder_.path() / "log_attrs"));
  const Replayed replayed =
      ExpectSlice({sent_[0]}, folder_.path(), kMidnight, kMidnight + 2 * kHour);
  EXPECT_EQ(replayed.num_folders_skipped, 0);
  EXPECT_EQ(replayed.report.notices.size(), 1U);
}

TEST_F(ForeignLevels, AreBelievedWhereEveryTableSaysWhatTheyMean) {
  for (const auto& table : fs::directory_iterator(folder_.path())) {
    Mark(table.path().filename().string());
  }
  ReadOptions options;
  options.selector = Slice(kMidnight, kMidnight + 2 * kHour);
  const Replayed replayed = ReplayTree(folder_.path(), options);
  EXPECT_THAT(replayed.batches, IsEmpty());
  EXPECT_GT(replayed.num_folders_skipped, 1);
}

TEST(Levels, AnHourThatIsALinkInOneTableLeavesNoOrphans) {
  RandomEngine random(37);
  const Draw draw = [&] {
    return std::optional(kMidnight + static_cast<int64_t>(random() % 3) * kHour);
  };
  const auto sent = BatchesWithTimes(2, otap::Signal::kLogs, draw, random);
  TemporaryFolder folder;
  const fs::path base = folder.path() / "base";
  WriteHours(MakeLocalStore(base.string()).get(), sent, 1);
  for (const char* path : {"log_attrs/date=2024-10-04/hour=00", "logs/date=2024-10-04/hour=02"}) {
    fs::rename(base / path, folder.path() / "away");
    fs::rename(folder.path() / "away", folder.path() / fs::path(path).filename());
    fs::create_directory_symlink(folder.path() / fs::path(path).filename(), base / path);
  }
  EXPECT_EQ(ExpectSlice(sent, base, kMidnight + kHour, kMidnight + 2 * kHour).num_folders_skipped,
            0);
}

TEST(Levels, LinksAreNotBelieved) {
  RandomEngine random(37);
  const Draw draw = [] { return std::optional(kMidnight + kHour); };
  const auto sent = BatchesWithTimes(1, otap::Signal::kLogs, draw, random);
  TemporaryFolder folder;
  const fs::path base = folder.path() / "base";
  WriteHours(MakeLocalStore(base.string()).get(), sent, 1);
  for (const auto& table : fs::directory_iterator(base)) {
    const fs::path day = table.path() / "date=2024-10-04";
    fs::create_directories(folder.path() / "away" / table.path().filename());
    const fs::path target = folder.path() / "away" / table.path().filename() / "x";
    fs::rename(day, target);
    fs::create_directory_symlink(target, table.path() / "date=2030-01-01");
  }
  EXPECT_EQ(ExpectSlice(sent, base, kMidnight, kMidnight + 2 * kHour).num_folders_skipped, 0);
}

}  // namespace
}  // namespace df::lake
