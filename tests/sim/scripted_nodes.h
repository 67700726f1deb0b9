// Nodes that behave at random, as their seed says.
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "engine/node.h"
#include "engine/node_registry.h"
#include "sim/ledger.h"

namespace df::sim {

/// What a node of a simulation has besides its configuration. Set before the instance is made.
struct Script : engine::NodeShared {
  std::string name;
  Ledger* ledger = nullptr;
};

struct ReceiverScript : Script {
  std::deque<int64_t> to_send;  ///< numbers of batches in the ledger
  int64_t num_sends = 0;        ///< batches given to Send, or taken by TrySend
  bool stays = false;           ///< waits for a drain when everything is sent
  bool is_done = false;         ///< has ended, or only waits for a drain
};

struct ExporterScript : Script {
  int64_t num_exports = 0;
  int64_t num_ticks = 0;
  bool has_failed = false;    ///< has returned an error, or thrown
  bool is_stalled = false;    ///< for ever
  bool behaves_well = false;  ///< acks everything at once, whatever its configuration says
};

/// urn:otel:receiver:test_sim_source; keys: seed, pause_percent (before a batch), try_percent (of
/// batches that are not waited for), stays (waits for a drain when everything is sent).
const engine::NodeDescriptor& SourceDescriptor();

/// urn:otel:processor:test_sim_step; keys: seed, mode: pass, keep (some batches for some time),
/// relay (with a token of its own), try (nacks what finds no room).
const engine::NodeDescriptor& StepDescriptor();

/// urn:otel:exporter:test_sim_sink; keys: seed; nack_percent, refuse_percent (for good),
/// late_percent, fall_percent, hold_percent (until the end), pause_percent; stall_after,
/// fail_after, throw_after (batches; -1: never); tick (duration; 0: none).
const engine::NodeDescriptor& SinkDescriptor();

}  // namespace df::sim
