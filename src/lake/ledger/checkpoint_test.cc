#include "lake/ledger/checkpoint.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::TemporaryFolder;
using ::testing::HasSubstr;

constexpr int64_t kRows = 100;
constexpr int64_t kNow = 1'750'000'000'123'456'789;

FileId IdOf(int file, int64_t modified = 1) {
  return {.table = otap::TableKind::kLogs,
          .partition = "_part_id=a",
          .path = fmt::format("logs/_part_id=a/{}.parquet", file),
          .digest = fmt::format("{:032x}", file),
          .size_bytes = 10 + file,
          .modified_nanos = modified,
          .number = {},
          .content = std::nullopt};
}

/// What was delivered, in an order that does not change.
std::vector<std::string> Described(const std::vector<DeliveredFile>& files) {
  std::vector<std::string> lines;
  for (const DeliveredFile& file : files) {
    lines.push_back(fmt::format("{} {} {} of {}", file.number, file.id.path,
                                file.is_whole ? file.num_rows : file.rows.num_rows(),
                                file.num_rows));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

class CheckpointTest : public ::testing::Test {
 protected:
  fs::path folder() const { return folder_.path() / "state" / "here"; }
  Result<std::unique_ptr<Checkpoint>> Open(const CheckpointSubject& subject = {"/lake", ""}) const {
    return Checkpoint::Open(folder().string(), "night", subject);
  }

  /// Says of rows that they have arrived.
  void Deliver(int file, int64_t first, int64_t count, int64_t modified = 1) const {
    const FileRecordPtr record = ledger_->Recognise(IdOf(file, modified), kRows, listed_);
    ledger_->Claim(record, this)->Send(0, first, count).Ack();
  }

  TemporaryFolder folder_;
  ListedFiles listed_;
  std::shared_ptr<FileLedger> ledger_ = [] {
    auto ledger = std::make_shared<FileLedger>();
    ledger->KeepChanges();
    return ledger;
  }();
};

TEST_F(CheckpointTest, WhatWasSavedIsThereForTheNext) {
  {
    const auto checkpoint = Open().ValueOrDie();
    EXPECT_TRUE(checkpoint->Load()->empty());
    Deliver(1, 0, kRows);
    Deliver(2, 10, 20);
    ASSERT_TRUE(checkpoint->Save(ledger_->TakeChanges()).ok());
    Deliver(2, 40, 5);
    ASSERT_TRUE(checkpoint->Save(ledger_->TakeChanges()).ok());
    EXPECT_TRUE(ledger_->TakeChanges().delivered.empty());
  }
  const auto again = Open().ValueOrDie();
  const std::vector<DeliveredFile> loaded = again->Load().ValueOrDie();
  EXPECT_EQ(Described(loaded), Described(ledger_->Delivered()));
  // The next process goes on with numbers of its own.
  auto next = std::make_shared<FileLedger>();
  next->Restore(loaded);
  next->KeepChanges();
  next->Claim(next->Recognise(IdOf(3), kRows, listed_), this)->Send(0, 0, 1).Ack();
  next->Claim(next->Recognise(IdOf(2), kRows, listed_), this)->Send(0, 0, 10).Ack();
  ASSERT_TRUE(again->Save(next->TakeChanges()).ok());
  EXPECT_EQ(Described(again->Load().ValueOrDie()), Described(next->Delivered()));
  EXPECT_EQ(Described(next->Delivered()).size(), 3U);
}

TEST_F(CheckpointTest, FollowsFilesThatMoveAndAreForgotten) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const auto checkpoint = Open().ValueOrDie();
  for (int step = 0; step < 400; ++step) {
    const int file = static_cast<int>(random() % 40);
    const auto first = static_cast<int64_t>(random() % 90);
    Deliver(file, first, 1 + static_cast<int64_t>(random() % 10),
            random() % 4 == 0 ? static_cast<int64_t>(random() % 3) : 1);
    if (random() % 10 == 0) {
      ASSERT_TRUE(checkpoint->Save(ledger_->TakeChanges()).ok());
    }
  }
  FileLedger::Changes last = ledger_->TakeChanges();
  ASSERT_TRUE(checkpoint->Save(last).ok());
  EXPECT_EQ(Described(checkpoint->Load().ValueOrDie()), Described(ledger_->Delivered()));
  last.forgotten = {1, 2};
  last.delivered.clear();
  const size_t before = checkpoint->Load()->size();
  ASSERT_TRUE(checkpoint->Save(last).ok());
  EXPECT_EQ(checkpoint->Load()->size(), before - 2);
}

TEST_F(CheckpointTest, IsOfOneProcessAndOneSubject) {
  auto first = Open().ValueOrDie();
  const auto second = Open();
  EXPECT_THAT(second.status().message(), HasSubstr(fmt::format("process {} (", getpid())));
  EXPECT_THAT(second.status().message(), HasSubstr("has this checkpoint"));
  EXPECT_TRUE(IsRetryable(second.status()));
  first.reset();
  EXPECT_THAT(Open({"/other", ""}).status().message(),
              HasSubstr("it is of '/lake', not of '/other'"));
  const auto selection = Open({"/lake", "where x"});
  EXPECT_THAT(selection.status().message(),
              HasSubstr("it is of a replay that sent everything, and this one sends where x"));
  EXPECT_TRUE(selection.status().IsInvalid());
  EXPECT_TRUE(Open().ok());
}

TEST_F(CheckpointTest, WhatIsDamagedStaysAsItIs) {
  ASSERT_TRUE(Open().ok());
  const fs::path file = folder() / "night.sqlite";
  const std::string damaged(4096, 'x');
  std::ofstream(file, std::ios::binary) << damaged;
  fs::remove(folder() / "night.sqlite-wal");
  EXPECT_THAT(Open().status().message(), HasSubstr("the file is damaged"));
  std::ifstream left(file, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(left), {}), damaged);
  fs::remove(file);
  {
    ASSERT_TRUE(Open().ok());
    bool is_damaged = false;
    const auto database = Database::Open(file.string(), false, &is_damaged).ValueOrDie();
    ASSERT_TRUE(database->Run("UPDATE subject SET version = 2").ok());
  }
  EXPECT_THAT(Open().status().message(), HasSubstr("found version 2, expected 1"));
  {
    bool is_damaged = false;
    const auto database = Database::Open(file.string(), false, &is_damaged).ValueOrDie();
    ASSERT_TRUE(
        database->Run("UPDATE subject SET version = 1; INSERT INTO files VALUES (7, 'x')").ok());
  }
  EXPECT_THAT(Open().ValueOrDie()->Load().status().message(), HasSubstr("entry 7: "));
}

