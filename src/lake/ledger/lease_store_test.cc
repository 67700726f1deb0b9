#include "lake/ledger/lease_store.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using namespace std::chrono_literals;
using df::testing::TemporaryFolder;
using ::testing::HasSubstr;

constexpr std::chrono::nanoseconds kTtl = 30s;

/// One process: a connection of its own, and the clock of the machine that all have.
class Owner {
 public:
  Owner(const std::string& path, const MachineTime* now) {
    bool is_damaged = false;
    database_ = *Database::Open(path, /*is_read_only=*/false, &is_damaged);
    store_ = std::make_unique<LeaseStore>(database_.get(), [now] { return *now; });
    EXPECT_OK(store_->Prepare());
  }

  static void EXPECT_OK(const Status& status) { EXPECT_TRUE(status.ok()) << status.ToString(); }

  Status Join(const std::string& settings = "all", std::chrono::nanoseconds ttl = kTtl) {
    return InTransaction([&] { return store_->Join(1, ttl, settings); }, true);
  }
  bool Acquire(const std::string& unit) {
    std::vector<std::optional<int64_t>> tokens;
    EXPECT_OK(InTransaction([&]() -> Status {
      ARROW_ASSIGN_OR_RAISE(tokens, store_->Acquire(std::vector<LeaseUnit>{{unit, unit}}));
      return Status::OK();
    }));
    last_token_ = tokens.front();
    return tokens.front().has_value();
  }
  std::vector<std::string> Renew() {
    std::vector<std::string> lost;
    EXPECT_OK(InTransaction(
        [&]() -> Status {
          ARROW_ASSIGN_OR_RAISE(lost, store_->Renew());
          return Status::OK();
        },
        true));
    return lost;
  }
  /// Adds one to what is saved of the unit. Returns whether it was let.
  bool Save(const std::string& unit) {
    bool is_held = false;
    EXPECT_OK(InTransaction([&]() -> Status {
      ARROW_ASSIGN_OR_RAISE(is_held, store_->Holds(unit));
      return Status::OK();
    }));
    if (!is_held) {
      store_->Forget(std::vector<std::string>{unit});
    }
    return is_held;
  }
  void Release(const std::string& unit) {
    EXPECT_OK(InTransaction([&] { return store_->Release(unit); }));
    store_->Forget(std::vector<std::string>{unit});
  }
  /// Ends inside a transaction that has taken a unit.
  void DieWhileTaking(const std::string& unit) {
    EXPECT_OK(database_->Run("BEGIN IMMEDIATE"));
    EXPECT_TRUE(store_->Acquire(std::vector<LeaseUnit>{{unit, unit}}).ok());
    store_.reset();
    database_.reset();
  }
  LeaseStore& store() { return *store_; }
  std::optional<int64_t> last_token() const { return last_token_; }

 private:
  template <typename Change>
  Status InTransaction(Change change, bool commits = false) {
    ARROW_RETURN_NOT_OK(database_->Run("BEGIN IMMEDIATE"));
    const Status status = change();
    ARROW_RETURN_NOT_OK(database_->Run(status.ok() ? "COMMIT" : "ROLLBACK"));
    if (status.ok() && commits) {
      store_->Commit();
    }
    return status;
  }

  std::unique_ptr<Database> database_;
  std::unique_ptr<LeaseStore> store_;
  std::optional<int64_t> last_token_;
};

class LeaseStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<Owner> NewOwner() {
    auto owner = std::make_unique<Owner>((folder_.path() / "night.sqlite").string(), &now_);
    const Status joined = owner->Join();
    EXPECT_TRUE(joined.ok()) << joined.ToString();
    return owner;
  }

  TemporaryFolder folder_;
  MachineTime now_{.boot = "first", .since_boot = 1000s};
};

TEST_F(LeaseStoreTest, TakesOverWhenTheTimeToLiveIsOverAndNotBefore) {
  const auto first = NewOwner();
  const auto second = NewOwner();
  EXPECT_TRUE(first->Acquire("a"));
  now_.since_boot += kTtl - 1ns;
  EXPECT_FALSE(second->Acquire("a"));
  EXPECT_TRUE(second->Renew().empty());
  now_.since_boot += 1ns;
  EXPECT_LE(first->store().term_end(), now_.since_boot) << "two would send";
  EXPECT_TRUE(second->Acquire("a"));
}

