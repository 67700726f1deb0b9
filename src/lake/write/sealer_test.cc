// Hours that are over are sealed, and rows that go missing afterwards are named.
#include "lake/write/sealer.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/queue/work_list.h"
#include "lake/write/signal_writer.h"
#include "select/selector.h"
#include "testing/levelled_lake.h"
#include "testing/scripted_store.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::BatchesWithTimes;
using df::testing::kHour;
using df::testing::kMidnight;
using df::testing::TemporaryFolder;
using df::testing::WriteHours;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kNumHours = 3;
/// Of each signal, and one for metrics without points, which are of no time.
constexpr int kNumSeals = 3 * kNumHours + 1;
constexpr auto kAfter = std::chrono::minutes(30);

bool Never() { return false; }

class SealerTest : public ::testing::Test {
 protected:
  /// Log records, spans and points of three hours, two partitions an hour and signal.
  void SetUp() override {
    for (int round = 0; round < 2; ++round) {
      Write(kMidnight, kNumHours * kHour);
    }
  }

  void Write(int64_t from, int64_t span) {
    const auto draw = [&]() -> std::optional<int64_t> {
      return from + static_cast<int64_t>(random_() % static_cast<uint64_t>(span));
    };
    std::vector<otap::BatchPtr> sent;
    for (const otap::Signal signal : otap::kAllSignals) {
      for (const otap::BatchPtr& batch : BatchesWithTimes(2, signal, draw, random_)) {
        sent.push_back(batch);
      }
    }
    WriteHours(MakeLocalStore(base().string()).get(), sent, 2);
  }

  std::shared_ptr<storage::Store> Local() const {
    return storage::Store::Make({.kind = storage::StoreKind::kLocal, .path = base().string()})
        .ValueOrDie();
  }

  int64_t Now() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now_.time_since_epoch()).count();
  }
  Sealer::Outcome Look() { return sealer_->Look(Now(), Never); }

  /// Paths of the seals below the base.
  std::vector<std::string> Seals() const {
    std::vector<std::string> seals;
    for (const auto& entry : fs::recursive_directory_iterator(base())) {
      if (entry.path().filename().string().starts_with("_sealed")) {
        seals.push_back(fs::relative(entry.path(), base()).string());
      }
    }
    std::sort(seals.begin(), seals.end());
    return seals;
  }

  std::unique_ptr<WorkList> Make(const ReadOptions& read = {}, const FollowOptions& follow = {},
                                 std::shared_ptr<storage::Store> store = nullptr) {
    const std::string path = store == nullptr ? base().string() : store->uri().path;
    return std::make_unique<WorkList>(store == nullptr ? Local() : store, path, read, follow,
                                      [this] { return now_; });
  }

  static void TakeAll(WorkList* list) {
    while (true) {
      auto taken = list->Take();
      ASSERT_TRUE(taken.ok()) << taken.status();
      if (!taken->work.has_value()) {
        return;
      }
      std::vector<RootOutcome> outcomes;
      for (const PartitionTask& task : taken->work->tasks) {
        for (const size_t index : task.root_files) {
          outcomes.push_back({.file = task.files->of(otap::RootTable(task.signal))[index],
                              .status = Status::OK()});
        }
      }
      list->Done(outcomes, {});
    }
  }
  static std::vector<std::string> MessagesOf(const ProblemList& list) {
    std::vector<std::string> messages;
    for (const Problem& one : list) {
      messages.push_back(one.message);
    }
    return messages;
  }
  std::vector<std::string> Problems(const ReadOptions& read = {}) {
    const auto list = Make(read);
    TakeAll(list.get());
    return MessagesOf(list->Report().problems);
  }
  std::vector<std::string> Notices() {
    const auto list = Make();
    TakeAll(list.get());
    return MessagesOf(list->Report().notices);
  }

  /// Gives the files of a folder a time behind that of the next look.
  static void MakeNewer(const fs::path& folder) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.path().extension() == ".parquet") {
        fs::last_write_time(entry.path(), fs::file_time_type::clock::now() + std::chrono::hours(2));
      }
    }
  }

  fs::path base() const { return folder_.path(); }

  TemporaryFolder folder_;
  std::error_code ignored_;
  df::testing::RandomEngine random_{77};
  std::chrono::system_clock::time_point now_ =
      std::chrono::system_clock::now() + std::chrono::hours(2);
  std::unique_ptr<Sealer> sealer_ = std::make_unique<Sealer>(Local(), kAfter);
};