TEST_F(CheckpointTest, FilesThatItCannotNameAreCountedOnce) {
  const auto checkpoint = Open().ValueOrDie();
  FileLedger::Changes changes;
  changes.delivered.push_back(
      {.id = IdOf(1), .num_rows = 2, .is_whole = true, .rows = {}, .number = 1});
  changes.delivered.front().id.path = "logs/_part_id=a/\xFF.parquet";
  ASSERT_TRUE(checkpoint->Save(changes).ok());
  ASSERT_TRUE(checkpoint->Save(changes).ok());
  EXPECT_EQ(checkpoint->num_left_out(), 1);
  EXPECT_TRUE(checkpoint->Load()->empty());
}

TEST_F(CheckpointTest, SaysWhenItWasSavedLast) {
  {
    const auto checkpoint =
        Checkpoint::Open(folder().string(), "night", {"/lake", "where x"}, [] {
          return std::chrono::system_clock::time_point(std::chrono::nanoseconds(kNow));
        }).ValueOrDie();
    EXPECT_EQ(checkpoint->Read()->saved_unix_nano, std::nullopt);
    Deliver(1, 0, kRows);
    ASSERT_TRUE(checkpoint->Save(ledger_->TakeChanges()).ok());
  }
  const auto any = Checkpoint::OpenAny(folder().string(), "night").ValueOrDie();
  const CheckpointState state = any->Read().ValueOrDie();
  EXPECT_EQ(state.saved_unix_nano, kNow);
  EXPECT_EQ(state.subject.base, "/lake");
  EXPECT_EQ(state.subject.selection, "where x");
  EXPECT_EQ(Described(state.files), Described(ledger_->Delivered()));
}