TEST_F(LeaseStoreTest, RefusesTheProgressOfAnOwnerThatWasTakenOverFrom) {
  const auto first = NewOwner();
  EXPECT_TRUE(first->Acquire("a"));
  EXPECT_TRUE(first->Acquire("b"));
  now_.since_boot += kTtl;
  const auto second = NewOwner();
  EXPECT_TRUE(second->Acquire("a"));
  EXPECT_FALSE(first->Save("a"));
  EXPECT_TRUE(first->Save("b")) << "nobody has taken it over";
}

TEST_F(LeaseStoreTest, NamesWhatWasTakenOverWhenItRenewsAndKeepsTheRest) {
  const auto first = NewOwner();
  EXPECT_TRUE(first->Acquire("a"));
  EXPECT_TRUE(first->Acquire("b"));
  now_.since_boot += kTtl;
  EXPECT_FALSE(first->Acquire("c")) << "its term is over";
  const auto second = NewOwner();
  EXPECT_TRUE(second->Acquire("a"));
  EXPECT_EQ(first->Renew(), std::vector<std::string>{"a"});
  EXPECT_TRUE(first->Save("b"));
  EXPECT_FALSE(second->Acquire("b"));
}

TEST_F(LeaseStoreTest, ATokenIsNotValidAgainWhenItsOwnerTakesTheUnitBack) {
  const auto first = NewOwner();
  EXPECT_TRUE(first->Acquire("a"));
  const auto before = first->last_token();
  now_.since_boot += kTtl;
  const auto second = NewOwner();
  EXPECT_TRUE(second->Acquire("a"));
  second->Release("a");
  EXPECT_EQ(first->Renew(), std::vector<std::string>{"a"});
  EXPECT_TRUE(first->Acquire("a"));
  EXPECT_GT(*first->last_token(), *second->last_token());
  EXPECT_GT(*second->last_token(), *before);
}

TEST_F(LeaseStoreTest, OwnersOfAnEarlierStartOfTheMachineHaveExpired) {
  const auto first = NewOwner();
  EXPECT_TRUE(first->Acquire("a"));
  now_ = {.boot = "second", .since_boot = 5s};
  const auto second = NewOwner();
  EXPECT_TRUE(second->Acquire("a"));
}

TEST_F(LeaseStoreTest, RefusesOwnersThatSendSomethingElseAndNamesBoth) {
  const auto first = NewOwner();
  Owner other((folder_.path() / "night.sqlite").string(), &now_);
  const Status refused = other.Join("logs");
  EXPECT_TRUE(refused.IsInvalid());
  EXPECT_THAT(refused.message(),
              HasSubstr("process 1 shares it and sends all; this one sends logs"));
  now_.since_boot += kTtl;
  EXPECT_TRUE(other.Join("logs").ok()) << "nobody of other settings is there any more";
}

TEST_F(LeaseStoreTest, ARenewalThatFailsExtendsNothing) {
  const auto first = NewOwner();
  const auto before = first->store().term_end();
  now_.since_boot += 10s;
  ASSERT_TRUE(first->store().Renew().ok());  // and no Commit
  EXPECT_EQ(first->store().term_end(), before);
}

TEST_F(LeaseStoreTest, SaysWhoHoldsWhatAndForHowLong) {
  const auto first = NewOwner();
  EXPECT_TRUE(first->Acquire("a"));
  now_.since_boot += 7s;
  const auto holders = *first->store().Holders();
  ASSERT_EQ(holders.size(), 1U);
  EXPECT_EQ(holders[0].renewed_ago, std::optional<std::chrono::nanoseconds>(7s));
  EXPECT_FALSE(holders[0].is_expired);
  ASSERT_EQ(holders[0].leases.size(), 1U);
  EXPECT_EQ(holders[0].leases[0].path, "a");
  EXPECT_EQ(holders[0].leases[0].held_for, 7s);
}

