#include "runtime/places.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace df::runtime {
namespace {

// Taking a place from who has only one more would go back and forth.
constexpr int64_t kLead = 2;

template <typename Key>
int64_t Count(const std::map<Key, int64_t>& counts, const Key& key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

template <typename Key>
void Add(std::map<Key, int64_t>* counts, const Key& key, int64_t number) {
  const auto at = counts->try_emplace(key, 0).first;
  at->second += number;
  if (at->second == 0) {
    counts->erase(at);
  }
}

}  // namespace

int64_t Places::CountOf(const std::string& address) const { return Count(by_address_, address); }
int64_t Places::CountOf(uint64_t connection) const { return Count(by_connection_, connection); }

bool Places::Enter(const Peer& peer) {
  if (num_taken_ >= max_places_) {
    Place* victim = FindVictim(peer);
    if (victim == nullptr) {
      return false;
    }
    victim->Evict();
  }
  ++num_taken_;
  return true;
}

Place* Places::FindVictim(const Peer& peer) {
  Place* slow = FindSlow();
  return slow != nullptr ? slow : FindGreedy(peer);
}

Place* Places::FindSlow() {
  Place* slowest = nullptr;
  const auto rank = [](const Place& place) {
    return std::tuple(place.has_worked_, place.BytesPerSecond(), place.since_);
  };
  for (Place* place : arriving_) {
    if (place->Age() >= grace_ &&
        place->BytesPerSecond() < static_cast<double>(kMinBytesPerSecond) &&
        (slowest == nullptr || rank(*place) < rank(*slowest))) {
      slowest = place;
    }
  }
  return slowest;
}

Place* Places::FindGreedy(const Peer& peer) {
  const auto rank = [this](const Place& place) {
    return std::tuple(-CountOf(place.peer_.address), -CountOf(place.peer_.connection),
                      place.BytesPerSecond(), place.since_);
  };
  Place* greediest = nullptr;
  for (Place* place : arriving_) {
    const Peer& holder = place->peer_;
    const bool leads = holder.address != peer.address
                           ? CountOf(holder.address) >= CountOf(peer.address) + kLead
                           : peer.connection != 0 &&
                                 CountOf(holder.connection) >= CountOf(peer.connection) + kLead;
    if (leads && (greediest == nullptr || rank(*place) < rank(*greediest))) {
      greediest = place;
    }
  }
  return greediest;
}

Place::Place(Places* places, Peer peer, std::function<int64_t()> num_bytes,
             std::function<void()> on_evicted)
    : places_(places),
      peer_(std::move(peer)),
      num_bytes_(std::move(num_bytes)),
      on_evicted_(std::move(on_evicted)) {
  is_taken_ = places_->Enter(peer_);
  SetArriving();
}

double Place::BytesPerSecond() const {
  const double seconds = std::chrono::duration<double>(Age()).count();
  return static_cast<double>(num_bytes_() - bytes_before_) / std::max(seconds, 1e-9);
}

void Place::SetArriving() {
  if (!is_taken_) {
    return;
  }
  since_ = places_->clock_->Now();
  bytes_before_ = num_bytes_();
  if (!is_arriving_) {
    is_arriving_ = true;
    position_ = places_->arriving_.insert(places_->arriving_.end(), this);
    Add(&places_->by_address_, peer_.address, 1);
    Add(&places_->by_connection_, peer_.connection, 1);
  }
}

void Place::SetWorking() {
  has_worked_ = true;
  if (is_arriving_) {
    is_arriving_ = false;
    places_->arriving_.erase(position_);
    Add(&places_->by_address_, peer_.address, -1);
    Add(&places_->by_connection_, peer_.connection, -1);
  }
}

void Place::Leave() {
  if (is_taken_) {
    SetWorking();
    is_taken_ = false;
    --places_->num_taken_;
  }
}

void Place::Evict() {
  Leave();
  is_evicted_ = true;
  const auto on_evicted = std::move(on_evicted_);
  on_evicted();
}

}  // namespace df::runtime
