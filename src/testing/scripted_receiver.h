// A receiver that sends what a test gives it and remembers what became of it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "engine/node.h"
#include "engine/node_registry.h"

namespace df::testing {

/// What the receiver does. Calls: the thread of the loop.
struct ReceiverScript : engine::NodeShared {
  std::deque<otap::BatchPtr> batches;  ///< sent in order, each once
  bool ends_by_itself = true;          ///< after the last batch; else it waits for more or a drain
  bool senders_wait = false;           ///< tokens are those of senders that wait
  bool waits_for_outcomes = false;     ///< before it ends
  Status end_status;                   ///< what Run returns
  std::map<uint64_t, engine::Outcome> outcomes;  ///< by number of the batch, from 0
  int64_t num_outcomes = 0;
  int64_t num_sent = 0;
  int64_t num_refused = 0;  ///< Send said that the destination has ended
  bool has_ended = false;
  std::optional<runtime::Wakeup> more;

  /// Gives one more batch to a running receiver.
  void Send(otap::BatchPtr batch);
  /// Lets a running receiver end when everything is sent.
  void End();
};

/// urn:otel:receiver:test_scripted, no keys.
const engine::NodeDescriptor& ScriptedReceiverDescriptor();

}  // namespace df::testing
