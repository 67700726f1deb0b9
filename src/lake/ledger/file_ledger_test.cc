#include "lake/ledger/file_ledger.h"

#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::lake {
namespace {

constexpr auto kLogs = otap::TableKind::kLogs;
constexpr int64_t kNoRow = std::numeric_limits<int64_t>::max();

TEST(RowRangesTest, IsTheSetOfItsRows) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int run = 0; run < 200; ++run) {
    RowRanges ranges;
    std::set<std::pair<int, int64_t>> expected;
    for (int step = 0; step < 30; ++step) {
      const int group = static_cast<int>(random() % 2);
      const auto first = static_cast<int64_t>(random() % 40);
      const auto count = static_cast<int64_t>(random() % 8);
      const bool adds = random() % 3 != 0;
      adds ? ranges.Add(group, first, count) : ranges.Remove(group, first, count);
      for (int64_t row = first; row < first + count; ++row) {
        adds ? (void)expected.insert({group, row}) : (void)expected.erase({group, row});
      }
      ASSERT_EQ(ranges.num_rows(), static_cast<int64_t>(expected.size()));
      for (int64_t row = 0; row < 50; ++row) {
        int64_t end = row;
        while (expected.contains({group, end})) {
          ++end;
        }
        ASSERT_EQ(ranges.EndOfRun(group, row), end) << row;
        int64_t next = row + 1;
        while (next < 50 && !expected.contains({group, next})) {
          ++next;
        }
        if (end == row) {
          ASSERT_EQ(ranges.NextIn(group, row), next == 50 ? kNoRow : next) << row;
        }
      }
    }
  }
}

class FileLedgerTest : public ::testing::Test {
 protected:
  struct File {
    std::string path = "logs/p=1/a.parquet";
    std::string partition = "p=1";
    std::string digest = "d";
    int64_t modified = 1;
    uint64_t inode = 1;
    std::optional<std::string> content = "100";
  };

  static FileId IdOf(const File& file) {
    FileId id{.table = kLogs,
              .partition = file.partition,
              .path = file.path,
              .digest = file.digest,
              .size_bytes = 10,
              .modified_nanos = file.modified,
              .number = {.device = 1, .inode = file.inode},
              .content = file.content};
    return id;
  }
  static ListedFiles Listed(const std::vector<File>& files) {
    ListedFiles listed;
    for (const File& file : files) {
      listed.Add(kLogs, {.path = file.path,
                         .size_bytes = 10,
                         .modified_nanos = file.modified,
                         .number = {.device = 1, .inode = file.inode}});
    }
    return listed;
  }
  /// The record of a file in a listing that has it and `others`.
  FileRecordPtr See(const File& file, std::vector<File> others = {}) {
    others.push_back(file);
    const ListedFiles listed = Listed(others);
    FileRecordPtr record = ledger_->Recognise(IdOf(file), 100, listed);
    ledger_->OnListed(listed);
    return record;
  }

  std::shared_ptr<FileLedger> ledger_ = std::make_shared<FileLedger>();
};

TEST_F(FileLedgerTest, ATouchedFileIsTheSame) {
  const FileRecordPtr record = See({});
  EXPECT_EQ(See({.modified = 2}), record);
}

TEST_F(FileLedgerTest, ARenamedFileIsTheSameAlsoInAnotherPartition) {
  const FileRecordPtr record = See({});
  EXPECT_EQ(See({.path = "logs/p=1/b.parquet", .modified = 2}), record);
  EXPECT_EQ(See({.path = "logs/p=2/b.parquet", .partition = "p=2"}), record);
}

TEST_F(FileLedgerTest, OtherBytesBehindAnEqualFooterAreAnotherFile) {
  const FileRecordPtr record = See({});
  EXPECT_NE(See({.modified = 2, .content = "101"}), record) << "rewritten in place";
  EXPECT_NE(See({.modified = 2, .inode = 2, .content = "102"}), record) << "replaced";
}

TEST_F(FileLedgerTest, WithoutAHashAnotherTimeMeansOtherBytes) {
  const FileRecordPtr record = See({.content = std::nullopt});
  EXPECT_EQ(See({.content = std::nullopt}), record);
  EXPECT_EQ(See({.path = "logs/p=1/b.parquet", .content = std::nullopt}), record);
  EXPECT_NE(See({.modified = 2, .content = std::nullopt}), record);
}

TEST_F(FileLedgerTest, ACopyBesideItsOriginalIsOneMore) {
  const FileRecordPtr record = See({});
  const File copy{.path = "logs/p=1/b.parquet", .modified = 2, .inode = 2};
  const FileRecordPtr second = See(copy, {File{}});
  EXPECT_NE(second, record);
  EXPECT_EQ(See(copy, {File{}}), second);
  EXPECT_EQ(See({}, {copy}), record);
}

