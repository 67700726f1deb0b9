#include "engine/memory_account.h"

#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/simulated_clock.h"

namespace df::engine {
namespace {

class MemoryAccountTest : public ::testing::Test {
 protected:
  static runtime::Task<> Wait(MemoryAccount* account, int64_t size_bytes, int number,
                              std::vector<int>* order) {
    co_await account->WaitForRoom(size_bytes);
    order->push_back(number);
  }

  testing::SimulatedClock clock_;
  runtime::EventLoop loop_{clock_};
};

TEST_F(MemoryAccountTest, TellsEveryChangeOfPressureOnce) {
  MemoryAccount account(&loop_, {.soft_bytes = 100, .hard_bytes = 200});
  std::vector<MemoryPressure> told;
  account.OnChange([&told](MemoryPressure pressure) { told.push_back(pressure); });
  {
    const MemoryCharge first = account.Charge(100);
    EXPECT_EQ(account.pressure(), MemoryPressure::kNormal);
    const MemoryCharge second = account.Charge(1);
    const MemoryCharge third = account.Charge(100);
    EXPECT_EQ(account.pressure(), MemoryPressure::kHard);
  }
  EXPECT_THAT(told, ::testing::ElementsAre(MemoryPressure::kSoft, MemoryPressure::kHard,
                                           MemoryPressure::kSoft, MemoryPressure::kNormal));
  EXPECT_EQ(account.used_bytes(), 0);
  EXPECT_EQ(account.peak_bytes(), 201);
}

TEST_F(MemoryAccountTest, ABatchGoesOnWhenNothingElseIsHeld) {
  MemoryAccount account(&loop_, {.soft_bytes = 100, .hard_bytes = 200});
  const MemoryCharge charge = account.Charge(5000);
  EXPECT_TRUE(account.Admits(5000));
}

TEST_F(MemoryAccountTest, WaitersGoOnInTheirOrder) {
  MemoryAccount account(&loop_, {.soft_bytes = 100, .hard_bytes = 200});
  std::vector<MemoryCharge> held;
  held.push_back(account.Charge(150));
  held.push_back(account.Charge(50));
  held.push_back(account.Charge(30));
  std::vector<int> order;
  runtime::Task<> first = Wait(&account, 50, 1, &order);
  runtime::Task<> second = Wait(&account, 30, 2, &order);
  first.Start();
  second.Start();
  loop_.RunUntilIdle();
  EXPECT_THAT(order, ::testing::IsEmpty());
  held[0].Release();
  loop_.RunUntilIdle();
  EXPECT_THAT(order, ::testing::ElementsAre(1, 2));
}

TEST_F(MemoryAccountTest, TwoThatWaitDoNotWaitForEachOther) {
  MemoryAccount account(&loop_, {.soft_bytes = 100, .hard_bytes = 200});
  MemoryCharge held = account.Charge(90);
  MemoryCharge first_charge = account.Charge(80);
  MemoryCharge second_charge = account.Charge(70);
  std::vector<int> order;
  runtime::Task<> first = Wait(&account, 80, 1, &order);
  runtime::Task<> second = Wait(&account, 70, 2, &order);
  first.Start();
  second.Start();
  loop_.RunUntilIdle();
  EXPECT_THAT(order, ::testing::IsEmpty());
  held.Release();
  loop_.RunUntilIdle();
  EXPECT_THAT(order, ::testing::ElementsAre(1)) << "the second would exceed the limit";
  first_charge.Release();
  loop_.RunUntilIdle();
  EXPECT_THAT(order, ::testing::ElementsAre(1, 2));
}

TEST_F(MemoryAccountTest, AWaiterThatIsDestroyedHoldsNobodyBack) {
  MemoryAccount account(&loop_, {.soft_bytes = 100, .hard_bytes = 200});
  MemoryCharge held = account.Charge(150);
  std::vector<int> order;
  {
    runtime::Task<> gone = Wait(&account, 50, 1, &order);
    gone.Start();
  }
  runtime::Task<> stays = Wait(&account, 50, 2, &order);
  stays.Start();
  held.Release();
  loop_.RunUntilIdle();
  EXPECT_THAT(order, ::testing::ElementsAre(2));
}

// However charges move, the account holds exactly the sum of the live ones.
TEST_F(MemoryAccountTest, IsTheSumOfTheLiveCharges) {
  const uint32_t seed = ::testing::UnitTest::GetInstance()->random_seed();
  SCOPED_TRACE(::testing::Message() << "seed " << seed << " (GTEST_RANDOM_SEED)");
  std::mt19937 random(seed);
  MemoryAccount account(&loop_, {.soft_bytes = 100, .hard_bytes = 200});
  std::vector<MemoryCharge> slots(8);
  for (int i = 0; i < 2000; ++i) {
    const size_t slot = random() % slots.size();
    if (random() % 2 == 0) {
      slots[slot] = account.Charge(random() % 50);
    } else {
      slots[slot] = std::move(slots[random() % slots.size()]);
    }
    int64_t sum = 0;
    for (const MemoryCharge& charge : slots) {
      sum += charge.size_bytes();
    }
    ASSERT_EQ(account.used_bytes(), sum);
  }
  slots.clear();
  EXPECT_EQ(account.used_bytes(), 0);
}

}  // namespace
}  // namespace df::engine
