#include "nodes/receivers/parquet/delivery_ledger.h"

#include <memory>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::nodes::receivers::parquet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
/// How the sending of a batch ends.
enum class Fate : uint8_t { kDelivered, kRefused, kUnknown };

std::unique_ptr<lake::FileSummary> FileOf(const std::string& name, std::vector<int64_t> row_groups,
                                          otap::TableKind kind = otap::TableKind::kSpans) {
  auto file = std::make_unique<lake::FileSummary>();
  file->kind = kind;
  file->entry = {.path = name, .size_bytes = 1000, .modified_nanos = 1};
  file->digest = "d";
  for (const int64_t rows : row_groups) {
    file->row_groups.push_back(
        {.num_rows = rows, .parent_ids = {}, .ids = {}, .resource_ids = {}, .scope_ids = {}});
  }
  return file;
}

lake::Origin Rows(int row_group, int64_t first, int64_t count) {
  return {
      .partition = "p", .file = "", .row_group = row_group, .first_row = first, .num_rows = count};
}

class DeliveryLedgerTest : public ::testing::Test {
 protected:
  DeliveryLedger::FilePtr Open(const std::unique_ptr<lake::FileSummary>& file) {
    return ledger_.Open("p", *file, &is_new_);
  }
  void Send(const DeliveryLedger::FilePtr& file, const lake::Origin& origin) {
    ledger_.OnRead(file.get(), origin);
    ledger_.OnSent(file.get(), origin, origin.num_rows);
  }
  void Send(const DeliveryLedger::FilePtr& file, const lake::Origin& origin, Fate fate) {
    Send(file, origin);
    if (fate != Fate::kUnknown) {
      const bool is_delivered = fate == Fate::kDelivered;
      ledger_.OnOutcome(file.get(), origin, is_delivered ? origin.num_rows : 0,
                        is_delivered ? 0 : origin.num_rows, 0);
    }
  }
  engine::SourceAccount Describe() const {
    engine::SourceAccount account;
    ledger_.Describe(&account);
    EXPECT_THAT(engine::BrokenSums(account), IsEmpty());
    return account;
  }
  static const engine::SignalAccount& Spans(const engine::SourceAccount& account) {
    return account.signals[static_cast<size_t>(otap::Signal::kTraces)];
  }

  DeliveryLedger ledger_;
  bool is_new_ = false;
};

/// Rows that nobody wants are no loss, and those of a batch go where the batch goes.
TEST_F(DeliveryLedgerTest, RowsThatNobodyWantsAreLeftOut) {
  const auto file = Open(FileOf("a", {100, 50}));
  lake::RowRanges unwanted;
  unwanted.Add(1, 0, 50);
  ledger_.OnSelectedOut(file.get(), unwanted);
  lake::Origin thin = Rows(0, 0, 40);
  thin.num_selected_out = 30;
  Send(file, thin, Fate::kDelivered);
  thin = Rows(0, 40, 60);
  thin.num_selected_out = 15;
  Send(file, thin, Fate::kRefused);
  const engine::SourceAccount account = Describe();
  const engine::SignalAccount& spans = Spans(account);
  EXPECT_EQ(spans.listed, 150);
  EXPECT_EQ(spans.selected_out, 95);
  EXPECT_EQ(spans.delivered, 10);
  EXPECT_EQ(spans.refused, 45);
  EXPECT_EQ(account.num_send_again, 1);
  EXPECT_THAT(spans.left_out, ElementsAre(Pair("selected_out", 95)));
  // Read again, and cut otherwise.
  thin = Rows(0, 40, 20);
  thin.num_selected_out = 5;
  Send(file, thin, Fate::kDelivered);
  thin = Rows(0, 60, 40);
  thin.num_selected_out = 10;
  Send(file, thin, Fate::kDelivered);
  EXPECT_EQ(Spans(Describe()).selected_out, 95);
  EXPECT_EQ(Spans(Describe()).delivered, 55);
  EXPECT_EQ(Describe().num_files_delivered, 1);
  ledger_.Release(file);
  EXPECT_EQ(Spans(Describe()).selected_out, 95);
  EXPECT_EQ(Spans(Describe()).delivered, 55);
}

