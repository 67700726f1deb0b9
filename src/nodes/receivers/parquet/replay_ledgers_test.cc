#include "nodes/receivers/parquet/replay_ledgers.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace df::nodes::receivers::parquet {
namespace {

ReplayName NameOf(size_t i) { return {"default", "p" + std::to_string(i), "receiver", "/lake"}; }

TEST(ReplayLedgers, ANameKeepsItsLedgerWhileNothingUsesIt) {
  ReplayLedgers ledgers;
  const std::weak_ptr<lake::FileLedger> first = ledgers.Of(NameOf(0));
  EXPECT_EQ(ledgers.Of(NameOf(0)), first.lock());
  EXPECT_NE(ledgers.Of(NameOf(1)), first.lock());
  EXPECT_NE(ledgers.Of({"default", "p0", "receiver", "/other"}), first.lock());
}

TEST(ReplayLedgers, OfNamesThatNothingUsesOnlyTheLastAreKept) {
  ReplayLedgers ledgers;
  const auto used = ledgers.Of(NameOf(0));
  std::weak_ptr<lake::FileLedger> old = ledgers.Of(NameOf(1));
  std::weak_ptr<lake::FileLedger> asked_again = ledgers.Of(NameOf(2));
  for (size_t i = 3; i < ReplayLedgers::kMostUnused + 3; ++i) {
    ledgers.Of(NameOf(i));
    ledgers.Of(NameOf(2));
  }
  EXPECT_TRUE(old.expired());
  EXPECT_FALSE(asked_again.expired());
  for (size_t i = 0; i < 1000; ++i) {
    ledgers.Of(NameOf(10'000 + i));
    ASSERT_LE(ledgers.size(), ReplayLedgers::kMostUnused + 2) << i;
  }
  EXPECT_EQ(ledgers.Of(NameOf(0)), used) << "a ledger in use stays, however old";
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
