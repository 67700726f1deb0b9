#include "engine/account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// 100 spans: 70 delivered, 10 refused, 5 in flight, 12 not sent, 3 unreadable.
SourceAccount Whole() {
  SignalAccount signal{.signal = otap::Signal::kTraces};
  signal.listed = 100;
  signal.read = 97;
  signal.sent = 85;
  signal.delivered = 70;
  signal.refused = 10;
  signal.in_flight = 5;
  signal.left_out = {{"read_not_sent", 12}, {"unreadable", 3}};
  signal.items_sent = 90;
  signal.items_delivered = 75;
  signal.items_refused = 10;
  signal.items_in_flight = 5;
  SourceAccount account;
  account.signals.push_back(signal);
  return account;
}

TEST(BrokenSums, NothingIsSaidOfSumsThatHold) { EXPECT_THAT(BrokenSums(Whole()), IsEmpty()); }

TEST(BrokenSums, EachLawIsChecked) {
  const auto broken = [](auto change) {
    SourceAccount account = Whole();
    change(&account);
    return BrokenSums(account);
  };
  EXPECT_THAT(broken([](SourceAccount* account) { ++account->signals[0].listed; }),
              ElementsAre(HasSubstr("traces do not hold: listed = sent + left out: found 101 and "
                                    "100")));
  EXPECT_THAT(broken([](SourceAccount* account) { --account->signals[0].delivered; }),
              ElementsAre(HasSubstr("sent = delivered + refused + in flight: found 85 and 84")));
  EXPECT_THAT(broken([](SourceAccount* account) {
                account->signals[0].dead_letters = account->signals[0].refused + 1;
              }),
              ElementsAre(HasSubstr("among the dead letters, expected no more than")));
  EXPECT_THAT(broken([](SourceAccount* account) { ++account->signals[0].items_refused; }),
              ElementsAre(HasSubstr("items sent = delivered + refused + in flight")));
  EXPECT_THAT(broken([](SourceAccount* account) { account->signals[0].read = 84; }),
              ElementsAre(HasSubstr("expected no rise")));
  EXPECT_THAT(broken([](SourceAccount* account) { account->broken_sums = {"spans: 1 and 2"}; }),
              ElementsAre("spans: 1 and 2"));
}

}  // namespace
}  // namespace df::engine