/// Neither is delivered, and what was dropped by hand need not be sent again.
TEST_F(DeliveryLedgerTest, RowsInQuarantineAreMissedAndThoseDroppedFromItAreDoneWith) {
  const auto file = Open(FileOf("a", {100, 50}));
  lake::RowRanges delivered;
  delivered.Add(0, 0, 70);
  lake::RowRanges quarantined;
  quarantined.Add(0, 70, 20);
  lake::RowRanges dropped;
  dropped.Add(0, 90, 10);
  dropped.Add(1, 0, 5);
  ledger_.OnDeliveredBefore(file.get(), delivered);
  ledger_.OnQuarantinedBefore(file.get(), quarantined, dropped);
  Send(file, Rows(1, 5, 45), Fate::kDelivered);
  ledger_.OnEnd(file.get());
  const engine::SourceAccount account = Describe();
  EXPECT_EQ(Spans(account).listed, 150);
  EXPECT_EQ(Spans(account).delivered, 115);
  EXPECT_THAT(Spans(account).left_out, ElementsAre(Pair("dropped", 15), Pair("quarantined", 20)));
  EXPECT_EQ(account.num_files_delivered, 0);
  ASSERT_EQ(account.send_again.size(), 1u);
  EXPECT_EQ(account.send_again[0].reason, "quarantined");
  EXPECT_EQ(account.send_again[0].first_row, 70);
  EXPECT_EQ(account.send_again[0].num_rows, 20);

  const auto other = Open(FileOf("b", {10}));
  lake::RowRanges all;
  all.Add(0, 0, 10);
  ledger_.OnQuarantinedBefore(other.get(), {}, all);
  EXPECT_EQ(Describe().num_files_delivered, 1);
}

/// Rows for which the condition has no answer are missed, unlike those that nobody wants.
TEST_F(DeliveryLedgerTest, RowsWithoutAnAnswerHaveAReasonOfTheirOwn) {
  const auto file = Open(FileOf("a", {100}));
  lake::Origin thin = Rows(0, 0, 40);
  thin.num_selected_out = 20;
  thin.num_unanswered = 5;
  Send(file, thin, Fate::kDelivered);
  lake::Origin nothing = Rows(0, 40, 60);
  nothing.num_selected_out = 50;
  nothing.num_unanswered = 10;
  ledger_.OnLeftOut(file.get(), nothing);
  lake::RowRanges unwanted;
  unwanted.Add(0, 40, 60);
  ledger_.OnSelectedOut(file.get(), unwanted);  // as the reader says of it at the end
  const engine::SignalAccount spans = Spans(Describe());
  EXPECT_EQ(spans.listed, 100);
  EXPECT_EQ(spans.delivered, 15);
  EXPECT_EQ(spans.selected_out, 70);
  EXPECT_THAT(spans.left_out, ElementsAre(Pair("selected_out", 70), Pair("unanswered", 15)));
  ledger_.Release(file);
  EXPECT_THAT(Spans(Describe()).left_out,
              ElementsAre(Pair("selected_out", 70), Pair("unanswered", 15)));
}

/// What was known of batches that were cut otherwise does not count a second time.
TEST_F(DeliveryLedgerTest, ABatchThatIsCutAnewCountsOnce) {
  const auto file = Open(FileOf("a", {60}));
  lake::Origin thin = Rows(0, 0, 30);
  thin.num_selected_out = 10;
  Send(file, thin, Fate::kRefused);
  thin = Rows(0, 30, 30);
  thin.num_selected_out = 5;
  Send(file, thin, Fate::kRefused);
  thin = Rows(0, 0, 60);
  thin.num_selected_out = 15;
  Send(file, thin, Fate::kDelivered);
  EXPECT_EQ(Spans(Describe()).selected_out, 15);
  EXPECT_EQ(Spans(Describe()).delivered, 45);
}

