// Places of a server, for those who make progress.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>

#include "runtime/clock.h"

namespace df::runtime {

class Place;

/// Whom a place is for.
struct Peer {
  std::string address;      ///< of the other machine
  uint64_t connection = 0;  ///< a number of its own; 0 where places are for connections
};

/// A bounded number of places. Where all are taken, somebody who comes gets the place of one that
/// is still arriving (its handshake, its head, its body) or idle, and
/// 1. is slow: below kMinBytesPerSecond since more than the grace, the slowest first; or else
/// 2. is of an address, or of a connection of the same address, that has two places more that are
///    arriving than the one who comes, the slowest of them first.
/// Those who work keep theirs. Calls: the loop. Owner: outlives its places.
class Places {
 public:
  static constexpr int64_t kMinBytesPerSecond = 16 << 10;
  static constexpr std::chrono::nanoseconds kGrace = std::chrono::seconds(1);

  /// `clock` is borrowed.
  Places(const Clock* clock, int64_t max_places, std::chrono::nanoseconds grace = kGrace)
      : clock_(clock), max_places_(max_places), grace_(grace) {}
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;

  int64_t num_taken() const { return num_taken_; }

 private:
  friend class Place;

  bool Enter(const Peer& peer);
  Place* FindVictim(const Peer& peer);
  Place* FindSlow();
  Place* FindGreedy(const Peer& peer);
  int64_t CountOf(const std::string& address) const;
  int64_t CountOf(uint64_t connection) const;

  const Clock* clock_;
  int64_t max_places_;
  std::chrono::nanoseconds grace_;
  int64_t num_taken_ = 0;
  std::list<Place*> arriving_;
  std::map<std::string, int64_t> by_address_;  // of those that are arriving
  std::map<uint64_t, int64_t> by_connection_;  // the same
};

/// One place, from its making to its end. Calls: the loop.
class Place {
 public:
  /// Takes a place, arriving. `num_bytes` tells how many bytes have come so far. `on_evicted` hears
  /// that somebody else has the place, and may destroy this.
  Place(Places* places, Peer peer, std::function<int64_t()> num_bytes,
        std::function<void()> on_evicted);
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { Leave(); }

  /// There was a place, and nobody else has it now.
  bool is_taken() const { return is_taken_; }
  /// There was one.
  bool is_evicted() const { return is_evicted_; }

  bool is_arriving() const { return is_arriving_; }

  /// All has arrived: the place is kept until it is left.
  void SetWorking();
  /// Waits for more to arrive, from now on.
  void SetArriving();

 private:
  friend class Places;

  void Leave();
  void Evict();
  SteadyTime::duration Age() const { return places_->clock_->Now() - since_; }
  double BytesPerSecond() const;

  Places* places_;
  Peer peer_;
  std::function<int64_t()> num_bytes_;
  std::function<void()> on_evicted_;
  SteadyTime since_;
  int64_t bytes_before_ = 0;
  std::list<Place*>::iterator position_;  // while it is arriving
  bool is_taken_ = false;
  bool is_evicted_ = false;
  bool is_arriving_ = false;
  bool has_worked_ = false;  // it has shown that it can be of use
};

}  // namespace df::runtime