/// What leases are, said as plainly as can be.
struct Model {
  struct Held {
    int owner;
    int64_t token;
  };
  std::map<int, std::chrono::nanoseconds> ends;  ///< by owner: of its term
  std::map<std::string, Held> held;
  std::map<std::pair<int, std::string>, int64_t> believed;  ///< tokens
  int64_t last_token = 0;

  bool Acquire(int owner, const std::string& unit, std::chrono::nanoseconds now) {
    if (now >= ends[owner]) {
      return false;
    }
    const auto found = held.find(unit);
    const bool is_own = found != held.end() && found->second.owner == owner;
    if (found != held.end() && !is_own && now < ends[found->second.owner]) {
      return false;
    }
    if (!is_own || !believed.contains({owner, unit}) ||
        believed[{owner, unit}] != found->second.token) {
      held[unit] = {owner, ++last_token};
      believed[{owner, unit}] = last_token;
    }
    return true;
  }
  bool Holds(int owner, const std::string& unit) const {
    const auto found = held.find(unit);
    const auto own = believed.find({owner, unit});
    return found != held.end() && own != believed.end() && found->second.owner == owner &&
           found->second.token == own->second;
  }
};

TEST_F(LeaseStoreTest, AgreesWithANaiveModelInEverySchedule) {
  const char* const asked = std::getenv("OTAP_SEED");
  const uint64_t seed = asked == nullptr ? std::random_device()() : std::stoull(asked);
  SCOPED_TRACE(::testing::Message() << "OTAP_SEED=" << seed);
  std::mt19937_64 random(seed);
  const auto pick = [&random](int64_t below) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(below));
  };
  std::map<int, std::unique_ptr<Owner>> owners;
  Model model;
  int last_owner = 0;
  const auto add = [&] {
    owners[++last_owner] = NewOwner();
    model.ends[last_owner] = now_.since_boot + kTtl;
  };
  for (int i = 0; i < 3; ++i) {
    add();
  }
  for (int step = 0; step < 1500 && !HasFailure(); ++step) {
    SCOPED_TRACE(::testing::Message() << "step " << step);
    auto chosen = owners.begin();
    std::advance(chosen, pick(std::ssize(owners)));
    const int id = chosen->first;
    Owner& owner = *chosen->second;
    const std::string unit(1, static_cast<char>('a' + pick(5)));
    switch (pick(8)) {
      case 0:
        now_.since_boot += std::chrono::seconds(pick(40));
        break;
      case 1:
      case 2:
        EXPECT_EQ(owner.Acquire(unit), model.Acquire(id, unit, now_.since_boot));
        break;
      case 3: {
        std::set<std::string> expected;
        for (const auto& [key, token] : model.believed) {
          if (key.first == id && !model.Holds(id, key.second)) {
            expected.insert(key.second);
          }
        }
        const auto lost = owner.Renew();
        EXPECT_EQ(std::set<std::string>(lost.begin(), lost.end()), expected);
        for (const std::string& one : expected) {
          model.believed.erase({id, one});
        }
        model.ends[id] = now_.since_boot + kTtl;
        break;
      }
      case 4:
      case 5: {
        const bool expected = model.Holds(id, unit);
        EXPECT_EQ(owner.Save(unit), expected);
        if (!expected) {
          model.believed.erase({id, unit});
        }
        break;
      }
      case 6:
        if (model.Holds(id, unit)) {
          model.held.erase(unit);
        }
        model.believed.erase({id, unit});
        owner.Release(unit);
        break;
      case 7:  // killed, at times inside a transaction, which then never was
        if (pick(2) == 0) {
          owner.DieWhileTaking(unit);
        }
        owners.erase(chosen);
        add();
        break;
    }
    // Nobody has what another one may send by its own clock.
    std::map<std::string, int> senders;
    for (const auto& [other, held_by] : owners) {
      EXPECT_EQ(held_by->store().term_end(), model.ends[other]);
      for (char name = 'a'; name <= 'e'; ++name) {
        const std::string one(1, name);
        const bool may_send =
            held_by->store().BelievesToHold(one) && now_.since_boot < held_by->store().term_end();
        senders[one] += may_send && model.Holds(other, one) ? 1 : 0;
        EXPECT_LE(senders[one], 1);
      }
    }
  }
}

}  // namespace
}  // namespace df::lake