TEST_F(DeliveryLedgerTest, EveryRowIsInOnePlace) {
  const auto file = Open(FileOf("a", {100, 50}));
  Send(file, Rows(0, 0, 40), Fate::kDelivered);
  Send(file, Rows(0, 40, 20), Fate::kRefused);
  Send(file, Rows(0, 60, 40), Fate::kUnknown);
  Send(file, Rows(1, 0, 10));
  ledger_.OnRead(file.get(), Rows(1, 10, 15));
  const engine::SourceAccount account = Describe();
  const engine::SignalAccount& spans = Spans(account);
  EXPECT_EQ(spans.listed, 150);
  EXPECT_EQ(spans.read, 125);
  EXPECT_EQ(spans.sent, 110);
  EXPECT_EQ(spans.delivered, 40);
  EXPECT_EQ(spans.refused, 20);
  EXPECT_EQ(spans.in_flight, 50);
  EXPECT_THAT(spans.left_out, ElementsAre(Pair("not_read", 25), Pair("read_not_sent", 15)));
  EXPECT_EQ(spans.items_in_flight, 50);
}

TEST_F(DeliveryLedgerTest, WhatToSendAgainIsNamedByRowGroup) {
  const auto file = Open(FileOf("a", {100, 50, 10}));
  Send(file, Rows(0, 0, 90), Fate::kDelivered);
  Send(file, Rows(0, 90, 10), Fate::kRefused);
  Send(file, Rows(1, 0, 50), Fate::kRefused);
  ledger_.OnEnd(file.get());
  const engine::SourceAccount account = Describe();
  ASSERT_EQ(account.send_again.size(), 3);
  const auto text = [&](size_t i) {
    const engine::RecordRange& range = account.send_again[i];
    return fmt::format("{} {} {} {} {}", range.file, range.row_group, range.first_row,
                       range.num_rows, range.reason);
  };
  EXPECT_EQ(text(0), "a 0 90 10 refused");
  EXPECT_EQ(text(1), "a 1 0 50 refused");
  EXPECT_EQ(text(2), "a 2 0 10 unreadable");
  ASSERT_EQ(account.unfinished.size(), 1);
  EXPECT_EQ(account.unfinished[0].num_delivered, 90);
  EXPECT_EQ(account.unfinished[0].reason, "refused");
}

TEST_F(DeliveryLedgerTest, WhatIsSentAgainCountsOnceAsRecordsAndEachTimeAsItems) {
  const auto file = Open(FileOf("a", {10}));
  EXPECT_TRUE(is_new_);
  Send(file, Rows(0, 0, 6), Fate::kDelivered);
  Send(file, Rows(0, 6, 4), Fate::kUnknown);
  EXPECT_EQ(Open(FileOf("a", {10})), file) << "the same content at the same place";
  EXPECT_FALSE(is_new_);
  Send(file, Rows(0, 0, 6), Fate::kDelivered);
  Send(file, Rows(0, 6, 4), Fate::kDelivered);
  const engine::SourceAccount account = Describe();
  EXPECT_EQ(Spans(account).listed, 10);
  EXPECT_EQ(Spans(account).delivered, 10);
  EXPECT_EQ(Spans(account).items_delivered, 16);
  EXPECT_EQ(Spans(account).items_in_flight, 4) << "the first sending of these has no outcome";
  EXPECT_THAT(account.send_again, IsEmpty());
}