TEST_F(CheckpointTest, IsReplacedAsAWholeOrNotAtAll) {
  const auto checkpoint = Open().ValueOrDie();
  Deliver(1, 0, kRows);
  Deliver(2, 10, 20);
  ASSERT_TRUE(checkpoint->Save(ledger_->TakeChanges()).ok());
  const CheckpointState before = checkpoint->Read().ValueOrDie();
  CheckpointState other{.subject = {"/other", ""}, .saved_unix_nano = 7, .files = before.files};
  other.files.front().id.path = "logs/\xFF";
  EXPECT_TRUE(checkpoint->Replace(other).IsInvalid());
  EXPECT_EQ(Described(checkpoint->Load().ValueOrDie()), Described(before.files));
  EXPECT_EQ(checkpoint->Read()->subject.base, "/lake");
  other.files.erase(other.files.begin());
  ASSERT_TRUE(checkpoint->Replace(other).ok());
  const CheckpointState after = checkpoint->Read().ValueOrDie();
  EXPECT_EQ(after.subject.base, "/other");
  EXPECT_EQ(after.saved_unix_nano, 7);
  ASSERT_EQ(after.files.size(), 1U);
  EXPECT_EQ(after.files.front().number, 1);
}

TEST_F(CheckpointTest, IsRemovedWithNothingLeftOfIt) {
  {
    const auto checkpoint = Open().ValueOrDie();
    Deliver(1, 0, kRows);
    ASSERT_TRUE(checkpoint->Save(ledger_->TakeChanges()).ok());
    ASSERT_TRUE(checkpoint->Remove().ok());
    EXPECT_TRUE(checkpoint->AppendToAudit("{}").ok());
  }
  for (const char* left : {"night.sqlite", "night.sqlite-wal", "night.sqlite-shm"}) {
    EXPECT_FALSE(fs::exists(folder() / left)) << left;
  }
  EXPECT_TRUE(Open({"/other", ""}).ValueOrDie()->Load()->empty());
}

TEST_F(CheckpointTest, ALineOfTheAuditStandsAlone) {
  const auto checkpoint = Open().ValueOrDie();
  ASSERT_TRUE(checkpoint->AppendToAudit("one").ok());
  ASSERT_TRUE(checkpoint->AppendToAudit("two").ok());
  const fs::path audit = folder() / "night.audit.jsonl";
  std::ofstream(audit, std::ios::app) << "torn by a cra";
  ASSERT_TRUE(checkpoint->AppendToAudit("three").ok());
  std::ifstream file(audit);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(text, "one\ntwo\ntorn by a cra\nthree\n");
}

TEST_F(CheckpointTest, PagesThatAreDamagedAreFoundBeforeAnythingIsSent) {
  {
    const auto checkpoint = Open().ValueOrDie();
    for (int file = 0; file < 100; ++file) {
      Deliver(file, 0, kRows);
    }
    ASSERT_TRUE(checkpoint->Save(ledger_->TakeChanges()).ok());
  }
  const fs::path path = folder() / "night.sqlite";
  const auto size = static_cast<std::streamoff>(fs::file_size(path));
  ASSERT_GT(size, 5 * 4096);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(size - 4096);
  file << std::string(4096, '\x55');
  file.close();
  EXPECT_THAT(Open().status().message(), HasSubstr("the file is damaged"));
}

TEST_F(CheckpointTest, NamesAreThoseOfFiles) {
  EXPECT_TRUE(Checkpoint::IsName("night-2.A_b"));
  for (const char* name : {"", ".hidden", "a/b", "a b", "..", "ä"}) {
    EXPECT_FALSE(Checkpoint::IsName(name)) << name;
  }
  EXPECT_FALSE(Checkpoint::IsName(std::string(101, 'a')));
}

std::unique_ptr<FileSummary> Child(const std::string& path, const std::string& digest) {
  auto child = std::make_unique<FileSummary>();
  child->kind = otap::TableKind::kLogAttrs;
  child->entry.path = path;
  child->entry.size_bytes = 7;
  child->digest = digest;
  return child;
}

