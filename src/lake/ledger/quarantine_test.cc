#include "lake/ledger/quarantine.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/ledger/file_ledger.h"

namespace df::lake {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kRows = 100;

QuarantineEntry AnEntry() {
  QuarantineEntry entry{.cause = QuarantineCause::kRefused,
                        .table = otap::TableKind::kSpans,
                        .path = "spans/_part_id=a/ä.parquet",
                        .size_bytes = 7,
                        .modified_nanos = 8,
                        .file = 9,
                        .rows = {},
                        .reason = "the server said \"no\"",
                        .since_unix_nano = 10,
                        .is_dropped = true};
  entry.rows.Add(0, 10, 5);
  entry.rows.Add(3, 0, 1);
  return entry;
}

FileId IdOf(const std::string& path) {
  return {.table = otap::TableKind::kLogs,
          .partition = "_part_id=a",
          .path = path,
          .digest = "digest of " + path,
          .size_bytes = 10,
          .modified_nanos = 1,
          .number = {},
          .content = std::nullopt};
}

FileEntry EntryOf(const std::string& path, int64_t size_bytes, int64_t modified_nanos) {
  FileEntry entry;
  entry.path = path;
  entry.size_bytes = size_bytes;
  entry.modified_nanos = modified_nanos;
  return entry;
}

TEST(QuarantineEntry, IsReadAsItWasWritten) {
  const std::string text = WriteQuarantineEntry(AnEntry()).ValueOrDie();
  const QuarantineEntry read = ReadQuarantineEntry(text).ValueOrDie();
  EXPECT_EQ(WriteQuarantineEntry(read).ValueOrDie(), text);
  EXPECT_EQ(read.rows.num_rows(), 6);
  EXPECT_EQ(read.table, otap::TableKind::kSpans);
  EXPECT_TRUE(read.is_dropped);
}

TEST(QuarantineEntry, WhatIsWrongWithOneIsNamed) {
  const std::string good = WriteQuarantineEntry(AnEntry()).ValueOrDie();
  const auto refusal = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return ReadQuarantineEntry(text).status().message();
  };
  EXPECT_THAT(refusal("\"refused\"", "\"lost\""), HasSubstr("cause: expected"));
  EXPECT_THAT(refusal("\"spans\"", "\"spams\""), HasSubstr("table: expected"));
  EXPECT_THAT(refusal("[0,10,5]", "[0,10]"), HasSubstr("rows: expected"));
  EXPECT_THAT(refusal("[0,10,5]", "[0,-1,5]"), HasSubstr("rows: expected"));
  EXPECT_THAT(refusal("[0,10,5]", "[0,9223372036854775807,5]"), HasSubstr("rows: expected"));
  EXPECT_THAT(refusal("\"dropped\":true", "\"dropped\":1"), HasSubstr("dropped: expected"));
  EXPECT_THAT(ReadQuarantineEntry("[]").status().message(), HasSubstr("found no object"));
  QuarantineEntry unnamed = AnEntry();
  unnamed.path = "\xff";
  EXPECT_TRUE(WriteQuarantineEntry(unnamed).status().IsInvalid());
}

/// A process that keeps a quarantine; the next one goes on with what it has saved.
struct Process {
  explicit Process(const FileLedger::Changes& saved = {}) {
    ledger->Restore(saved.delivered);
    ledger->KeepChanges();
    ledger->KeepQuarantine(saved.quarantined);
  }
  std::shared_ptr<FileClaim> Claim(const std::string& path) {
    return ledger->Claim(ledger->Recognise(IdOf(path), kRows, {}), this);
  }
  std::shared_ptr<FileLedger> ledger = std::make_shared<FileLedger>();
};

