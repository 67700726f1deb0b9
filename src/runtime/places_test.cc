#include "runtime/places.h"

#include <deque>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "testing/simulated_clock.h"

namespace df::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class PlacesTest : public ::testing::Test {
 protected:
  struct Guest {
    int64_t num_bytes = 0;
    int num_evictions = 0;
    std::unique_ptr<Place> place;
  };

  Guest& Come(const std::string& address, uint64_t connection) {
    Guest& guest = guests_.emplace_back();
    guest.place = std::make_unique<Place>(
        &places_, Peer{address, connection}, [&guest] { return guest.num_bytes; },
        [&guest] { ++guest.num_evictions; });
    return guest;
  }

  testing::SimulatedClock clock_;
  Places places_{&clock_, 3};
  std::deque<Guest> guests_;
};

TEST_F(PlacesTest, PlacesThatAreLeftAreFree) {
  Guest& first = Come("a", 1);
  Come("b", 2);
  Come("c", 3);
  EXPECT_FALSE(Come("d", 4).place->is_taken()) << "the others are not slow yet";
  EXPECT_EQ(places_.num_taken(), 3);
  first.place.reset();
  EXPECT_TRUE(Come("d", 4).place->is_taken());
  EXPECT_EQ(places_.num_taken(), 3);
}

TEST_F(PlacesTest, TheSlowestMakesRoom) {
  Guest& steady = Come("a", 1);
  Guest& slow = Come("b", 2);
  Guest& stuck = Come("c", 3);
  clock_.Advance(milliseconds(1'500));
  steady.num_bytes = 100'000;
  slow.num_bytes = 1'000;
  EXPECT_TRUE(Come("d", 4).place->is_taken());
  EXPECT_EQ(stuck.num_evictions, 1);
  EXPECT_TRUE(stuck.place->is_evicted());
  EXPECT_FALSE(stuck.place->is_taken());
  EXPECT_TRUE(Come("d", 4).place->is_taken());
  EXPECT_EQ(slow.num_evictions, 1);
  EXPECT_FALSE(Come("d", 4).place->is_taken()) << "one makes progress, two have just come";
  EXPECT_EQ(steady.num_evictions, 0);
  EXPECT_EQ(places_.num_taken(), 3);
}

TEST_F(PlacesTest, WhoWorksKeepsItsPlace) {
  for (int i = 0; i < 3; ++i) {
    Come("a", 1).place->SetWorking();
  }
  clock_.Advance(seconds(100));
  EXPECT_FALSE(Come("b", 2).place->is_taken());
  // One is idle again: it counts from then on.
  guests_[1].place->SetArriving();
  EXPECT_FALSE(Come("b", 2).place->is_taken());
  clock_.Advance(seconds(1));
  EXPECT_TRUE(Come("b", 2).place->is_taken());
  EXPECT_EQ(guests_[1].num_evictions, 1);
}

TEST_F(PlacesTest, WhoHasNeverWorkedMakesRoomFirst) {
  Guest& idle = Come("a", 0);
  idle.place->SetWorking();
  idle.place->SetArriving();
  clock_.Advance(seconds(10));
  Come("b", 0);
  Guest& other = Come("c", 0);
  clock_.Advance(seconds(2));
  EXPECT_TRUE(Come("d", 0).place->is_taken());
  EXPECT_TRUE(Come("d", 0).place->is_taken());
  EXPECT_EQ(other.num_evictions, 1);
  EXPECT_EQ(idle.num_evictions, 0);
  EXPECT_TRUE(Come("d", 0).place->is_taken());
  EXPECT_EQ(idle.num_evictions, 1);
}

TEST_F(PlacesTest, AnAddressOrAConnectionWithManyPlacesMakesRoomAtOnce) {
  Come("a", 1);
  Come("a", 1);
  Come("a", 2);
  EXPECT_FALSE(Come("a", 1).place->is_taken()) << "it has two already";
  EXPECT_FALSE(Come("a", 2).place->is_taken()) << "two and one: taking would go back and forth";
  EXPECT_TRUE(Come("a", 3).place->is_taken());
  EXPECT_EQ(guests_[0].num_evictions, 1) << "the connection that had two";
  EXPECT_TRUE(Come("b", 4).place->is_taken()) << "the address has three";
  EXPECT_FALSE(Come("b", 4).place->is_taken());
  EXPECT_EQ(places_.num_taken(), 3);
}

}  // namespace
}  // namespace df::runtime
