// One out port of a node instance: where its batches go.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "config/pipeline_document.h"
#include "engine/inbox.h"
#include "engine/pdata.h"
#include "runtime/task.h"

namespace df::engine {

/// Hands batches to the destinations of a port as its strategy says.
class OutPort {
 public:
  struct Destination {
    std::string node;
    Inbox* inbox;                ///< borrowed, outlives the port
    bool takes_encoded = false;  ///< as its descriptor says
  };

  /// `seed` drives the random strategy.
  OutPort(std::string name, config::DispatchStrategy strategy,
          std::vector<Destination> destinations, uint64_t seed);

  const std::string& name() const { return name_; }

  /// Whether every destination takes batches that are still requests.
  bool takes_encoded() const;

  /// Hands the batch over if the destination whose turn it is has room now. Else returns false: the
  /// batch is still the caller's, who goes on with FinishSend.
  bool BeginSend(Pdata& pdata);

  /// Waits until the batch is handed over. Returns false when no destination takes it: it is nacked
  /// then. Of several destinations one that has ended is passed over, except by broadcast, which
  /// counts it as a nack.
  runtime::Task<bool> FinishSend(Pdata pdata);

  /// Hands over what has room now: to every destination (broadcast) or to the first that has, from
  /// the one whose turn it is. On kFull and kClosed the batch is still the caller's.
  runtime::PushResult TrySend(Pdata& pdata);

 private:
  bool is_broadcast() const {
    return strategy_ == config::DispatchStrategy::kBroadcast && destinations_.size() > 1;
  }
  std::vector<Pdata> MakeCopies(Pdata pdata);
  runtime::Task<bool> Broadcast(Pdata pdata);
  size_t ChooseFirst();

  std::string name_;
  config::DispatchStrategy strategy_;
  std::vector<Destination> destinations_;
  size_t next_ = 0;
  size_t turn_ = 0;  // the destination that BeginSend has tried
  std::mt19937_64 random_;
};

}  // namespace df::engine