TEST_F(DeliveryLedgerTest, FilesDeliveredWholeAreKeptAsSums) {
  for (int i = 0; i < 100; ++i) {
    const auto file = Open(FileOf(fmt::format("{}", i), {10}));
    Send(file, Rows(0, 0, 10), Fate::kDelivered);
    ledger_.OnEnd(file.get());
    ledger_.Release(file);
    EXPECT_EQ(file.use_count(), 1) << "nobody else has it";
  }
  const engine::SourceAccount account = Describe();
  EXPECT_EQ(Spans(account).delivered, 1000);
  EXPECT_EQ(account.num_files, 100);
  EXPECT_EQ(account.num_files_delivered, 100);
  EXPECT_EQ(account.num_bytes, 100'000);
}

TEST_F(DeliveryLedgerTest, OfMoreFilesThanAreKeptTheSumsStillHold) {
  const auto num_files = static_cast<int64_t>(DeliveryLedger::kMaxFiles) + 10;
  for (int64_t i = 0; i < num_files; ++i) {
    const auto file = Open(FileOf(fmt::format("{}", i), {2}));
    Send(file, Rows(0, 0, 1), Fate::kRefused);
    ledger_.OnEnd(file.get());
    ledger_.Release(file);
  }
  const engine::SourceAccount account = Describe();
  EXPECT_EQ(Spans(account).listed, 2 * num_files);
  EXPECT_EQ(Spans(account).refused, num_files);
  EXPECT_THAT(Spans(account).left_out, ElementsAre(Pair("unreadable", num_files)));
  EXPECT_EQ(account.num_unfinished, num_files);
  EXPECT_EQ(account.unfinished.size(), engine::SourceAccount::kMaxListed);
  EXPECT_EQ(account.send_again.size(), engine::SourceAccount::kMaxListed);
}

TEST_F(DeliveryLedgerTest, AnEmptyFileIsDelivered) {
  const auto file = Open(FileOf("a", {}));
  ledger_.OnEnd(file.get());
  ledger_.Release(file);
  EXPECT_EQ(Describe().num_files_delivered, 1);
}

TEST_F(DeliveryLedgerTest, WhereSomeItemsWereRefusedItsRowsAreNotDelivered) {
  const DeliveryLedger::FilePtr opened = Open(FileOf("a", {10}));
  Send(opened, Rows(0, 0, 10));
  ledger_.OnOutcome(opened.get(), Rows(0, 0, 10), 7, 3, 0);
  ledger_.OnEnd(opened.get());
  ledger_.Release(opened);
  const engine::SourceAccount account = Describe();
  EXPECT_EQ(Spans(account).refused, 10);
  EXPECT_EQ(Spans(account).delivered, 0);
  EXPECT_EQ(Spans(account).items_delivered, 7);
  EXPECT_EQ(account.num_unfinished, 1) << "it is told what to look at again";
}

TEST_F(DeliveryLedgerTest, DeadLettersAreRefusedAndNotToBeSentAgain) {
  const DeliveryLedger::FilePtr opened = Open(FileOf("a", {10, 10}));
  Send(opened, Rows(0, 0, 10));
  ledger_.OnOutcome(opened.get(), Rows(0, 0, 10), 0, 10, 10);
  Send(opened, Rows(1, 0, 5));
  ledger_.OnOutcome(opened.get(), Rows(1, 0, 5), 3, 2, 2);
  Send(opened, Rows(1, 5, 5));
  ledger_.OnOutcome(opened.get(), Rows(1, 5, 5), 0, 5, 0);
  ledger_.OnEnd(opened.get());
  const engine::SourceAccount account = Describe();
  EXPECT_EQ(Spans(account).refused, 20);
  EXPECT_EQ(Spans(account).dead_letters, 15);
  EXPECT_EQ(Spans(account).items_refused, 17);
  EXPECT_EQ(Spans(account).items_dead_letters, 12);
  ASSERT_EQ(account.send_again.size(), 1U) << "what is among the dead letters is sent from there";
  EXPECT_EQ(account.send_again[0].first_row, 5);
  EXPECT_EQ(account.send_again[0].reason, "refused");
  ASSERT_EQ(account.unfinished.size(), 1U);
  EXPECT_EQ(account.unfinished[0].reason, "dead_letter");
}

TEST_F(DeliveryLedgerTest, DigestsAreToldWhereTheyAreAskedFor) {
  EXPECT_THAT(Describe().digests, IsEmpty());
  ledger_.KeepDigests();
  ledger_.OnDigest(otap::Signal::kTraces, {.count = 2, .sum = {.high = 1, .low = UINT64_MAX}});
  ledger_.OnDigest(otap::Signal::kTraces, {.count = 3, .sum = {.high = 0, .low = 2}});
  ledger_.OnWithoutDigest(otap::Signal::kTraces, 7);
  const auto digests = Describe().digests;
  ASSERT_EQ(digests.size(), otap::kAllSignals.size());
  const engine::SignalDigest& spans = digests[static_cast<size_t>(otap::Signal::kTraces)];
  EXPECT_EQ(spans.num_items, 5);
  EXPECT_EQ(spans.sum, "00000000000000020000000000000001");
  EXPECT_EQ(spans.num_without, 7);
  EXPECT_EQ(digests[static_cast<size_t>(otap::Signal::kLogs)].num_items, 0);
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
