// The least that nodes can be, so that what is measured is the engine.
#pragma once

#include <cstdint>

#include "engine/node.h"
#include "engine/node_registry.h"

namespace df::bench {

/// What one run of a source was like. Calls: the thread of the loop.
struct SourceScript : engine::NodeShared {
  otap::BatchPtr batch;
  int64_t num_warm_up = 0;
  int64_t num_measured = 0;
  bool has_tokens = true;  ///< asks for outcomes

  double nanos_per_batch = 0;        ///< of the measured batches, sent and answered
  double allocations_per_batch = 0;  ///< of those
  int64_t num_acked = 0;
};

/// urn:otel:receiver:bench_source: sends one batch again and again, as fast as it is taken.
extern const engine::NodeDescriptor kSource;
/// urn:otel:processor:bench_pass: sends on what it gets.
extern const engine::NodeDescriptor kPass;
/// urn:otel:processor:bench_relay: sends on what it gets with a token of its own.
extern const engine::NodeDescriptor kRelay;
/// urn:otel:exporter:bench_sink: acks.
extern const engine::NodeDescriptor kSink;

}  // namespace df::bench