TEST(Quarantine, RowsThatWereRefusedForGoodAreTakenAndNotDelivered) {
  Process first;
  {
    const auto claim = first.Claim("a");
    claim->Send(0, 0, 20).Ack();
    claim->Send(0, 40, 10).RefuseForGood("no");
    claim->Send(0, 50, 10).RefuseForGood("no");
    claim->Send(0, 60, 10).RefuseForGood("other");
    claim->Send(0, 70, 10).Refuse();
    claim->Send(0, 20, 20).Ack();
  }
  const FileLedger::Changes saved = first.ledger->TakeChanges();
  ASSERT_THAT(saved.quarantined, SizeIs(2)) << "one for each reason";
  EXPECT_EQ(saved.quarantined[0].rows.num_rows(), 20);
  EXPECT_TRUE(first.ledger->TakeChanges().empty());
  EXPECT_THAT(first.ledger->QuarantinedBefore(), IsEmpty());

  Process second(saved);
  const auto claim = second.Claim("a");
  EXPECT_EQ(claim->num_taken(), 70) << "what was refused temporarily is tried again";
  EXPECT_EQ(claim->Quarantined().num_rows(), 30);
  EXPECT_THAT(second.ledger->QuarantinedBefore(), SizeIs(2));
  claim->Send(0, 70, 30).Ack();
  EXPECT_FALSE(second.ledger->IsDelivered(second.ledger->Recognise(IdOf("a"), kRows, {})));
  // A new entry has a number of its own.
  second.Claim("b")->Send(0, 0, 1).RefuseInPart("no");
  EXPECT_EQ(second.ledger->TakeChanges().quarantined.back().number, 3);
}

// A wrong token would put the whole archive into quarantine.
TEST(Quarantine, WhoTakesNothingHasRefusedTheSender) {
  Process first;
  {
    const auto claim = first.Claim("a");
    claim->Send(0, 0, 10).Ack();
    claim->Send(0, 10, 90).RefuseForGood("401");
    auto spans = IdOf("b");
    spans.table = otap::TableKind::kSpans;
    first.ledger->Claim(first.ledger->Recognise(spans, kRows, {}), &first)->Send(0, 0, 1).Ack();
  }
  const FileLedger::Changes saved = first.ledger->TakeChanges();
  EXPECT_THAT(saved.quarantined, IsEmpty()) << "spans may go to another server";
  EXPECT_EQ(Process(saved).Claim("a")->num_taken(), 10);
  first.Claim("c")->Send(0, 0, 1).Ack();
  EXPECT_THAT(first.ledger->TakeChanges().quarantined, SizeIs(1));
}

TEST(Quarantine, WithoutOneEverythingIsTriedAgain) {
  const auto ledger = std::make_shared<FileLedger>();
  ledger->KeepChanges();
  const int owner = 0;
  {
    const auto claim = ledger->Claim(ledger->Recognise(IdOf("a"), kRows, {}), &owner);
    claim->Send(0, 0, 10).RefuseForGood("no");
    claim->Send(0, 10, 10).RefuseInPart("no");
    EXPECT_EQ(claim->num_taken(), 20);
  }
  EXPECT_TRUE(ledger->TakeChanges().empty());
  EXPECT_EQ(ledger->Claim(ledger->Recognise(IdOf("a"), kRows, {}), &owner)->num_taken(), 0);
}

TEST(Quarantine, WhatWasDroppedIsTakenToo) {
  Process first;
  first.Claim("a")->Send(0, 0, kRows).RefuseInPart("no");
  FileLedger::Changes saved = first.ledger->TakeChanges();
  saved.quarantined.front().is_dropped = true;
  Process second(saved);
  const auto claim = second.Claim("a");
  EXPECT_EQ(claim->num_taken(), kRows);
  EXPECT_EQ(claim->Dropped().num_rows(), kRows);
  EXPECT_TRUE(claim->Quarantined().empty());
}

TEST(Quarantine, AFileIsSetAsideAsLongAsItIsTheSame) {
  Process first;
  first.ledger->SetAside(otap::TableKind::kLogAttrs, EntryOf("a", 10, 1), "no footer");
  EXPECT_FALSE(first.ledger->FindSetAside(EntryOf("a", 10, 1)).has_value())
      << "this process tries as it always has";
  Process second(first.ledger->TakeChanges());
  ASSERT_TRUE(second.ledger->FindSetAside(EntryOf("a", 10, 1)).has_value());
  EXPECT_EQ(second.ledger->FindSetAside(EntryOf("a", 10, 1))->reason, "no footer");
  EXPECT_FALSE(second.ledger->FindSetAside(EntryOf("a", 11, 1)).has_value());
  EXPECT_FALSE(second.ledger->FindSetAside(EntryOf("a", 10, 2)).has_value());
  EXPECT_FALSE(second.ledger->FindSetAside(EntryOf("b", 10, 1)).has_value());
  second.ledger->ReleaseSetAside("a");
  EXPECT_THAT(second.ledger->TakeChanges().released, ::testing::ElementsAre(1));
  EXPECT_THAT(second.ledger->QuarantinedBefore(), IsEmpty());
}

}  // namespace
}  // namespace df::lake