TEST_F(SealerTest, SealsWhatIsOverAndQuiet) {
  const auto written = now_ - std::chrono::hours(2);
  now_ = written + kAfter - std::chrono::minutes(1);
  const Sealer::Outcome early = Look();
  EXPECT_EQ(early.num_sealed, 0);
  EXPECT_THAT(Seals(), IsEmpty());
  EXPECT_GT(early.next_nanos, Now());
  EXPECT_LT(early.next_nanos,
            Now() + 2 * std::chrono::nanoseconds(std::chrono::minutes(1)).count());
  now_ = written + std::chrono::hours(2);
  const Sealer::Outcome due = Look();
  EXPECT_EQ(due.num_sealed, kNumSeals);
  EXPECT_EQ(due.num_failed, 0);
  EXPECT_THAT(Seals(), SizeIs(kNumSeals));
  EXPECT_THAT(Seals(), Contains(HasSubstr("logs/date=2024-10-04/hour=01/_sealed-")));
  EXPECT_EQ(Look().num_sealed, 0);
  EXPECT_THAT(Problems(), IsEmpty());
  EXPECT_THAT(Notices(), IsEmpty());
}

TEST_F(SealerTest, SaysTheRowsOfEveryTable) {
  ASSERT_EQ(Look().num_sealed, kNumSeals);
  ReadOptions options;
  const auto replayed = df::testing::ReplayTree(base(), options);
  TableRows sealed{};
  for (const std::string& path : Seals()) {
    std::ifstream file(base() / path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::string table = path.substr(0, path.find('/'));
    const otap::Signal signal = table == "logs"    ? otap::Signal::kLogs
                                : table == "spans" ? otap::Signal::kTraces
                                                   : otap::Signal::kMetrics;
    const LevelSeal seal = ReadSeal(text, signal).ValueOrDie();
    EXPECT_EQ(seal.sealed_nanos, Now());
    EXPECT_EQ(WriteSeal(seal, signal), text);
    EXPECT_GT(seal.partitions.size(), 0U);
    for (const auto& [partition, rows] : seal.partitions) {
      for (size_t i = 0; i < sealed.size(); ++i) {
        sealed[i] += rows[i];
      }
    }
  }
  // The tree has all rows of all tables in hours.
  for (const otap::TableInfo& table : otap::AllTables()) {
    // Those of all signals are listed for each of them.
    const int64_t num_listings = table.signals == 0b111 ? 3 : 1;
    EXPECT_EQ(sealed[otap::TableIndex(table.kind)] * num_listings,
              replayed.report.table(table.kind).rows_listed)
        << table.directory;
  }
}

TEST_F(SealerTest, APartitionOfEveryTableThatIsGoneIsNamed) {
  ASSERT_THAT(Problems(), IsEmpty());
  Look();
  const fs::path hour = "date=2024-10-04/hour=02";
  std::string partition;
  for (const auto& entry : fs::directory_iterator(base() / "spans" / hour)) {
    partition = entry.is_directory() ? entry.path().filename().string() : partition;
  }
  int num_removed = 0;
  for (const auto& table : fs::directory_iterator(base())) {
    num_removed += static_cast<int>(fs::remove_all(table.path() / hour / partition) > 0);
  }
  EXPECT_GT(num_removed, 3);
  const auto problems = Problems();
  EXPECT_THAT(problems,
              Contains(AllOf(HasSubstr("as sealed: the files of the partition are missing"),
                             HasSubstr("table=spans"), HasSubstr("hour=02"))));
  EXPECT_THAT(problems, ::testing::Each(HasSubstr("as sealed")));
  // Other signals have theirs.
  ReadOptions read;
  read.signals = {otap::Signal::kLogs, otap::Signal::kMetrics};
  EXPECT_THAT(Problems(read), IsEmpty());
}

TEST_F(SealerTest, AnHourWithoutAnyFileIsNamed) {
  Look();
  for (const auto& table : fs::directory_iterator(base())) {
    for (const auto& entry :
         fs::recursive_directory_iterator(table.path() / "date=2024-10-04/hour=00")) {
      if (entry.path().extension() == ".parquet") {
        fs::remove(entry.path());
      }
    }
  }
  EXPECT_THAT(Problems(), Contains(AllOf(HasSubstr("found 0 rows"), HasSubstr("table=logs"),
                                         HasSubstr("hour=00"))));
}

TEST_F(SealerTest, LateRowsAreANoticeUntilTheyAreSealedToo) {
  Look();
  const auto before = Seals();
  Write(kMidnight + kHour, kHour);
  for (const auto& entry : fs::recursive_directory_iterator(base())) {
    if (entry.path().extension() == ".parquet" &&
        (entry.path().string().find("hour=01") != std::string::npos ||
         entry.path().string().find("date=1970") != std::string::npos)) {
      fs::last_write_time(entry.path(), fs::file_time_type::clock::now() + std::chrono::hours(2));
    }
  }
  EXPECT_THAT(Problems(), IsEmpty());
  EXPECT_THAT(Notices(), Contains(AllOf(HasSubstr("rows more than were sealed"),
                                        HasSubstr("table=logs"), HasSubstr("hour=01"))));
  now_ += std::chrono::minutes(20);
  EXPECT_EQ(Look().num_sealed, 0) << "late rows may still be coming";
  now_ += std::chrono::hours(1);
  EXPECT_EQ(Look().num_sealed, 4);
  EXPECT_THAT(Seals(), SizeIs(before.size()));
  EXPECT_NE(Seals(), before);
  EXPECT_THAT(Notices(), IsEmpty());
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(SealerTest, WhatHasLostRowsIsNotSealedAnew) {
  Look();
  const auto seals = Seals();
  const fs::path hour = base() / "logs/date=2024-10-04/hour=01";
  for (const auto& entry : fs::directory_iterator(hour)) {
    if (entry.is_directory()) {
      fs::remove_all(entry.path());
    }
  }
  df::testing::RandomBatchOptions shape;
  shape.root_rows = 1;
  const auto late =
      df::testing::WithTimes(*df::testing::RandomBatch(otap::Signal::kLogs, shape, random_),
                             [] { return std::optional(kMidnight + kHour); });
  WriteHours(MakeLocalStore(base().string()).get(), {late}, 1);
  MakeNewer(hour);
  now_ += std::chrono::hours(1);
  const Sealer::Outcome outcome = Look();
  EXPECT_EQ(outcome.num_failed, 1);
  EXPECT_EQ(outcome.num_sealed, 0);
  EXPECT_EQ(Seals(), seals);
  EXPECT_THAT(Problems(),
              Contains(AllOf(HasSubstr("as sealed: the files of the partition are missing"),
                             HasSubstr("table=logs"), HasSubstr("hour=01"))));
}

TEST_F(SealerTest, ASliceDoesNotMissWhatItDoesNotList) {
  Look();
  for (const auto& table : fs::directory_iterator(base())) {
    fs::remove_all(table.path() / "date=2024-10-04/hour=02");
  }
  select::Wishes wishes;
  wishes.time.from = kMidnight;
  wishes.time.to = kMidnight + kHour;
  ReadOptions read;
  read.selector = std::make_shared<const select::Selector>(wishes);
  EXPECT_THAT(Problems(read), IsEmpty());
  // Retention takes hours away as they are, with their seals.
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(SealerTest, PartitionsThatAreNotWantedAreNotMissed) {
  Look();
  ReadOptions read;
  // Of each hour there are several.
  std::set<std::string> levels;
  std::set<std::string> wanted;
  for (const auto& entry : fs::recursive_directory_iterator(base())) {
    const std::string path = fs::relative(entry.path(), base()).string();
    const std::string partition = path.substr(path.find('/') + 1);
    if (entry.path().filename().string().starts_with("_part_id=") &&
        levels.insert(std::string(LevelOfPartition(partition))).second) {
      wanted.insert(partition);
    }
  }
  ASSERT_EQ(wanted.size(), static_cast<size_t>(kNumHours + 1));
  read.wants_partition = [&](const std::string& name) { return wanted.contains(name); };
  EXPECT_THAT(Problems(read), IsEmpty());
  for (const auto& table : fs::directory_iterator(base())) {
    for (const std::string& level : levels) {
      for (const auto& entry : fs::directory_iterator(table.path() / level, ignored_)) {
        if (entry.is_directory() &&
            !wanted.contains(fs::relative(entry.path(), table.path()).string())) {
          fs::remove_all(entry.path());
        }
      }
    }
  }
  EXPECT_THAT(Problems(read), IsEmpty());
  EXPECT_THAT(Problems(), Contains(HasSubstr("as sealed")));
}

TEST_F(SealerTest, LateRowsDoNotStandForRowsThatAreGone) {
  Look();
  const fs::path hour = base() / "logs/date=2024-10-04/hour=01";
  for (const auto& entry : fs::directory_iterator(hour)) {
    if (entry.is_directory()) {
      fs::remove_all(entry.path());
      break;
    }
  }
  Write(kMidnight + kHour, kHour);  // more than are gone
  MakeNewer(hour);
  now_ += std::chrono::hours(1);
  EXPECT_EQ(Look().num_failed, 1);
  EXPECT_THAT(Problems(), Contains(AllOf(HasSubstr("as sealed"), HasSubstr("table=logs"))));
}

TEST_F(SealerTest, AnOlderSealCountsWhereTheNewestCannotBeRead) {
  Look();
  const fs::path hour = base() / "logs/date=2024-10-04/hour=01";
  std::ofstream(hour / "_sealed-8999999999999.json") << "";
  std::ofstream(hour / "_sealed-8999999999998.json") << "[]";
  EXPECT_THAT(Problems(), IsEmpty());
  EXPECT_THAT(Notices(), SizeIs(2));
  for (const auto& entry : fs::directory_iterator(hour)) {
    if (entry.is_directory()) {
      fs::remove_all(entry.path());
    }
  }
  EXPECT_THAT(Problems(), Contains(AllOf(HasSubstr("as sealed"), HasSubstr("table=logs"))));
}

/// Other writers put files into the folders of hours.
TEST_F(SealerTest, AnHourIsNoPartitionOfItsDay) {
  for (const auto& table : fs::directory_iterator(base())) {
    for (const auto& entry : fs::recursive_directory_iterator(table.path())) {
      if (entry.path().extension() == ".parquet") {
        fs::rename(entry.path(),
                   entry.path().parent_path().parent_path() / entry.path().filename());
      }
    }
  }
  EXPECT_EQ(Look().num_sealed, 0);
}

TEST_F(SealerTest, ASealThatCannotBeReadIsNamed) {
  Look();
  const auto seals = Seals();
  std::ofstream(base() / seals[0]) << "{\"otap_seal\": 9}";
  std::ofstream(base() / seals[1]) << "nonsense";
  std::ofstream(base() / seals[2]) << std::string(5'000'000, ' ');
  const auto notices = Notices();
  EXPECT_THAT(notices, Contains(HasSubstr("found version 9, expected 1")));
  EXPECT_THAT(notices, Contains(HasSubstr("found no JSON object with the key otap_seal")));
  EXPECT_THAT(notices, Contains(HasSubstr("found 5000000 bytes, expected at most 4194304")));
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(SealerTest, AFollowerComparesWithASealThatComesLater) {
  FollowOptions follow{.polling_interval = std::chrono::seconds(1)};
  const auto list = Make({}, follow);
  for (int i = 0; i < 30; ++i) {
    now_ += std::chrono::seconds(2);
    TakeAll(list.get());
  }
  ASSERT_THAT(MessagesOf(list->Report().problems), IsEmpty());
  Look();
  for (int i = 0; i < 3; ++i) {
    now_ += std::chrono::seconds(2);
    TakeAll(list.get());
  }
  EXPECT_THAT(MessagesOf(list->Report().problems), IsEmpty());
  EXPECT_THAT(MessagesOf(list->Report().notices), IsEmpty());
  // Sealed with more than there is: by one who saw files that this one never saw.
  const std::string seal = Seals().front();
  std::ifstream file(base() / seal);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const size_t digit = text.rfind(": ") + 2;
  text.insert(digit, "9");
  std::ofstream(base() / seal.substr(0, seal.find_last_of('/')) / "_sealed-9000000000000.json")
      << text;
  for (int i = 0; i < 3; ++i) {
    now_ += std::chrono::seconds(2);
    TakeAll(list.get());
  }
  EXPECT_THAT(MessagesOf(list->Report().problems),
              ElementsAre(HasSubstr("as sealed: files are missing")));
}

TEST_F(SealerTest, FoldersThatNobodyVouchesForAreNotSealed) {
  for (const auto& table : fs::directory_iterator(base())) {
    fs::remove(table.path() / kTimeLevelsMarker);
  }
  EXPECT_EQ(Look().num_sealed, 0);
  EXPECT_THAT(Seals(), IsEmpty());
}

TEST_F(SealerTest, AFileThatCannotBeReadKeepsItsHourFromBeingSealed) {
  for (const auto& entry :
       fs::recursive_directory_iterator(base() / "logs/date=2024-10-04/hour=01")) {
    if (entry.path().extension() == ".parquet") {
      fs::resize_file(entry.path(), 100);
      break;
    }
  }
  const Sealer::Outcome outcome = Look();
  EXPECT_EQ(outcome.num_failed, 1);
  EXPECT_EQ(outcome.num_sealed, kNumSeals - 1);
  EXPECT_EQ(outcome.next_nanos, Now() + std::chrono::nanoseconds(kAfter).count());
}

TEST_F(SealerTest, ASetThatIsNotWholeYetIsNotCounted) {
  // What a writer left that ended while its files got their names: children without records.
  std::string left;
  for (const auto& entry :
       fs::recursive_directory_iterator(base() / "log_attrs/date=2024-10-04/hour=01")) {
    left = entry.path().extension() == ".parquet" ? entry.path().string() : left;
  }
  const fs::path folder = fs::path(left).parent_path();
  const std::string partition = folder.filename().string();
  fs::remove_all(base() / "logs/date=2024-10-04/hour=01" / partition);
  Look();
  fs::remove_all(base() / "log_attrs/date=2024-10-04/hour=01" / partition);
  for (const char* shared : {"resource_attrs", "scope_attrs"}) {
    fs::remove_all(base() / shared / "date=2024-10-04/hour=01" / partition);
  }
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(SealerTest, SealsObjectStores) {
  const auto objects = std::make_shared<df::testing::ScriptedStore>(
      [](std::string_view, const std::string&) { return df::testing::Answer::kWhole; });
  for (const auto& entry : fs::recursive_directory_iterator(base())) {
    if (entry.is_regular_file()) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      const std::string path = "b/" + fs::relative(entry.path(), base()).string();
      ASSERT_TRUE(objects->CreateDir(path.substr(0, path.find_last_of('/')), true).ok());
      ASSERT_TRUE(objects->CreateFile(path, bytes).ok());
    }
  }
  const auto store = storage::Store::Over({.kind = storage::StoreKind::kS3, .path = "b"}, {},
                                          objects, std::make_unique<df::testing::NoWaits>());
  Sealer sealer(store, kAfter);
  EXPECT_EQ(sealer.Look(Now(), Never).num_sealed, kNumSeals);
  EXPECT_EQ(sealer.Look(Now(), Never).num_sealed, 0);
  const auto list = Make({}, {}, store);
  TakeAll(list.get());
  EXPECT_THAT(MessagesOf(list->Report().problems), IsEmpty());
  EXPECT_THAT(MessagesOf(list->Report().notices), IsEmpty());
  for (const auto& path : store->ListFiles("b/spans/date=2024-10-04/hour=01").ValueOrDie()) {
    if (path.ends_with(".parquet")) {
      ASSERT_TRUE(store->RemoveFile(path).ok());
    }
  }
  const auto again = Make({}, {}, store);
  TakeAll(again.get());
  EXPECT_THAT(MessagesOf(again->Report().problems),
              Contains(AllOf(HasSubstr("found 0 rows"), HasSubstr("table=spans"))));
}

TEST(LevelSeal, ItsNameSaysWhenItWasMade) {
  EXPECT_EQ(SealName(1'700'000'000'123'456'789), "_sealed-1700000000123.json");
  EXPECT_EQ(SealMillis("_sealed-1700000000123.json"), 1'700'000'000'123);
  for (const char* other : {"_sealed", "_sealed-.json", "_sealed-12x.json", "sealed-12.json",
                            "_sealed-12.json.tmp", "_sealed-99999999999999999999.json",
                            "_sealed-9223372036854775807.json", "_sealed--5.json"}) {
    EXPECT_EQ(SealMillis(other), -1) << other;
  }
}

}  // namespace
}  // namespace df::lake