TEST_F(CheckpointTest, ChildFilesThatWereSeenAreKnownToTheNext) {
  {
    const auto checkpoint = Open().ValueOrDie();
    ledger_->See(*Child("log_attrs/_part_id=a/0.parquet", "a"));
    ledger_->See(*Child("log_attrs/_part_id=a/1.parquet", "b"));
    ledger_->See(*Child("log_attrs/_part_id=a/2.parquet", "c"));
    Deliver(0, 0, kRows);
    Deliver(1, 0, kRows / 2);
    ASSERT_TRUE(checkpoint->Save(ledger_->TakeChanges()).ok());
    ledger_->ForgetChild("log_attrs/_part_id=a/2.parquet");
    ledger_->See(*Child("log_attrs/_part_id=a/1.parquet", "another"));
    ASSERT_TRUE(checkpoint->Save(ledger_->TakeChanges()).ok());
  }
  FileLedger next;
  const auto checkpoint = Open().ValueOrDie();
  const SeenChildren seen = checkpoint->LoadChildren().ValueOrDie();
  next.RestoreChildren(seen.children, seen.first_number);
  next.Restore(checkpoint->Load().ValueOrDie());
  EXPECT_TRUE(next.HasSeen(*Child("log_attrs/_part_id=a/0.parquet", "a")));
  EXPECT_FALSE(next.HasSeen(*Child("log_attrs/_part_id=a/0.parquet", "another")));
  EXPECT_FALSE(next.HasSeen(*Child("log_attrs/_part_id=a/1.parquet", "b")));
  EXPECT_TRUE(next.HasSeen(*Child("log_attrs/_part_id=a/1.parquet", "another")));
  EXPECT_FALSE(next.HasSeen(*Child("log_attrs/_part_id=a/2.parquet", "c")));
  EXPECT_TRUE(next.WasSent(IdOf(0), listed_));
  EXPECT_TRUE(next.WasSent(IdOf(1), listed_));
  EXPECT_FALSE(next.WasSent(IdOf(2), listed_));
}

TEST_F(CheckpointTest, WhatWasSentBeforeChildrenWereKeptIsNotJudged) {
  {
    const auto checkpoint = Open().ValueOrDie();
    Deliver(0, 0, kRows);
    ASSERT_TRUE(checkpoint->Save(ledger_->TakeChanges()).ok());
  }
  {
    // As a version without children has left it.
    bool is_damaged = false;
    const auto database =
        Database::Open((folder() / "night.sqlite").string(), false, &is_damaged).ValueOrDie();
    ASSERT_TRUE(database->Run("DROP TABLE children; DROP TABLE children_of;").ok());
  }
  {
    const auto checkpoint = Open().ValueOrDie();
    Deliver(1, 0, kRows);
    ASSERT_TRUE(checkpoint->Save(ledger_->TakeChanges()).ok());
  }
  FileLedger next;
  const auto checkpoint = Open().ValueOrDie();
  const SeenChildren seen = checkpoint->LoadChildren().ValueOrDie();
  next.RestoreChildren(seen.children, seen.first_number);
  next.Restore(checkpoint->Load().ValueOrDie());
  EXPECT_FALSE(next.WasSent(IdOf(0), listed_));
  EXPECT_TRUE(next.WasSent(IdOf(1), listed_));
}

TEST_F(CheckpointTest, AFileThatIsOpenedAgainIsSentByTheNext) {
  {
    const auto checkpoint = Open().ValueOrDie();
    Deliver(0, 0, kRows);
    Deliver(1, 0, kRows);
    ASSERT_TRUE(checkpoint->Save(ledger_->TakeChanges()).ok());
    const FileRecordPtr record = ledger_->Recognise(IdOf(1), kRows, listed_);
    {
      const auto claim = ledger_->Claim(record, this);
      EXPECT_EQ(ledger_->Reopen(IdOf(1), listed_), std::nullopt) << "it may be in flight";
    }
    EXPECT_EQ(ledger_->Reopen(IdOf(1), listed_), std::optional<int64_t>(kRows));
    EXPECT_EQ(ledger_->Reopen(IdOf(2), listed_), std::nullopt) << "nobody knows it";
    ASSERT_TRUE(checkpoint->Save(ledger_->TakeChanges()).ok());
  }
  auto again = std::make_shared<FileLedger>();
  FileLedger& next = *again;
  next.Restore(Open().ValueOrDie()->Load().ValueOrDie());
  EXPECT_TRUE(next.IsDelivered(next.Recognise(IdOf(0), kRows, listed_)));
  const FileRecordPtr record = next.Recognise(IdOf(1), kRows, listed_);
  EXPECT_FALSE(next.IsDelivered(record));
}

}  // namespace
}  // namespace df::lake