TEST_F(FileLedgerTest, AFileThatComesBackUnderAnyNameIsTheSame) {
  const FileRecordPtr record = See({});
  ledger_->OnListed(Listed({}));
  for (int i = 0; i < 1000; ++i) {
    ledger_->OnListed(Listed({}));  // no number of listings makes it forget
  }
  EXPECT_EQ(See({.path = "logs/p=1/b.parquet", .modified = 5, .inode = 7}), record);
  EXPECT_EQ(ledger_->num_records(), 1U);
}

TEST_F(FileLedgerTest, AFileOfAnEarlierProcessIsToldWithoutItsBytes) {
  File file;
  file.content = std::nullopt;
  ledger_->Restore({{.id = IdOf(file), .num_rows = 100, .is_whole = true, .rows = {}}});
  File other = file;
  other.modified = 2;
  EXPECT_FALSE(ledger_->RecogniseRestored(IdOf(other)));
  other = file;
  other.path = "logs/p=1/b.parquet";
  EXPECT_FALSE(ledger_->RecogniseRestored(IdOf(other)));
  EXPECT_TRUE(ledger_->RecogniseRestored(IdOf(file)));
  EXPECT_FALSE(ledger_->RecogniseRestored(IdOf(file))) << "it has a number now";
  EXPECT_TRUE(ledger_->IsDelivered(See(file)));
  // A copy that has its time is one more all the same.
  const File copy{.path = "logs/p=1/b.parquet", .inode = 2, .content = std::nullopt};
  EXPECT_FALSE(ledger_->IsDelivered(See(copy, {file})));
  EXPECT_TRUE(ledger_->IsDelivered(See(file, {copy})));
}

TEST_F(FileLedgerTest, AFileOfWhichSomethingArrivedIsNotRestoredWhole) {
  File file;
  file.content = std::nullopt;
  RowRanges rows;
  rows.Add(0, 0, 50);
  ledger_->Restore({{.id = IdOf(file), .num_rows = 100, .is_whole = false, .rows = rows}});
  EXPECT_FALSE(ledger_->RecogniseRestored(IdOf(file)));
}

TEST_F(FileLedgerTest, RemembersNoMoreThanIsListedAndAsManyThatAreGone) {
  std::vector<File> files;
  for (size_t i = 0; i < FileLedger::kMinGone + 5; ++i) {
    files.push_back({.path = "logs/" + std::to_string(i) + ".parquet",
                     .digest = std::to_string(i),
                     .inode = i + 1});
  }
  const ListedFiles all = Listed(files);
  std::vector<FileRecordPtr> records;
  for (const File& file : files) {
    records.push_back(ledger_->Recognise(IdOf(file), 1, all));
  }
  const File extra{.path = "logs/extra.parquet", .digest = "extra", .inode = 1'000'000};
  const FileRecordPtr kept = See(extra);  // everything else is gone
  EXPECT_EQ(ledger_->num_records(), FileLedger::kMinGone + 1);
  ledger_->OnListed(all);
  EXPECT_EQ(See(files.back()), records.back());
}

TEST_F(FileLedgerTest, WhatArrivedIsTakenByWhoeverClaimsNext) {
  const FileRecordPtr record = See({});
  const int first_owner = 0;
  const int second_owner = 0;
  auto claim = ledger_->Claim(record, &first_owner);
  ASSERT_NE(claim, nullptr);
  EXPECT_EQ(ledger_->Claim(record, &first_owner), claim);
  EXPECT_EQ(ledger_->Claim(record, &second_owner), nullptr);
  Delivery acked = claim->Send(0, 0, 40);
  Delivery refused = claim->Send(0, 40, 10);
  Delivery lost = claim->Send(0, 50, 50);
  EXPECT_EQ(claim->num_taken(), 100);
  acked.Ack();
  refused.Refuse();
  lost = Delivery();
  EXPECT_EQ(claim->num_taken(), 50) << "what was lost may be sent again, what was refused not";
  EXPECT_EQ(claim->num_given_up(), 10);
  claim = nullptr;

  claim = ledger_->Claim(record, &second_owner);
  ASSERT_NE(claim, nullptr);
  EXPECT_EQ(claim->num_taken(), 40) << "a new owner sends what did not arrive";
  EXPECT_FALSE(ledger_->IsDelivered(record));
  claim->Send(0, 40, 60).Ack();
  EXPECT_TRUE(ledger_->IsDelivered(record));
}

}  // namespace
}  // namespace df::lake
